"""What counted against a limit in the past: the entities that may have crossed, and request by request."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, func, select, union_all

from spendtop.domain.backtest import CountedRequest
from spendtop.domain.clock import HOUR
from spendtop.domain.limits import Each, Limit, family_of
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.windows import Bounds
from spendtop.store.reads.bucket_spans import Span
from spendtop.store.reads.limits import Ceiling, within_scope
from spendtop.store.reads.rows import from_row, selected
from spendtop.store.reads.spending import COLUMNS
from spendtop.store.reads.totals import totals
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable


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


def counted_requests(
    connection: Connection, limit: Limit, span: Span, ceiling: Ceiling | None = None
) -> Iterator[CountedRequest]:
    """The requests within a span that count against a limit, in the order of time. One of unknown cost counts nothing,
    unless `ceiling` prices it at the limit's reserve."""
    request = table_of(RequestTable)
    reserves = limit.reserve is not None and ceiling is not None
    entity = _entity(limit)
    facts = (request.c.occurred_at, request.c.cost_nano, *([] if entity is None else [entity]))
    counts = [request.c.counted.is_(True), span.holds(request.c.occurred_at), within_scope(connection, limit)]
    if entity is not None:
        counts.append(entity.is_not(None))
    statement = select(*(selected() if reserves else ()), *facts).where(*counts)
    for row in connection.execute(statement.order_by(request.c.occurred_at, request.c.id)):
        at, nano, *named = row[-len(facts) :]
        cost = ZERO if nano is None else Usd(nano)
        if reserves:
            assert ceiling is not None
            stored = from_row(row)
            if stored.cost.amount is None or stored.cost.partial:
                cost += ceiling(stored)
        whose = named[0] if named else ""
        if limit.each is Each.MODEL_FAMILY:
            whose = family_of(whose)
        if whose is not None:
            yield CountedRequest(at, whose, cost)


def _entity(limit: Limit) -> ColumnElement[str] | None:
    if limit.each is None:
        return None
    column: ColumnElement[str] = table_of(RequestTable).c[COLUMNS.get(limit.each.value, "model")]
    return column
