"""Calls whose client hung up, and of which nobody has told the cost yet."""

from __future__ import annotations

from sqlalchemy import Connection, select

from spendtop.domain.requests.request import Status
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable


def uncharged(connection: Connection, provider: str, span: Span, most: int) -> tuple[str, ...]:
    """Ids that their answers had, the newest first."""
    request = table_of(RequestTable)
    query = (
        select(request.c.response_id)
        .where(
            span.holds(request.c.occurred_at),
            request.c.status == Status.CANCELLED.value,
            request.c.provider == provider,
            request.c.cost_nano.is_(None),
            request.c.response_id.is_not(None),
        )
        .order_by(request.c.occurred_at.desc(), request.c.id.desc())
        .limit(most)
    )
    return tuple(connection.execute(query).scalars())
