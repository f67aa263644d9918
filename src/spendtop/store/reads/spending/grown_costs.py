"""What was ever spent by model, provider and source, as counters that never fall.

Corrections lower costs, and move them from one model or source to another. What a recording lowers by is counted in a
dimension of its own, in the same transaction; the sum of the totals and of that only grows, over restarts and
retention. What is spent is the one counter less the other.
"""

from __future__ import annotations

from collections import defaultdict
from functools import reduce
from operator import add
from typing import NamedTuple

from sqlalchemy import Connection, select

from spendtop.domain.money import Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.totals import totals

LOWERED = {dimension: f"lowered {dimension}" for dimension in ("model", "provider", "source")}
"""The dimension of totals that counts by how much the costs of a key of another one fell."""


class GrownCost(NamedTuple):
    """Of one key: what its known costs rose by, and what they fell by since."""

    key: Untrusted
    raised: Usd
    lowered: Usd


def grown_costs(connection: Connection, dimension: str, most: int) -> tuple[GrownCost, ...]:
    """The `most` largest keys of which a cost was ever known; empty is the key of requests that name none."""
    spent, lowered = _sums(connection, dimension), _sums(connection, LOWERED[dimension])
    grown = [
        GrownCost(Untrusted(key), spend.cost + lowered[key].cost, lowered[key].cost)
        for key, spend in spent.items()
        if spend.requests > spend.unpriced or spend.cost.nano or lowered[key].cost.nano
    ]
    return tuple(sorted(grown, key=lambda each: (-each.raised.nano, each.key.raw))[:most])


def _sums(connection: Connection, dimension: str) -> defaultdict[str, Spend]:
    sums: defaultdict[str, list[Spend]] = defaultdict(list)
    for part in totals(connection, dimension, Span(None, None)):
        query = select(*spend_sql.of_totals(part.table), part.key.label("key_")).where(part.holds).group_by(part.key)
        for row in connection.execute(query):
            sums[row.key_].append(spend_sql.to_spend(row))
    return defaultdict(Spend.nothing, {key: reduce(add, parts) for key, parts in sums.items()})
