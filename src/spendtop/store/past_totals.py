"""What totals held at an instant and do not hold by now: the hour under way, and what limits of then counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal, not_, select

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.limits.limit import OWN_DIMENSION, Each, Limit
from spendtop.domain.model_names import family
from spendtop.domain.windows import WindowKind, widest
from spendtop.store.reads.configuration.applied import Applied
from spendtop.store.reads.limits.uses import summed
from spendtop.store.reads.limits.whose import whose
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import ALL, COLUMNS, MINUTES, ONLY_WHERE_SET, PLAN, SHADOW
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

Key = tuple[str, str, int]
"""Dimension, key and bucket of a row of `total`."""


def sums_then(connection: Connection, then: Applied | None, kept: Collection[str], at: int) -> dict[Key, Spend]:
    """What had happened by `at` (UTC µs) in the hour under way. Of limits that were in force `then`, and whose
    dimension is none of those that totals have (`kept`), what had happened in all of their window."""
    request = table_of(RequestTable)
    counted, uncounted, is_plan = request.c.counted.is_(True), request.c.counted.is_(False), spend_sql.is_plan()
    so_far, sums = Span(at // HOUR * HOUR, at + 1), dict[Key, Spend]()

    def add(dimension: str, column: ColumnElement[Any], *which: ColumnElement[bool]) -> None:
        for (key, bucket), spend in _spends(connection, so_far, column, and_(*which)).items():
            sums[dimension, key, bucket] = spend

    add(ALL, literal(""), counted)
    minute = Span(at // MINUTE * MINUTE, at + 1)
    for spend in _spends(connection, minute, literal(""), counted).values():
        sums[MINUTES, "", at // MINUTE * MINUTE] = spend
    add(SHADOW, request.c.token, uncounted, not_(is_plan))
    under_plan = _spends(connection, so_far, request.c.source, and_(uncounted, is_plan), spend_sql.of_plan())
    sums |= {(PLAN, source, hour): spend for (source, hour), spend in under_plan.items()}
    for dimension, name in COLUMNS.items():
        column = request.c[name]
        add(dimension, column, counted, *([column.is_not(None)] if dimension in ONLY_WHERE_SET else []))
    for limit in then.limits if then else ():
        if then and limit.dimension.startswith(OWN_DIMENSION) and limit.window.kind is not WindowKind.REQUEST:
            since = so_far.since if limit.dimension in kept else widest(limit.window, at, then.calendar).start_us
            span = Span(None if since is None else since // HOUR * HOUR, at + 1)
            sums |= {(limit.dimension, *named): spend for named, spend in _of_limit(connection, limit, span).items()}
    return sums


def _of_limit(connection: Connection, limit: Limit, span: Span) -> dict[tuple[str, int], Spend]:
    """What counts for a limit that keeps totals of its own, by entity and hour. What a `reserve` adds is not in it."""
    part = summed(connection, limit)
    found = _spends(connection, span, whose(connection, limit), part.condition, part.columns)
    if limit.each is not Each.MODEL_FAMILY:
        return found
    families: defaultdict[tuple[str, int], Spend] = defaultdict(Spend.nothing)
    for (model, hour), spend in found.items():
        families[family(model), hour] += spend
    return families


def _spends(
    connection: Connection,
    span: Span,
    column: ColumnElement[Any],
    selects: ColumnElement[bool],
    columns: Sequence[ColumnElement[Any]] | None = None,
) -> dict[tuple[str, int], Spend]:
    """Spend by the values of a column, empty where it has none, and by hour."""
    at = table_of(RequestTable).c.occurred_at
    named = (func.coalesce(column, "").label("key_"), (at - at % HOUR).label("hour_"))
    statement = select(*(columns or spend_sql.of_requests()), *named).where(span.holds(at), selects)
    rows = connection.execute(statement.group_by("key_", "hour_"))
    return {(str(row.key_), int(row.hour_)): spend_sql.to_spend(row) for row in rows}
