"""What coding agents used under a plan, by key and step by step: the cost is what it would have cost, and no spend.

Totals know it by source alone, so the rest is read from the requests.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, select

from spendtop.domain.clock import HOUR
from spendtop.domain.model_names import family
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import COLUMNS, FAMILY, PLAN, KeySpend, plan_spend
from spendtop.store.reads.spending.totals import Totals
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

_REQUEST = table_of(RequestTable)


def plan_by_key(connection: Connection, dimension: str, span: Span) -> tuple[KeySpend, ...]:
    """By the keys of a dimension, or by family; the largest first."""
    part, column = spend_sql.under_plan(), _key(dimension)
    statement = select(*part.columns, column.label("key_")).where(part.condition, span.holds(_REQUEST.c.occurred_at))
    spent: defaultdict[str, Spend] = defaultdict(Spend.nothing)
    for row in connection.execute(statement.group_by("key_")):
        spent[family(row.key_) if dimension == FAMILY else row.key_] += spend_sql.to_spend(row)
    rows = (KeySpend(Untrusted(key), spend) for key, spend in spent.items())
    return tuple(sorted(rows, key=lambda row: (-row.spend.cost.nano, -row.spend.requests, row.key.raw)))


def plan_last_calls(connection: Connection, dimension: str, span: Span) -> dict[str, int]:
    """When each key of a dimension had its last call in a span (UTC µs)."""
    condition = spend_sql.under_plan().condition
    latest = select(_key(dimension).label("key_"), func.max(_REQUEST.c.occurred_at))
    calls = latest.where(condition, span.holds(_REQUEST.c.occurred_at)).group_by("key_")
    return {key: int(at) for key, at in connection.execute(calls)}


def _key(dimension: str) -> ColumnElement[str]:
    """Of a family the model."""
    return func.coalesce(_REQUEST.c["model" if dimension == FAMILY else COLUMNS[dimension]], "")


def plan_per_step(connection: Connection, steps: Sequence[Span], step: int | None) -> dict[int, Spend]:
    """By the begin of each of these steps (UTC µs), without the empty ones; they are `step` µs long, or of any length
    where that is None."""
    if not steps:
        return {}
    span = Span(steps[0].since, steps[-1].until)
    if step is None:
        spends = {each.since or 0: plan_spend(connection, *each) for each in steps}
        return {since: spend for since, spend in spends.items() if spend.requests}
    assert span.since is not None
    at, begins = _REQUEST.c.occurred_at, span.since
    if step % HOUR == 0 and begins % HOUR == 0:
        found: defaultdict[int, Spend] = defaultdict(Spend.nothing)
        hours = Totals(table_of(TotalTable), PLAN, span.widened(HOUR))
        sums = select(*spend_sql.of_totals(hours.table), hours.bucket.label("at")).where(hours.holds).group_by("at")
        for row in connection.execute(sums):
            found[int(row.at) - (int(row.at) - begins) % step] += spend_sql.to_spend(row)
        return found
    begin = (at - (at - begins) % step).label("begin")
    part = spend_sql.under_plan()
    statement = select(*part.columns, begin).where(part.condition, span.holds(at)).group_by("begin")
    return {int(row.begin): spend_sql.to_spend(row) for row in connection.execute(statement)}


def plan_calls(connection: Connection) -> int:
    """How many were ever recorded."""
    return plan_spend(connection, None, None).requests
