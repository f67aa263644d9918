"""What people do about an alert: take it on, put it off, or take that back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from spendtop.domain.clock import DAY
from spendtop.domain.errors import UsageError
from spendtop.domain.untrusted import storable_name
from spendtop.services.episodes import is_resolved
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable

LONGEST_SNOOZE = 7 * DAY
"""How long an alert can be put off, in µs; an alert ends with its window in any case."""

_ALERT = table_of(AlertTable)


class NoSuchAlert(UsageError):
    pass


class AlertIsOver(UsageError):
    """The alert is resolved; nothing needs to be done about it."""


def ack(connection: Connection, alert_id: int, by: str, now: int) -> None:
    """Say that somebody takes care of an alert. It speaks again only when it gets worse or begins anew."""
    _change(connection, alert_id, now, acked_at=now, acked_by=storable_name(by.strip()) or None)


def snooze(connection: Connection, alert_id: int, until: int, now: int) -> None:
    """Keep an alert silent until an instant (UTC µs); what stands then is announced once."""
    if not now < until <= now + LONGEST_SNOOZE:
        raise UsageError("An alert can be snoozed for up to 7 days. Name a time between now and then.")
    _change(connection, alert_id, now, snoozed_until=until)


def unack(connection: Connection, alert_id: int, now: int) -> None:
    """Take an ack and a snooze back."""
    _change(connection, alert_id, now, acked_at=None, acked_by=None, snoozed_until=None)


def _change(connection: Connection, alert_id: int, now: int, **values: Any) -> None:
    """Raises NoSuchAlert, and AlertIsOver for one that is resolved."""
    open_alert = update(_ALERT).where(_ALERT.c.id == alert_id, ~is_resolved())
    changed = connection.execute(open_alert.values(version=_ALERT.c.version + 1, updated_at=now, **values))
    if changed.rowcount:
        return
    if connection.execute(select(_ALERT.c.id).where(_ALERT.c.id == alert_id)).first() is None:
        raise NoSuchAlert(f"There is no alert {alert_id}. `spendtop alert list --all` names them.")
    raise AlertIsOver(f"Alert {alert_id} is resolved; there is nothing left to do about it.")
