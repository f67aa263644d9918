"""What silences keep back: the last that each silenced alert had to say, which is said once, where it still stands,
when no silence keeps it back any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, delete, select, update

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.alerting.silences import SEVERITIES, Silence
from spendtop.store.reads.alerts.silences import Silencing
from spendtop.store.statements import insert_or_replace, table_of
from spendtop.store.tables import AlertTable, HeldAnnouncementTable

_ALERT, _HELD = table_of(AlertTable), table_of(HeldAnnouncementTable)
_AT_ONCE = 500


class HeldMessage(Struct, frozen=True, kw_only=True):
    """What an alert has to say, and who is told; None is all channels."""

    alert_id: int
    rule: str | None
    sequence: int
    notify: tuple[str, ...] | None
    message: Message


def silenced(connection: Connection, kinds: Mapping[int, MessageKind], now: int) -> dict[int, Silence]:
    """Which of these alerts, that have something of a kind to say, are silenced, by id."""
    silencing = Silencing(connection, now)
    if not silencing:
        return {}
    ids, silent = list(kinds), {}
    for part in (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)):
        rows = connection.execute(select(_ALERT.c.id, _ALERT.c.rule, _ALERT.c.entity).where(_ALERT.c.id.in_(part)))
        for row in rows:
            silence = silencing.of(row.rule, row.entity, _severities(kinds[row.id]))
            if silence is not None:
                silent[row.id] = silence
    return silent


def hold(connection: Connection, held: HeldMessage, until: int) -> None:
    """Keep it back, in place of what the alert had to say before, until an instant (UTC µs) at which it is looked
    again."""
    values = {
        "alert_id": held.alert_id,
        "rule": held.rule,
        "sequence": held.sequence,
        "notify": None if held.notify is None else msgspec.json.encode(held.notify).decode(),
        "message": msgspec.json.encode(held.message).decode(),
        "until": until,
    }
    statement = insert_or_replace(HeldAnnouncementTable, connection.dialect)
    statement.run_many(connection, [tuple(values[name] for name in statement.names)])


def look_again(connection: Connection, now: int) -> None:
    """A silence was taken back: what it kept back is looked at anew."""
    connection.execute(update(_HELD).where(_HELD.c.until > now).values(until=now))


def free(connection: Connection, now: int) -> list[HeldMessage]:
    """Take out some of what no silence keeps back any more. What does not stand any more, or what somebody took on or
    put off meanwhile, is forgotten."""
    due = select(_HELD).where(_HELD.c.until <= now).order_by(_HELD.c.until, _HELD.c.alert_id).limit(_AT_ONCE)
    rows = connection.execute(due).all()
    if not rows:
        return []
    messages = {row.alert_id: msgspec.json.decode(row.message, type=Message) for row in rows}
    still = silenced(connection, {alert_id: message.kind for alert_id, message in messages.items()}, now)
    for alert_id, silence in still.items():
        connection.execute(update(_HELD).where(_HELD.c.alert_id == alert_id).values(until=silence.until))
    freed = [row for row in rows if row.alert_id not in still]
    ids = [row.alert_id for row in freed]
    connection.execute(delete(_HELD).where(_HELD.c.alert_id.in_(ids)))
    alerts = {row.id: row for row in connection.execute(select(_ALERT).where(_ALERT.c.id.in_(ids)))}
    return [
        _said_late(row, messages[row.alert_id])
        for row in freed
        if row.alert_id in alerts and _stands(alerts[row.alert_id], messages[row.alert_id], now)
    ]


def _severities(kind: MessageKind) -> Sequence[str]:
    """That something is over is told, or kept back, as what it ends."""
    return SEVERITIES if kind is MessageKind.RESOLVED else (kind.severity,)


def _stands(alert: Any, message: Message, now: int) -> bool:
    if message.kind is MessageKind.RESOLVED:
        return True
    is_snoozed = alert.snoozed_until is not None and alert.snoozed_until > now
    return alert.resolved_at is None and alert.acked_at is None and not is_snoozed


def _said_late(row: Any, message: Message) -> HeldMessage:
    late = f"Was kept back by a silence. {message.next_words}".strip()
    return HeldMessage(
        alert_id=row.alert_id,
        rule=row.rule,
        sequence=row.sequence,
        notify=None if row.notify is None else msgspec.json.decode(row.notify, type=tuple[str, ...]),
        message=replace(message, next_words=late),
    )
