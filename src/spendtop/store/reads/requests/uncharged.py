"""Calls whose client hung up, and of which nobody has told the cost yet."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from spendtop.domain.requests.request import Status
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable


class Uncharged(NamedTuple):
    id: str
    """That its answer had."""
    at: int
    """When it happened, UTC µs."""


def uncharged(connection: Connection, provider: str, span: Span, most: int) -> tuple[Uncharged, ...]:
    """The oldest of a span first."""
    request = table_of(RequestTable)
    query = (
        select(request.c.response_id, request.c.occurred_at)
        .where(
            span.holds(request.c.occurred_at),
            request.c.status == Status.CANCELLED.value,
            request.c.provider == provider,
            request.c.cost_nano.is_(None),
            request.c.response_id.is_not(None),
        )
        .order_by(request.c.occurred_at, request.c.id)
        .limit(most)
    )
    return tuple(Uncharged(id, int(at)) for id, at in connection.execute(query))
