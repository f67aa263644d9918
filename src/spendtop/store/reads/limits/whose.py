"""Whose a request is by what a limit is `each` of, and the window of that entity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal, null, select

from spendtop.domain.agents.blocks import FARTHEST_LOOK, block_with
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.sources.records import AGENTS
from spendtop.domain.windows import Bounds, Calendar, WindowKind, bounds
from spendtop.store.reads.property_sql import property_value
from spendtop.store.reads.spending.sums import COLUMNS
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable


def whose(connection: Connection, limit: Limit) -> ColumnElement[Any]:
    """The entity that a request counts for, NULL where it counts for none; of a family's limit its model."""
    request = table_of(RequestTable)
    match limit.each:
        case None:
            return literal("")
        case Each.AGENT:
            telemetry = property_value(request.c.properties, "agent", connection)
            is_file = request.c.source.in_([agent.name for agent in AGENTS])
            agent = case((is_file, request.c.source), else_=telemetry)
            name = agent.concat(" ").concat(func.coalesce(request.c.user_id, ""))
            return case((request.c.billing.is_(None), null()), else_=name)
    return request.c[COLUMNS.get(limit.each.value, "model")]


def windows_of(
    connection: Connection, limit: Limit, entities: Sequence[str], at: int, calendar: Calendar
) -> Mapping[str, Bounds]:
    """The window of each entity that an instant (UTC µs) lies in, by the calls that count; none of those whose last
    block is over."""
    if limit.window.kind is not WindowKind.BLOCK:
        return dict.fromkeys(entities, bounds(limit.window, at, calendar))
    found = {entity: block_with(_hours(connection, limit, entity, at), at) for entity in entities}
    return {entity: block for entity, block in found.items() if block is not None}


def _hours(connection: Connection, limit: Limit, entity: str, at: int) -> Sequence[int]:
    """The hours with calls."""
    total = table_of(TotalTable)
    statement = (
        select(total.c.bucket)
        .where(total.c.dimension == limit.dimension, total.c.key == entity)
        .where(total.c.bucket > at - FARTHEST_LOOK, total.c.bucket <= at)
        .group_by(total.c.bucket)
        .having(func.sum(total.c.requests) > 0)
        .order_by(total.c.bucket)
    )
    return connection.execute(statement).scalars().all()
