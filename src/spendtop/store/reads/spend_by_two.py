"""What was spent by two dimensions at once. No totals are kept for pairs, so the requests themselves are read."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from spendtop.store.reads import spend_sql
from spendtop.store.reads.bucket_spans import Span
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import ALL, COLUMNS
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

Pair = tuple[str, str]
"""Raw keys; empty where requests name none."""


def by_pair(connection: Connection, dimensions: Pair, span: Span) -> dict[Pair, Spend]:
    """Exact spend in `span` for each pair of keys. Ask for some hours at a time: this reads every request of them."""
    request = table_of(RequestTable)
    keys = [func.coalesce(request.c[COLUMNS[dimension]], "") for dimension in dimensions]
    statement = (
        select(*spend_sql.of_requests(), keys[0].label("first_key"), keys[1].label("second_key"))
        .where(request.c.counted.is_(True), span.holds(request.c.occurred_at))
        .group_by("first_key", "second_key")
    )
    return {(row.first_key, row.second_key): spend_sql.to_spend(row) for row in connection.execute(statement)}


def oldest_hour(connection: Connection) -> int | None:
    """The hour of the oldest counted request (UTC µs), or None in an empty store."""
    total = table_of(TotalTable)
    oldest = connection.execute(select(func.min(total.c.bucket)).where(total.c.dimension == ALL)).scalar()
    return None if oldest is None else int(oldest)
