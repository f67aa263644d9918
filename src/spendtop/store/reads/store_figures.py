"""Figures about the store as a whole, for programs that watch it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import ALL, PLAN
from spendtop.store.reads.spending.totals import totals
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TokenTable


@dataclass(frozen=True, slots=True)
class Measures:
    """How much is kept, and when the latest request happened (UTC µs)."""

    requests: int
    """Those that count, those of shadow tokens, and calls under a plan."""
    active_tokens: int
    last_request_at: int | None


def measures(connection: Connection) -> Measures:
    """The figures, from totals and indexes: their price does not grow with the number of requests."""
    token, request = table_of(TokenTable), table_of(RequestTable)
    kept = (
        select(func.coalesce(func.sum(part.table.c.requests), 0)).where(part.holds)
        for dimension in (ALL, "shadow", PLAN)
        for part in totals(connection, dimension, Span(None, None))
    )
    active = select(func.count()).select_from(token).where(token.c.active.is_(True))
    latest = select(func.max(request.c.occurred_at))
    return Measures(
        sum(int(connection.execute(part).scalar_one()) for part in kept),
        int(connection.execute(active).scalar_one()),
        connection.execute(latest).scalar(),
    )
