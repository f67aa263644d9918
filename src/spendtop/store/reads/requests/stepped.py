"""What a filter selects, step by step of time, and who spent most of it."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from spendtop.domain.filters.filters import EVERYTHING, FilterContext
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads.requests.lists import RequestQuery, conditions, counted_spend
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import KeySpend, by_key
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable


def stepped_spend(
    connection: Connection, query: RequestQuery, context: FilterContext, step: int | None
) -> dict[int, Spend]:
    """Exact spend of the counted requests that `query` selects, by the begin (UTC µs) of steps of `step` µs from its
    `since` on, without the empty ones; of all together where `step` is None.

    Raises UsageError when the database cannot search for what the filter asks.
    """
    assert query.since is not None
    if step is None:
        return {query.since: counted_spend(connection, query, context)}
    request = table_of(RequestTable)
    at = request.c.occurred_at
    begin = (at - (at - query.since) % step).label("begin")
    statement = (
        select(*spend_sql.of_requests(), begin)
        .where(request.c.counted.is_(True), *conditions(query, context, connection))
        .group_by("begin")
    )
    return {int(row.begin): spend_sql.to_spend(row) for row in connection.execute(statement)}


def largest_user(connection: Connection, query: RequestQuery, context: FilterContext) -> KeySpend | None:
    """Who spent most of what `query` selects; None where nothing was."""
    if query.filter is None or query.filter == EVERYTHING:
        rows = by_key(connection, "user", query.since, query.until, 1).rows
        return rows[0] if rows else None
    request = table_of(RequestTable)
    user = func.coalesce(request.c.user_id, "")
    statement = (
        select(*spend_sql.of_requests(), user.label("user"))
        .where(request.c.counted.is_(True), *conditions(query, context, connection))
        .group_by("user")
        .order_by(func.sum(request.c.cost_nano).desc(), func.count().desc(), "user")
        .limit(1)
    )
    row = connection.execute(statement).first()
    return None if row is None else KeySpend(Untrusted(row.user), spend_sql.to_spend(row))


def parts_of(span: Span, step: int, size: int) -> list[Span]:
    """A bounded span that begins with a step of `step` µs, cut into parts of `size` µs, a multiple of that. Spans that
    begin with other steps of the same are cut in the same places."""
    assert span.since is not None and span.until is not None
    offset = span.since % step
    first = (span.since - offset) // size * size + offset
    starts = range(first, span.until, size)
    return [Span(max(start, span.since), min(start + size, span.until)) for start in starts]
