"""What counted against a limit in the past: the entities that may have crossed, hour by hour and by request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select, union_all

from spendtop.domain.alerting.backtest import CountedRequest
from spendtop.domain.clock import HOUR
from spendtop.domain.limits.limit import Each, Limit, family_of
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.windows import Bounds
from spendtop.store.reads.limits.uses import Ceiling, summed
from spendtop.store.reads.limits.whose import whose
from spendtop.store.reads.rows import from_row, selected
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.spend_sql import Portion
from spendtop.store.reads.spending.totals import totals
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable


def entities_from(connection: Connection, limit: Limit, window: Bounds, least: Usd) -> list[str]:
    """The entities whose use of a window may be as much, by whole hours alone; "" for everyone."""
    span = Span(window.start_us, window.end_us).widened(HOUR)
    part = union_all(
        *(
            select(part.key, part.table.c.cost_nano).where(part.holds)
            for part in totals(connection, limit.dimension, span)
        )
    ).subquery()
    entities = select(part.c.key).group_by(part.c.key).having(func.sum(part.c.cost_nano) >= least.nano)
    if limit.each is not None:
        entities = entities.where(part.c.key != "")
    return list(connection.execute(entities).scalars())


def spent_by_hour(
    connection: Connection, limit: Limit, entities: Sequence[str], window: Bounds
) -> Iterator[CountedRequest]:
    """What some entities spent in each hour that a span touches: the hour's beginning, whose, and nano-USD."""
    total = table_of(TotalTable)
    hours = Span(window.start_us, window.end_us).widened(HOUR)
    statement = (
        select(total.c.bucket, total.c.key, func.sum(total.c.cost_nano))
        .where(total.c.dimension == limit.dimension, total.c.key.in_(entities), hours.holds(total.c.bucket))
        .group_by(total.c.key, total.c.bucket)
    )
    for at, entity, nano in connection.execute(statement):
        yield at, entity, int(nano)


def counted_requests(
    connection: Connection, limit: Limit, span: Span, ceiling: Ceiling | None = None
) -> Iterator[CountedRequest]:
    """The requests within a span that count against a limit, in the order of time. One of unknown cost counts nothing,
    unless `ceiling` prices it at the limit's reserve."""
    if limit.reserve is not None and ceiling is not None:
        found = _reserved(connection, limit, span, ceiling)
    else:
        found = _plain(connection, limit, span)
    if limit.each is not Each.MODEL_FAMILY:
        return found
    families = ((at, family_of(model), nano) for at, model, nano in found)
    return ((at, name, nano) for at, name, nano in families if name is not None)


def _plain(connection: Connection, limit: Limit, span: Span) -> Iterator[CountedRequest]:
    part = summed(connection, limit)
    facts = (table_of(RequestTable).c.occurred_at, whose(connection, limit), func.coalesce(part.cost, 0))
    found = connection.execute(_counted(connection, limit, part, span, select(*facts)))
    yield from ((at, entity, nano) for at, entity, nano in found)


def _reserved(connection: Connection, limit: Limit, span: Span, ceiling: Ceiling) -> Iterator[CountedRequest]:
    facts = select(*selected(), whose(connection, limit))
    for row in connection.execute(_counted(connection, limit, summed(connection, limit), span, facts)):
        stored = from_row(row)
        amount = limit.measure.amount_of(stored.cost)
        cost = amount or ZERO
        if amount is None or stored.cost.partial:
            cost += ceiling(stored)
        yield stored.occurred_at, row[-1], cost.nano


def _counted(connection: Connection, limit: Limit, part: Portion, span: Span, facts: Select[Any]) -> Select[Any]:
    at = table_of(RequestTable).c.occurred_at
    statement = facts.where(part.condition, span.holds(at))
    if limit.each is not None:
        statement = statement.where(whose(connection, limit).is_not(None))
    return statement.order_by(at)
