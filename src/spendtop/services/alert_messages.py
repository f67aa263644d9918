"""What an alert says, to whom, and in how many messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from spendtop.domain.alerting import Decision, Message, MessageKind, Reading, headline, hysteresis, patience, thresholds
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.percent import exact_percent
from spendtop.domain.untrusted import MESSAGE_LIMIT, clean_line
from spendtop.domain.windows import Calendar, WindowKind
from spendtop.services import outbox_rules
from spendtop.store.reads import spending
from spendtop.store.reads.bucket_spans import Span
from spendtop.store.reads.limits import counts_for
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

_TOP = 3
_DIGEST_FROM = 4
"""From this many messages at once for one channel on, they are sent as one."""
_MOST_PER_HOUR = 30
"""Messages that one channel gets singly within an hour."""
_DIGEST_EVERY = 15 * MINUTE
_MOST_LINES = 500
"""Lines that a digest keeps; how many of them are sent is the renderer's."""
_SEVERITIES = ("info", "warning", "critical")


class Announcement(Struct, frozen=True):
    """A transition that speaks."""

    notify: tuple[str, ...] | None
    """Names of the channels that are told; None is all."""
    alert_id: int
    sequence: int
    message: Message


class Channel(Struct, frozen=True):
    """Who is told, and from which severity on."""

    name: str
    min_severity: str = "info"

    def hears(self, announcement: Announcement) -> bool:
        """Whether it is meant and severe enough; who heard of an excess also hears that it is over."""
        if announcement.notify is not None and self.name not in announcement.notify:
            return False
        kind = announcement.message.kind
        severity = "critical" if kind is MessageKind.RESOLVED else kind.severity
        return _SEVERITIES.index(severity) >= _SEVERITIES.index(self.min_severity)


def message(
    connection: Connection, limit: Limit, entity: str, decision: Decision, reading: Reading, calendar: Calendar
) -> Message:
    assert decision.announce is not None and decision.episode is not None
    single = limit.window.kind is WindowKind.REQUEST
    return Message(
        kind=decision.announce,
        limit_name=limit.name,
        entity="" if single else entity,
        each=limit.each.value if limit.each else None,
        window=limit.window.text,
        window_start=reading.window_start,
        window_end=None if single else reading.window_end,
        zone=calendar.zone,
        used_nano=reading.used.nano,
        limit_nano=limit.amount.nano,
        unpriced=reading.unpriced,
        contributors=tuple(_contributors(connection, limit, entity, reading)),
        at=decision.episode.crossed_at,
        late_by=decision.late_by,
        next_words=_next_words(limit, decision, reading, calendar),
    )


def queue(connection: Connection, announcements: Sequence[Announcement], channels: Sequence[Channel], now: int) -> None:
    """Put messages into the outbox: one per crossing and channel, one digest where many crossed at once, and from
    _MOST_PER_HOUR messages on a digest every quarter of an hour."""
    for channel in channels:
        heard = [each for each in announcements if channel.hears(each)]
        if not heard:
            continue
        if outbox_rules.queued_since(connection, channel.name, now - HOUR) + len(heard) > _MOST_PER_HOUR:
            _queue_digest(connection, heard, channel, now, wait=_DIGEST_EVERY)
        elif len(heard) >= _DIGEST_FROM:
            _queue_digest(connection, heard, channel, now, wait=0)
        else:
            for each in heard:
                outbox_rules.enqueue(
                    connection,
                    alert_id=each.alert_id,
                    seq=each.sequence,
                    message=each.message,
                    severity=each.message.kind.severity,
                    channels=[channel.name],
                    now=now,
                )


def _queue_digest(
    connection: Connection, announcements: Sequence[Announcement], channel: Channel, now: int, *, wait: int
) -> None:
    """One message for all. It belongs to no single alert, so that no later message of one takes the others' place.

    One that waits `wait` µs takes in what comes meanwhile.
    """
    ordered = sorted((each.message for each in announcements), key=_weight, reverse=True)
    worst, lines = ordered[0], tuple(_line(message) for message in ordered)
    waiting = outbox_rules.waiting_digest(connection, channel.name, now) if wait else None
    if waiting is not None:
        outbox_rules.rewrite(
            connection, waiting.id, replace(waiting.message, lines=(*waiting.message.lines, *lines)[:_MOST_LINES])
        )
        return
    capped = f"More than {_MOST_PER_HOUR} messages in an hour; the rest comes together every 15 minutes."
    digest = Message(
        kind=MessageKind.DIGEST,
        limit_name=worst.limit_name,
        used_nano=worst.used_nano,
        limit_nano=worst.limit_nano,
        at=worst.at,
        zone=worst.zone,
        lines=lines[:_MOST_LINES],
        next_words=capped if wait else "",
    )
    outbox_rules.enqueue(
        connection,
        alert_id=None,
        seq=now,
        message=digest,
        severity=worst.kind.severity,
        channels=[channel.name],
        now=now,
        due_at=now + wait,
    )


def _weight(message: Message) -> tuple[int, int]:
    return _SEVERITIES.index(message.kind.severity), message.used_nano


def _line(message: Message) -> str:
    name, entity = (clean_line(text, MESSAGE_LIMIT) for text in (message.limit_name, message.entity))
    if (about := headline(message, name)) is not None:
        return about
    who = f" ({entity})" if message.each else ""
    return f"{message.kind.value} {name}{who}: {message.used_words} of {Usd(message.limit_nano)}"


def _next_words(limit: Limit, decision: Decision, reading: Reading, calendar: Calendar) -> str:
    assert decision.episode is not None
    if limit.window.kind is WindowKind.REQUEST:
        return "Each request above this limit speaks once."
    higher = [t for t in thresholds(limit) if t > decision.episode.announced]
    if higher:
        return f"Speaks again at {exact_percent(higher[0])}."
    if reading.window_end is not None:
        return f"Speaks again in the next window, from {calendar.local(reading.window_end):%Y-%m-%d %H:%M} on."
    if limit.window.kind is WindowKind.ROLLING:
        minutes = patience(limit) // MINUTE
        return f"Speaks again once use has stayed under {exact_percent(hysteresis(limit))} for {minutes} minutes."
    return "Does not speak again."


def _contributors(
    connection: Connection, limit: Limit, entity: str, reading: Reading
) -> Iterator[tuple[str, str, int]]:
    """Who and what spent most: from totals for everyone's limits, from the requests of at most a day for others."""
    if limit.window.kind is WindowKind.REQUEST:
        yield from _of_request(connection, int(entity), reading.used)
        return
    since = reading.window_start
    if limit.dimension == "all":
        for dimension in ("user", "model"):
            for row in spending.by_key(connection, dimension, since, reading.window_end, _TOP).rows:
                if row.spend.known_cost is not None:
                    yield dimension, row.key.raw, row.spend.cost.nano
    elif limit.each is not None and since is not None and reading.at - since <= DAY:
        dimension = "user" if limit.each in (Each.MODEL, Each.MODEL_FAMILY) else "model"
        yield from _of_entity(connection, limit, entity, dimension, reading)


def _of_request(connection: Connection, request_id: int, used: Usd) -> Iterator[tuple[str, str, int]]:
    table = table_of(RequestTable)
    row = connection.execute(select(table).where(table.c.id == request_id)).one()
    yield "user", row.user_id or "", used.nano
    yield "model", row.model or "", used.nano


def _of_entity(
    connection: Connection, limit: Limit, entity: str, dimension: str, reading: Reading
) -> Iterator[tuple[str, str, int]]:
    table = table_of(RequestTable)
    window = Span(reading.window_start, reading.window_end)
    key = table.c.user_id if dimension == "user" else table.c.model
    cost = func.sum(table.c.cost_nano)
    query = (
        select(key, cost)
        .where(counts_for(connection, limit, entity, [window]), table.c.counted, window.holds(table.c.occurred_at))
        .group_by(key)
        .having(cost.is_not(None))
        .order_by(cost.desc())
        .limit(_TOP)
    )
    for name, nano in connection.execute(query):
        yield dimension, name or "", int(nano)
