"""What an alert says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, select

from spendtop.domain.alerting.episode import Decision, Message, Reading, patience
from spendtop.domain.alerting.speaking import Occasion, speaks_again
from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.limits.raises import Raise, amount_of
from spendtop.domain.money import Usd
from spendtop.domain.percent import exact_percent
from spendtop.domain.windows import Calendar, WindowKind
from spendtop.store.reads.limits.uses import counted_for
from spendtop.store.reads.spending import sums as spending
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

_TOP = 3


def message(
    limit: Limit,
    raised: Sequence[Raise],
    entity_name: str,
    decision: Decision,
    reading: Reading,
    calendar: Calendar,
) -> Message:
    """What is said, without who and what spent most. `limit` holds as it is `raised`."""
    assert decision.announce is not None and decision.episode is not None
    single = limit.window.kind is WindowKind.REQUEST
    return Message(
        kind=decision.announce,
        limit_name=limit.name,
        entity="" if single else entity_name,
        request=int(entity_name) if single else None,
        each=limit.each.value if limit.each else None,
        window=limit.window.text,
        measure=limit.measure,
        window_start=reading.window_start,
        window_end=None if single else reading.window_end,
        zone=calendar.zone,
        used_nano=reading.used.nano,
        limit_nano=limit.amount.nano,
        raised_nano=amount_of(raised).nano,
        raised_until=min((one.until for one in raised), default=None),
        unpriced=reading.unpriced,
        at=decision.episode.crossed_at,
        late_by=decision.late_by,
        next_words=_next_words(limit, decision, reading, calendar),
    )


def _next_words(limit: Limit, decision: Decision, reading: Reading, calendar: Calendar) -> str:
    assert decision.episode is not None
    if limit.window.kind is WindowKind.REQUEST:
        return "Each request above this limit speaks once."
    coming = speaks_again(limit, decision.episode.announced, reading.window_end)
    match coming.occasion:
        case Occasion.THRESHOLD if coming.fraction is not None:
            return f"Speaks again at {exact_percent(coming.fraction)}."
        case Occasion.WINDOW if coming.at is not None:
            return f"Speaks again in the next window, from {calendar.local(coming.at):%Y-%m-%d %H:%M} on."
        case Occasion.FALL if coming.fraction is not None:
            minutes = patience(limit) // MINUTE
            return f"Speaks again once use has stayed under {exact_percent(coming.fraction)} for {minutes} minutes."
    return "Does not speak again."


def contributors(connection: Connection, limit: Limit, entity: str, reading: Reading) -> Iterator[tuple[str, str, int]]:
    """Who and what spent most: from totals for everyone's limits, from the requests of at most a day for others."""
    if limit.window.kind is WindowKind.REQUEST:
        yield from _of_request(connection, int(entity), reading.used)
        return
    since = reading.window_start
    is_short = since is not None and reading.at - since <= DAY
    has_few = limit.each is not None or limit.measure is LimitedValue.API_EQUIVALENT
    if limit.dimension == "all" or (has_few and is_short):
        yield from spent_most(connection, limit, entity, Span(since, reading.window_end))


def spent_most(connection: Connection, limit: Limit, entity: str, window: Span) -> Iterator[tuple[str, str, int]]:
    """(dimension, raw key, nano-USD) of who and what spent most of a limit within a span, each the largest first: of
    everyone's from totals, else from the requests."""
    if limit.dimension == "all":
        for dimension in ("user", "model"):
            for row in spending.by_key(connection, dimension, window.since, window.until, _TOP).rows:
                if row.spend.known_cost is not None:
                    yield dimension, row.key.raw, row.spend.cost.nano
        return
    if limit.each in (None, Each.MODEL, Each.MODEL_FAMILY):
        yield from _of_entity(connection, limit, entity, "user", window)
    if limit.each not in (Each.MODEL, Each.MODEL_FAMILY):
        yield from _of_entity(connection, limit, entity, "model", window)


def _of_request(connection: Connection, request_id: int, used: Usd) -> Iterator[tuple[str, str, int]]:
    table = table_of(RequestTable)
    row = connection.execute(select(table).where(table.c.id == request_id)).one_or_none()
    if row is not None:  # else it is older than what is kept
        yield "user", row.user_id or "", used.nano
        yield "model", row.model or "", used.nano


def _of_entity(
    connection: Connection, limit: Limit, entity: str, dimension: str, window: Span
) -> Iterator[tuple[str, str, int]]:
    table = table_of(RequestTable)
    key = table.c.user_id if dimension == "user" else table.c.model
    part = counted_for(connection, limit, entity, [window])
    cost = func.sum(part.cost)
    query = (
        select(key, cost)
        .where(part.condition, window.holds(table.c.occurred_at))
        .group_by(key)
        .having(cost.is_not(None))
        .order_by(cost.desc())
        .limit(_TOP)
    )
    for name, nano in connection.execute(query):
        yield dimension, name or "", int(nano)
