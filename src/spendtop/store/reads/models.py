"""Which models were used, by whom they were provided, and when last."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.untrusted import Untrusted
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery, conditions, refuse_unsearchable
from spendtop.store.reads.rows import Spend, outside
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span, in_slices
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

_Key = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One model of one provider; None where requests name none."""

    model: Untrusted | None
    provider: Untrusted | None
    spend: Spend
    """Without requests of shadow tokens, which are not counted."""
    last_seen: int
    """UTC µs, of all requests."""


def models(store: Store, query: RequestQuery, context: FilterContext) -> list[ModelUse]:
    """The models of the requests that `query` selects, the costliest first.

    Reads every request of the span, in slices that are short transactions of their own.
    Raises UsageError for what the database cannot search.
    """
    request = table_of(RequestTable)
    key = request.c.model, request.c.provider, request.c.counted

    def read(connection: Connection, part: Span) -> list[tuple[_Key, Spend, int]]:
        statement = (
            select(*spend_sql.of_requests(), *key, func.max(request.c.occurred_at).label("last_seen"))
            .where(part.holds(request.c.occurred_at), *conditions(query, context, connection))
            .group_by(*key)
        )
        return [
            ((row.model, row.provider), spend_sql.to_spend(row) if row.counted else Spend.nothing(), int(row.last_seen))
            for row in connection.execute(statement)
        ]

    with store.reading() as connection:
        refuse_unsearchable(connection, query)
    sums: dict[_Key, tuple[Spend, int]] = {}
    for part in in_slices(store, Span(query.since, query.until), read):
        for names, spend, last_seen in part:
            spent, seen = sums.get(names, (Spend.nothing(), 0))
            sums[names] = spent + spend, max(seen, last_seen)
    uses = [ModelUse(outside(model), outside(by), spend, seen) for (model, by), (spend, seen) in sums.items()]
    return sorted(
        uses, key=lambda use: (-use.spend.cost.nano, -use.spend.requests, use.model or "", use.provider or "")
    )
