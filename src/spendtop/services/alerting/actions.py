"""What people do about alerts: take one on, put it off, silence those that a filter selects, or take that back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, insert, select, update

from spendtop.domain.alerting.silences import Silence, parse_silence
from spendtop.domain.clock import DAY
from spendtop.domain.errors import UsageError
from spendtop.domain.untrusted import clean_line, storable, storable_name
from spendtop.services.alerting import alert_rows, held_messages
from spendtop.services.alerting.episodes import is_resolved
from spendtop.store.reads.alerts.silences import MOST_SILENCES, silences
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertActionTable, AlertTable, SilenceTable

LONGEST_SNOOZE = 7 * DAY
"""How long an alert can be put off, in µs; an alert ends with its window in any case."""
LONGEST_SILENCE = 30 * DAY
"""How long a silence can last, in µs."""

_ALERT, _ACTION, _SILENCE = table_of(AlertTable), table_of(AlertActionTable), table_of(SilenceTable)
_ACK, _SNOOZE = ("acked_at", "acked_by"), ("snoozed_until", "snoozed_by")
"""The columns that an ack and a snooze set."""
_LOOKED_BACK = 100
"""Things that somebody did among which the last that stands is looked for."""


class NoSuchAlert(UsageError):
    pass


class AlertIsOver(UsageError):
    """The alert is resolved; nothing needs to be done about it."""


class NothingToUndo(UsageError):
    """No ack, snooze or silence of theirs still stands as it was made."""


class NoSuchSilence(UsageError):
    """No silence of that number is in force."""


def ack(connection: Connection, alert_id: int, by: str, now: int) -> None:
    """Say that somebody takes care of an alert. It speaks again only when it gets worse or begins anew."""
    _change(connection, alert_id, "ack", by, now, acked_at=now, acked_by=_name(by))


def snooze(connection: Connection, alert_id: int, until: int, by: str, now: int) -> None:
    """Keep an alert silent until an instant (UTC µs); what stands then is announced once."""
    if not now < until <= now + LONGEST_SNOOZE:
        raise UsageError("An alert can be snoozed for up to 7 days. Name a time between now and then.")
    _change(connection, alert_id, "snooze", by, now, snoozed_until=until, snoozed_by=_name(by))


def unack(connection: Connection, alert_id: int, by: str, now: int) -> None:
    """Take an ack and a snooze back."""
    _change(connection, alert_id, "unack", by, now, **dict.fromkeys((*_ACK, *_SNOOZE)))


def silence(connection: Connection, text: str, until: int, by: str, now: int) -> Silence:
    """Keep alerts that a filter selects from speaking until an instant (UTC µs). Raises FilterError."""
    selected = parse_silence(text)
    if not now < until <= now + LONGEST_SILENCE:
        raise UsageError("A silence lasts up to 30 days. Name a time between now and then.")
    if len(silences(connection, now)) >= MOST_SILENCES:
        raise UsageError(
            f"There are {MOST_SILENCES} silences in force. `spendtop alert unsilence ID` ends one of them."
        )
    values = {"filter": storable(text.strip()), "who": _name(by) or "", "created_at": now, "until": until}
    number = int(connection.execute(insert(_SILENCE).values(**values).returning(_SILENCE.c.id)).scalar_one())
    _note(connection, "silence", by, now, silence_id=number, until=until)
    return Silence(id=number, text=text.strip(), filter=selected, by=by, created_at=now, until=until)


def unsilence(connection: Connection, silence_id: int, by: str, now: int) -> None:
    """End a silence: what it kept back and still stands is said now. Raises NoSuchSilence."""
    this = update(_SILENCE).where(_SILENCE.c.id == silence_id, _SILENCE.c.until > now)
    if not connection.execute(this.values(until=now)).rowcount:
        raise NoSuchSilence(f"No silence {silence_id} is in force. `spendtop alert silences` names those that are.")
    held_messages.look_again(connection, now)
    _note(connection, "unsilence", by, now, silence_id=silence_id)


def undo(connection: Connection, by: str, now: int) -> str:
    """Take back the last ack, snooze or silence of somebody's that still stands as it was made; says what that is.

    What others did meanwhile, and what is over by itself, stays. Raises NothingToUndo.
    """
    mine = select(_ACTION).where(_ACTION.c.who == (_name(by) or ""), _ACTION.c.what.in_(("ack", "snooze", "silence")))
    for action in connection.execute(mine.order_by(_ACTION.c.id.desc()).limit(_LOOKED_BACK)):
        if action.what == "silence":
            row = connection.execute(select(_SILENCE).where(_SILENCE.c.id == action.silence_id)).one_or_none()
            if row is not None and row.until == action.until and row.until > now:
                unsilence(connection, row.id, by, now)
                return f"Silence {row.id} ({clean_line(row.filter, 80)}) has ended; what still stands is said now."
            continue
        row = connection.execute(select(_ALERT).where(_ALERT.c.id == action.alert_id, ~is_resolved())).one_or_none()
        if row is not None and _stands(row, action, now):
            before = msgspec.json.decode(action.before or "{}", type=dict[str, Any])
            _change(connection, row.id, "undo", by, now, **before)
            return _taken_back(action, before)
    raise NothingToUndo("There is nothing to undo: no ack, snooze or silence of yours still stands.")


def _stands(row: Any, action: Any, now: int) -> bool:
    if action.what == "ack":
        return bool(row.acked_at == action.at and (row.acked_by or "") == action.who)
    return bool(row.snoozed_until == action.until and row.snoozed_until > now)


def _taken_back(action: Any, before: Mapping[str, Any]) -> str:
    if action.what == "snooze":
        return f"Alert {action.alert_id} is snoozed as it was before, or not at all."
    if before.get("acked_at") is None:
        return f"Alert {action.alert_id} is not taken on any more."
    return f"Alert {action.alert_id} is taken on by {clean_line(before.get('acked_by') or 'somebody')} again."


def _name(by: str) -> str | None:
    return storable_name(by.strip()) or None


def _change(connection: Connection, alert_id: int, what: str, by: str, now: int, **values: Any) -> None:
    """Raises NoSuchAlert, and AlertIsOver for one that is resolved."""
    row = connection.execute(select(_ALERT).where(_ALERT.c.id == alert_id)).one_or_none()
    if row is None:
        raise NoSuchAlert(f"There is no alert {alert_id}. `spendtop alert list --all` names them.")
    if not alert_rows.change_all(connection, and_(_ALERT.c.id == alert_id, ~is_resolved()), values, now):
        raise AlertIsOver(f"Alert {alert_id} is resolved; there is nothing left to do about it.")
    before = msgspec.json.encode({name: getattr(row, name) for name in values}).decode()
    _note(connection, what, by, now, alert_id=alert_id, until=values.get("snoozed_until"), before=before)


def _note(connection: Connection, what: str, by: str, now: int, **facts: Any) -> None:
    connection.execute(insert(_ACTION).values(at=now, who=_name(by) or "", what=what, **facts))
