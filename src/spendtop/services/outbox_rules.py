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
from sqlalchemy import Connection, exists, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from spendtop.domain.alerting import Message, MessageKind
from spendtop.store.statements import table_of
from spendtop.store.tables import DeliveryAttemptTable, DeliveryTable

_delivery = table_of(DeliveryTable)
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
    due_at: int | None = None,
) -> int:
    """Queue one message for each channel, due at once or at `due_at` (UTC µs), and return how many are new.

    A message is known by its alert, kind and `seq`; queueing it again changes nothing. It takes the place of earlier
    messages of its alert that are not sent yet. *Resolved* only follows where the alert was sent; where it still waits
    to be, both are dropped.
    """
    payload = msgspec.json.encode(message).decode()
    queued = 0
    for channel in channels:
        if message.kind is MessageKind.RESOLVED and not _was_told(connection, alert_id, channel):
            _drop_unsent(connection, alert_id, channel)
            continue
        row = {
            "ref": _ref(alert_id, message.kind, seq, channel, payload),
            "alert_id": alert_id,
            "kind": message.kind.value,
            "channel": channel,
            "severity": severity,
            "payload": payload,
            "state": DeliveryState.PENDING.value,
            "attempts": 0,
            "next_at": now if due_at is None else due_at,
            "created_at": now,
        }
        inserted = _insert_or_ignore(connection).values(row).returning(_delivery.c.id)
        queued += connection.execute(inserted).first() is not None
        _supersede(connection, channel)
    return queued


class Waiting(Struct, frozen=True):
    """A digest that is not due yet."""

    id: int
    message: Message


def queued_since(connection: Connection, channel: str, since: int) -> int:
    """How many messages were queued for a channel since an instant, tests aside."""
    query = select(func.count()).where(
        _delivery.c.channel == channel, _delivery.c.created_at >= since, _delivery.c.kind != MessageKind.TEST.value
    )
    return int(connection.execute(query).scalar_one())


def waiting_digest(connection: Connection, channel: str, now: int) -> Waiting | None:
    """The channel's digest that is not due yet, or None."""
    row = connection.execute(
        select(_delivery.c.id, _delivery.c.payload).where(
            _delivery.c.channel == channel,
            _delivery.c.kind == MessageKind.DIGEST.value,
            _delivery.c.state == DeliveryState.PENDING,
            _delivery.c.attempts == 0,
            _delivery.c.next_at > now,
        )
    ).first()
    return None if row is None else Waiting(row.id, msgspec.json.decode(row.payload, type=Message))


def rewrite(connection: Connection, delivery_id: int, message: Message) -> None:
    """Let a message that waits say something else."""
    payload = msgspec.json.encode(message).decode()
    connection.execute(update(_delivery).where(_delivery.c.id == delivery_id).values(payload=payload))


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
    _supersede(connection, channel)
    other = _delivery.alias("other")
    row = connection.execute(
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
    if row is None:
        return None
    claimed = Claimed(
        id=row.id,
        ref=row.ref,
        channel=row.channel,
        severity=row.severity,
        payload=row.payload,
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
    """Send again what a collector that is gone was sending. Only for one that knows that no other one sends."""
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
        )
        .values(next_at=now)
    )


def give_up(connection: Connection, channel: str, reason: str, *, created_before: int, now: int) -> int:
    """Give up what waits for this channel since before `created_before` (UTC µs). Returns how many are dead now."""
    _release_expired(connection, channel, now)
    return connection.execute(
        update(_delivery)
        .where(
            _delivery.c.channel == channel,
            _delivery.c.state == DeliveryState.PENDING,
            _delivery.c.created_at < created_before,
        )
        .values(state=DeliveryState.DEAD, last_error=reason)
    ).rowcount


def retry(connection: Connection, now: int, delivery_id: int | None = None) -> int:
    """Queue one dead delivery again, or all of them. Returns how many."""
    chosen = update(_delivery).where(_delivery.c.state == DeliveryState.DEAD)
    if delivery_id is not None:
        chosen = chosen.where(_delivery.c.id == delivery_id)
    return connection.execute(chosen.values(state=DeliveryState.PENDING, attempts=0, next_at=now)).rowcount


def _ref(alert_id: int | None, kind: MessageKind, seq: int, channel: str, payload: str) -> str:
    subject = payload if alert_id is None else str(alert_id)
    return sha256("\0".join((subject, kind.value, str(seq), channel)).encode()).hexdigest()[:16]


def _insert_or_ignore(connection: Connection) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(_delivery).on_conflict_do_nothing()
    return postgresql.insert(_delivery).on_conflict_do_nothing()


def _was_told(connection: Connection, alert_id: int | None, channel: str) -> bool:
    reached = select(_delivery.c.id).where(
        _delivery.c.alert_id == alert_id, _delivery.c.channel == channel, _delivery.c.state.in_(_REACHED)
    )
    return connection.execute(reached.limit(1)).first() is not None


def _drop_unsent(connection: Connection, alert_id: int | None, channel: str) -> None:
    waits = (
        _delivery.c.alert_id == alert_id,
        _delivery.c.channel == channel,
        _delivery.c.state == DeliveryState.PENDING,
    )
    connection.execute(update(_delivery).where(*waits).values(state=DeliveryState.SUPERSEDED))


def _supersede(connection: Connection, channel: str) -> None:
    """Drop what a later message of the same alert on this channel has overtaken."""
    later = _delivery.alias("later")
    connection.execute(
        update(_delivery)
        .where(
            _delivery.c.channel == channel,
            _delivery.c.state == DeliveryState.PENDING,
            exists().where(
                later.c.channel == channel, later.c.alert_id == _delivery.c.alert_id, later.c.id > _delivery.c.id
            ),
        )
        .values(state=DeliveryState.SUPERSEDED)
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
