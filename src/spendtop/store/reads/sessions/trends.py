"""How the cost of sessions is spread over their lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import BigInteger, Connection, func, literal, or_, select, union_all

from spendtop.domain.filters.filters import FilterContext
from spendtop.store.reads.requests.lists import RequestQuery, conditions
from spendtop.store.reads.sessions.sessions import SessionRow
from spendtop.store.reads.spending import spend_sql
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

STEPS = 16
"""Parts of a life."""


def session_trends(
    connection: Connection, rows: Sequence[SessionRow], query: RequestQuery, context: FilterContext
) -> Mapping[str, tuple[int, ...]]:
    """Known nano-USD in each of the `STEPS` parts of a session's time, from its first to its last request, calls under
    a plan at what they would have cost; of the requests that `query` selects. By the session's id."""
    if not rows:
        return {}
    request = table_of(RequestTable)
    lives = union_all(
        *(
            select(
                literal(row.session.raw).label("session"),
                literal(row.first_at, BigInteger()).label("first_at"),
                literal(row.last_at + 1 - row.first_at, BigInteger()).label("length"),
            )
            for row in rows
        )
    ).cte("lives")
    step = ((request.c.occurred_at - lives.c.first_at) * STEPS // lives.c.length).label("step")
    is_of_it = func.lower(request.c.session_id) == func.lower(lives.c.session), request.c.session_id == lives.c.session
    is_within = request.c.occurred_at >= lives.c.first_at, request.c.occurred_at < lives.c.first_at + lives.c.length
    has_cost = or_(spend_sql.spent().condition, spend_sql.under_plan().condition)
    statement = (
        select(*spend_sql.of_all(), lives.c.session, step)
        .join_from(lives, request, is_of_it[0] & is_of_it[1])
        .where(*is_within, has_cost, *conditions(query, context, connection))
        .group_by(lives.c.session, "step")
    )
    trends = {row.session.raw: [0] * STEPS for row in rows}
    for found in connection.execute(statement):
        trends[found.session][int(found.step)] = spend_sql.to_spend(found).cost.nano
    return {name: tuple(trend) for name, trend in trends.items()}
