"""The rules of the outbox: messages wait in the store until a channel took them, or until they are dead.

A delivery is pending → sending → sent, dead, or pending again. It is claimed before it is sent and its result is
committed afterwards, so a crash between the two sends it again: at least once, never lost. When that happens is up to
`alerts.outbox_loop`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.clock import MINUTE
from spendtop.domain.limits.limit import Each
from spendtop.store.reads.tokens.names import name_of
from spendtop.store.statements import insert_into, table_of
from spendtop.store.tables import AlertTable, DeliveryAlertTable, DeliveryAttemptTable, DeliveryTable

_delivery = table_of(DeliveryTable)
_told = table_of(DeliveryAlertTable)
_alert = table_of(AlertTable)
_attempt = table_of(DeliveryAttemptTable)


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"
    SUPERSEDED = "superseded"


_UNSETTLED = (DeliveryState.PENDING, DeliveryState.SENDING)
_REACHED = (DeliveryState.SENDING, DeliveryState.SENT)


class Due(Struct, frozen=True):
    """When a channel next has something to send, in UTC µs; an instant in the past means now."""

    channel: str
    at: int


class Claimed(Struct, frozen=True, kw_only=True):
    """A delivery that is ours to send until `lease_until` (UTC µs)."""

    id: int
    ref: str
    channel: str
    severity: str
    payload: str
    """JSON of a `Message`."""
    attempts: int
    """Which try this is, from 1."""
    created_at: int
    lease_until: int


class Attempt(Struct, frozen=True, kw_only=True):
    """What came of one try; `at` is UTC µs."""

    at: int
    outcome: str
    """sent, transient, permanent or misconfigured."""
    detail: str
    elapsed_ms: int


def enqueue(
    connection: Connection,
    *,
    alert_id: int | None,
    seq: int,
    message: Message,
    severity: str,
    channels: Sequence[str],
    now: int,
    rule: str | None = None,
    gathers_until: int | None = None,
) -> list[int]:
    """Queue one message for each channel and return the ids of those that are new.

    It is due at once, or at `gathers_until` (UTC µs) where others of its `rule` may join it until then. A message is
    known by its alert, kind and `seq`; queueing it again changes nothing. It takes the place of earlier messages about
    its alert alone that are not sent yet.
    """
    payload = msgspec.json.encode(message).decode()
    queued: list[int] = []
    for channel in channels:
        row = {
            "ref": _ref(alert_id, message.kind, seq, channel, payload),
            "alert_id": alert_id,
            "rule": rule,
            "kind": message.kind.value,
            "channel": channel,
            "severity": severity,
            "payload": payload,
            "state": DeliveryState.PENDING.value,
            "attempts": 0,
            "gathers_until": gathers_until,
            "next_at": now if gathers_until is None else gathers_until,
            "created_at": now,
        }
        inserted = _insert_or_ignore(connection, _delivery).values(row).returning(_delivery.c.id)
        number = connection.execute(inserted).scalar()
        if number is None:
            continue
        queued.append(number)
        if alert_id is not None:
            join(connection, number, channel, [alert_id], now)
    return queued


def join(connection: Connection, delivery_id: int, channel: str, alert_ids: Sequence[int], now: int) -> None:
    """Let a message of this channel tell of these alerts, in place of earlier ones that are not sent yet."""
    links = [{"delivery_id": delivery_id, "alert_id": alert_id, "joined_at": now} for alert_id in alert_ids]
    connection.execute(_insert_or_ignore(connection, _told), links)
    supersede(connection, channel, alert_ids, but=delivery_id)


def tell_of_same(connection: Connection, delivery_id: int, others: Sequence[int], now: int) -> None:
    """Let a message tell of the alerts that other messages were to tell of, in place of none of them."""
    same = (
        select(literal(delivery_id), _told.c.alert_id, literal(now)).where(_told.c.delivery_id.in_(others)).distinct()
    )
    known = select(_told.c.alert_id).where(_told.c.delivery_id == delivery_id)
    links = same.where(_told.c.alert_id.not_in(known))
    connection.execute(insert(_told).from_select(["delivery_id", "alert_id", "joined_at"], links))


def gathering(connection: Connection, channel: str, rule: str, kind: MessageKind, now: int) -> Any | None:
    """The row of the message that those of this rule and kind join, as it waits for its minute's end or its channel."""
    # One that waits for longer than a minute comes from a clock that was ahead.
    gathers = (*_of_level(channel, rule, kind), _delivery.c.gathers_until <= now + MINUTE)
    newest = select(_delivery).where(*gathers).order_by(_delivery.c.gathers_until.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return row if row is not None and row.state == DeliveryState.PENDING and not row.attempts else None


def minute_began(connection: Connection, channel: str, rule: str, kind: MessageKind, now: int) -> int | None:
    """When the minute began that a message of this rule and kind, told at once, opened; None when that is over."""
    alone = (*_of_level(channel, rule, kind), _delivery.c.gathers_until.is_(None))
    newest = select(func.max(_delivery.c.created_at)).where(*alone)
    return connection.execute(newest.where(_delivery.c.created_at.between(now - MINUTE + 1, now))).scalar()


def _of_level(channel: str, rule: str, kind: MessageKind) -> tuple[ColumnElement[bool], ...]:
    return _delivery.c.channel == channel, _delivery.c.rule == rule, _delivery.c.kind == kind.value


def rewrite(connection: Connection, delivery_id: int, message: Message, alert_id: int | None = None) -> None:
    """Let a message that waits say something else, and name this alert."""
    values: dict[str, Any] = {"payload": msgspec.json.encode(message).decode()}
    if alert_id is not None:
        values["alert_id"] = alert_id
    connection.execute(update(_delivery).where(_delivery.c.id == delivery_id).values(values))


def supersede(connection: Connection, channel: str, alert_ids: Sequence[int], but: int | None = None) -> None:
    """Drop the messages about these alerts alone that this channel was not sent yet, save the one of the id `but`."""
    query = select(_delivery.c.id).join(_told, _told.c.delivery_id == _delivery.c.id)
    alone = (_told.c.alert_id.in_(alert_ids), _delivery.c.gathers_until.is_(None), _told.c.delivery_id != (but or 0))
    unsent = (_delivery.c.channel == channel, _delivery.c.state == DeliveryState.PENDING, _is_of_alert())
    if overtaken := connection.execute(query.where(*alone, *unsent)).scalars().all():
        these = update(_delivery).where(_delivery.c.id.in_(overtaken))
        connection.execute(these.values(state=DeliveryState.SUPERSEDED))


def told(connection: Connection, channel: str, alert_ids: Sequence[int]) -> set[int]:
    """Those of the alerts that this channel was told of, and not that they are over."""
    reached = (_delivery.c.channel == channel, _delivery.c.state.in_(_REACHED))
    query = select(_told.c.alert_id, _delivery.c.kind).join(_delivery, _delivery.c.id == _told.c.delivery_id)
    rows = connection.execute(query.where(_told.c.alert_id.in_(alert_ids), *reached).order_by(_delivery.c.id))
    last = {row.alert_id: row.kind for row in rows}
    return {alert_id for alert_id, kind in last.items() if kind != MessageKind.RESOLVED}


def agenda(connection: Connection) -> list[Due]:
    """When each channel with unsent messages is next due; a channel that is sending, when its lease ends."""
    rows = connection.execute(
        select(_delivery.c.channel, _delivery.c.state, func.min(_delivery.c.next_at), func.max(_delivery.c.lease_until))
        .where(_delivery.c.state.in_(_UNSETTLED))
        .group_by(_delivery.c.channel, _delivery.c.state)
    )
    due: dict[str, int] = {}
    for channel, state, next_at, lease_until in rows:
        if state == DeliveryState.SENDING:
            due[channel] = lease_until or 0
        else:
            due.setdefault(channel, next_at)
    return [Due(channel, at) for channel, at in due.items()]


def claim(connection: Connection, channel: str, *, now: int, lease_until: int) -> Claimed | None:
    """Take the channel's oldest due message for sending, or None while there is none or another one is being sent."""
    _release_expired(connection, channel, now)
    while (row := _oldest_due(connection, channel, now)) is not None:
        payload = _standing(connection, row, now)
        if payload is not None:
            break
        this = update(_delivery).where(_delivery.c.id == row.id)
        connection.execute(this.values(state=DeliveryState.SUPERSEDED))
    else:
        return None
    claimed = Claimed(
        id=row.id,
        ref=row.ref,
        channel=row.channel,
        severity=row.severity,
        payload=payload,
        attempts=row.attempts + 1,
        created_at=row.created_at,
        lease_until=lease_until,
    )
    connection.execute(
        update(_delivery)
        .where(_delivery.c.id == claimed.id)
        .values(state=DeliveryState.SENDING, attempts=claimed.attempts, lease_until=lease_until)
    )
    return claimed


def free_abandoned(connection: Connection) -> None:
    """Send again what a collector was sending that is gone, or whose lease was taken over. Only for the new owner."""
    sending = _delivery.c.state == DeliveryState.SENDING
    connection.execute(update(_delivery).where(sending).values(state=DeliveryState.PENDING, lease_until=None))


def finish(connection: Connection, claimed: Claimed, attempt: Attempt, retry_at: int | None) -> None:
    """Record a try: sent, to be tried again at `retry_at` (UTC µs), or dead when `retry_at` is None.

    A delivery that was claimed anew in the meantime keeps its new claim; the try is recorded all the same.
    """
    changes: dict[str, Any] = {"lease_until": None, "last_error": attempt.detail}
    if attempt.outcome == "sent":
        changes |= {"state": DeliveryState.SENT, "sent_at": attempt.at, "last_error": None}
    elif retry_at is not None:
        changes |= {"state": DeliveryState.PENDING, "next_at": retry_at}
    else:
        changes |= {"state": DeliveryState.DEAD}
    connection.execute(
        update(_delivery)
        .where(
            _delivery.c.id == claimed.id,
            _delivery.c.state == DeliveryState.SENDING,
            _delivery.c.attempts == claimed.attempts,
        )
        .values(changes)
    )
    connection.execute(
        insert(_attempt).values(
            delivery_id=claimed.id,
            at=attempt.at,
            outcome=attempt.outcome,
            detail=attempt.detail or None,
            elapsed_ms=attempt.elapsed_ms,
        )
    )


def make_due(connection: Connection, channel: str, now: int) -> None:
    """Make everything that waits for this channel due now, because the channel works again."""
    connection.execute(
        update(_delivery)
        .where(
            _delivery.c.channel == channel,
            _delivery.c.state == DeliveryState.PENDING,
            _delivery.c.next_at > now,
            or_(_delivery.c.gathers_until.is_(None), _delivery.c.gathers_until <= now),
        )
        .values(next_at=now)
    )


def give_up(connection: Connection, channel: str, reason: str, *, created_before: int, now: int) -> Sequence[int]:
    """Give up what waits for this channel since before `created_before` (UTC µs). Returns the ids of what is dead."""
    _release_expired(connection, channel, now)
    given_up = connection.execute(
        update(_delivery)
        .where(
            _delivery.c.channel == channel,
            _delivery.c.state == DeliveryState.PENDING,
            _delivery.c.created_at < created_before,
        )
        .values(state=DeliveryState.DEAD, last_error=reason)
        .returning(_delivery.c.id)
    )
    return given_up.scalars().all()


def dead(connection: Connection) -> int:
    """How many messages no channel took."""
    of_dead = select(func.count()).select_from(_delivery).where(_delivery.c.state == DeliveryState.DEAD)
    return int(connection.execute(of_dead).scalar_one())


def retry(connection: Connection, now: int, delivery_id: int | None = None) -> int:
    """Queue one dead delivery again, or all of them. Returns how many."""
    chosen = update(_delivery).where(_delivery.c.state == DeliveryState.DEAD)
    if delivery_id is not None:
        chosen = chosen.where(_delivery.c.id == delivery_id)
    return connection.execute(chosen.values(state=DeliveryState.PENDING, attempts=0, next_at=now)).rowcount


def _ref(alert_id: int | None, kind: MessageKind, seq: int, channel: str, payload: str) -> str:
    subject = payload if alert_id is None else str(alert_id)
    return sha256("\0".join((subject, kind.value, str(seq), channel)).encode()).hexdigest()[:16]


def _insert_or_ignore(connection: Connection, table: Table) -> Any:
    return insert_into(table, connection.dialect).on_conflict_do_nothing()


def _oldest_due(connection: Connection, channel: str, now: int) -> Any | None:
    other = _delivery.alias("other")
    return connection.execute(
        select(_delivery)
        .where(
            _delivery.c.channel == channel,
            _delivery.c.state == DeliveryState.PENDING,
            _delivery.c.next_at <= now,
            ~exists().where(other.c.channel == channel, other.c.state == DeliveryState.SENDING),
        )
        .order_by(_delivery.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()


def _standing(connection: Connection, row: Any, now: int) -> str | None:
    """What a message still has to say, as JSON; None where nothing is left of it."""
    if row.gathers_until is None:
        return None if _is_overtaken(connection, row) else str(row.payload)
    if row.kind == MessageKind.UNDELIVERED:
        return str(row.payload)
    _forget_fallen(connection, row, now)
    of_message = _told.c.delivery_id == row.id
    left = connection.execute(select(func.count()).select_from(_told).where(of_message)).scalar_one()
    if not left:
        return None
    message = replace(msgspec.json.decode(row.payload, type=Message), others=left - 1)
    query = select(_alert).join(_told, _told.c.alert_id == _alert.c.id).where(of_message)
    named = connection.execute(query.where(_alert.c.id == row.alert_id)).one_or_none()
    if named is None:
        named = connection.execute(query.order_by(_alert.c.used_nano.desc(), _alert.c.id).limit(1)).one()
        message = _naming(connection, named, message)
    rewrite(connection, row.id, message, named.id)
    return msgspec.json.encode(message).decode()


def _is_of_alert() -> ColumnElement[bool]:
    return _delivery.c.kind != MessageKind.UNDELIVERED.value


def _is_overtaken(connection: Connection, row: Any) -> bool:
    """Whether a later message of this channel tells of the same alert."""
    later = select(_told.c.delivery_id).join(_delivery, _delivery.c.id == _told.c.delivery_id)
    same = (_told.c.alert_id == row.alert_id, _told.c.delivery_id > row.id, _delivery.c.channel == row.channel)
    later = later.where(*same, _is_of_alert())
    return row.alert_id is not None and connection.execute(later.limit(1)).first() is not None


def _forget_fallen(connection: Connection, row: Any, now: int) -> None:
    """Leave out alerts that are at another level by now, and, as long as nobody was told, those that somebody took on
    or put off since they joined."""
    exceeds = _alert.c.announced >= 1
    stands = {
        MessageKind.APPROACHING: and_(~exceeds, _alert.c.announced > 0),
        MessageKind.EXCEEDED: exceeds,
        MessageKind.RESOLVED: ~exceeds,
    }[MessageKind(row.kind)]
    fallen = [~stands]
    if not row.attempts:
        fallen += [_alert.c.acked_at >= _told.c.joined_at, _alert.c.snoozed_until > now]
    gone = exists().where(_alert.c.id == _told.c.alert_id, or_(*fallen))
    connection.execute(delete(_told).where(_told.c.delivery_id == row.id, gone))


def _naming(connection: Connection, alert: Any, message: Message) -> Message:
    """A message about several alerts of a limit, naming this one of them."""
    name = name_of(connection, alert.entity) if message.each == Each.TOKEN else alert.entity
    windows = {} if message.window_end is None else {"window_start": alert.window_start, "window_end": alert.window_end}
    return replace(
        message,
        entity=name if message.entity else "",
        used_nano=alert.used_nano,
        unpriced=alert.unpriced,
        at=alert.crossed_at,
        late_by=None,
        contributors=(),
        **windows,
    )


def _release_expired(connection: Connection, channel: str, now: int) -> None:
    """What was being sent when its sender died waits again."""
    connection.execute(
        update(_delivery)
        .where(
            _delivery.c.channel == channel,
            _delivery.c.state == DeliveryState.SENDING,
            or_(_delivery.c.lease_until.is_(None), _delivery.c.lease_until <= now),
        )
        .values(state=DeliveryState.PENDING, lease_until=None)
    )
