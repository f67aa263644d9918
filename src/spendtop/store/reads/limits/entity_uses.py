"""How much of a limit each of many entities has used, through SQL that is made once: thousands of times a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    SelectBase,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal,
    select,
    union_all,
)

from spendtop.domain.clock import HOUR
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.model_names import family
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.windows import Bounds
from spendtop.store.fixed_select import FixedSelect, any_of, named, size_for
from spendtop.store.reads.limits.uses import Ceiling, Use, summed, use
from spendtop.store.reads.requests.model_families import names_of
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.spend_sql import Portion
from spendtop.store.reads.spending.sums import COLUMNS
from spendtop.store.reads.spending.totals import Totals, totals
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

_ENTITIES_AT_ONCE = 512
_ALWAYS = Span(0, 2**62)


class EntityUses:
    """For one store, and one thread at a time."""

    def __init__(self) -> None:
        self._queries: dict[tuple[object, ...], FixedSelect] = {}

    def uses(
        self,
        connection: Connection,
        limit: Limit,
        entities: Sequence[str],
        bounds: Bounds,
        ceiling: Ceiling | None = None,
    ) -> dict[str, Use]:
        """What `limits.use` says, for each of the entities ("" for everyone)."""
        if limit.each is Each.AGENT or (limit.reserve is not None and ceiling is not None):
            return {entity: use(connection, limit, entity, bounds, ceiling) for entity in entities}
        uses = dict.fromkeys(entities, Use(ZERO, 0))
        for start in range(0, len(entities), _ENTITIES_AT_ONCE):
            some = entities[start : start + _ENTITIES_AT_ONCE]
            for key, nano, unpriced in self._parts(connection, limit, some, Span(bounds.start_us, bounds.end_us)):
                before = uses[key]
                uses[key] = Use(before.used + Usd(int(nano)), before.unpriced + int(unpriced))
        return uses

    def reaching(
        self, connection: Connection, limit: Limit, entities: Sequence[str], bounds: Bounds, nano: int
    ) -> set[str]:
        """Those whose use may be as much or more, in nano-USD, by whole hours alone: cheaper than `uses`."""
        if nano <= 0:
            return set(entities)
        found: set[str] = set()
        parts = totals(connection, limit.dimension, Span(bounds.start_us, bounds.end_us).widened(HOUR))
        tables = [part.table for part in parts]
        values = {"dimension_": limit.dimension, "least_": nano, **_ends([part.span for part in parts])}
        for start in range(0, len(entities), _ENTITIES_AT_ONCE):
            some = entities[start : start + _ENTITIES_AT_ONCE]
            size = size_for(some)
            query = self._query(("reaching", size, *(table.name for table in tables)), partial(_reaching, tables, size))
            found.update(key for (key,) in query.tuples(connection, {**named(some), **values}))
        return found

    def _parts(
        self, connection: Connection, limit: Limit, entities: Sequence[str], span: Span
    ) -> Iterator[tuple[str, int, int]]:
        """Entity, nano-USD and unpriced: of whole days and hours from the totals, of the edges from the requests."""
        hours, edges = span.cut(HOUR)
        summed_hours = [] if hours is None else totals(connection, limit.dimension, hours)
        if limit.each is Each.MODEL_FAMILY:
            for edge in edges:
                yield from self._of_families(connection, limit, entities, edge)
            edges = ()
        yield from self._sums(connection, limit, limit.each, entities, summed_hours, edges)

    def _of_families(
        self, connection: Connection, limit: Limit, families: Sequence[str], edge: Span
    ) -> Iterator[tuple[str, int, int]]:
        models = names_of(connection, families, [edge])
        for start in range(0, len(models), _ENTITIES_AT_ONCE):
            some = models[start : start + _ENTITIES_AT_ONCE]
            for model, nano, unpriced in self._sums(connection, limit, Each.MODEL, some, (), [edge]):
                yield family(model), nano, unpriced

    def _sums(
        self,
        connection: Connection,
        limit: Limit,
        each: Each | None,
        entities: Sequence[str],
        parts: Sequence[Totals],
        edges: Sequence[Span],
    ) -> Sequence[tuple[Any, ...]]:
        """Of parts of the totals, and of the requests within the limit's scope by what `each` names."""
        if not parts and not edges:
            return ()
        size, tables = size_for(entities), tuple(part.table for part in parts)

        def statement() -> CompoundSelect[Any]:
            part = summed(connection, limit)
            return union_all(
                *(_totals(table, size, number) for number, table in enumerate(tables)),
                *(_requests(size, each, part, number) for number in range(len(tables), len(tables) + len(edges))),
            )

        of_requests = (len(edges), each, limit.measure, limit.where_text) if edges else ()
        query = self._query((size, *(table.name for table in tables), *of_requests), statement)
        values = {"dimension_": limit.dimension, **named(entities), **_ends([*(part.span for part in parts), *edges])}
        return query.tuples(connection, values)

    def _query(self, key: tuple[object, ...], statement: Callable[[], SelectBase]) -> FixedSelect:
        query = self._queries.get(key)
        if query is None:
            query = self._queries[key] = FixedSelect(statement())
        return query


def _totals(total: Table, size: int, number: int) -> Select[Any]:
    sums = select(total.c.key, func.sum(total.c.cost_nano), func.sum(total.c.unpriced))
    return sums.where(*_held(total, size, number)).group_by(total.c.key)


def _reaching(tables: Sequence[Table], size: int) -> Select[Any]:
    part = union_all(
        *(
            select(table.c.key.label("key"), table.c.cost_nano.label("nano")).where(*_held(table, size, number))
            for number, table in enumerate(tables)
        )
    ).subquery()
    return select(part.c.key).group_by(part.c.key).having(func.sum(part.c.nano) >= bindparam("least_"))


def _held(total: Table, size: int, number: int) -> tuple[ColumnElement[bool], ...]:
    names = total.c.key.in_(any_of(size))
    return total.c.dimension == bindparam("dimension_"), names, _within(total.c.bucket, number)


def _requests(size: int, each: Each | None, part: Portion, number: int) -> Select[Any]:
    request = table_of(RequestTable)
    unpriced = func.sum(case((part.is_unpriced, 1), else_=0))
    sums = (func.coalesce(func.sum(part.cost), 0), func.coalesce(unpriced, 0))
    selects = (part.condition, _within(request.c.occurred_at, number))
    if each is None:
        return select(literal(""), *sums).where(*selects)
    column = request.c[COLUMNS[each.value]]
    # The indexes hold the lower case, for filters; the key itself is exact.
    who = and_(func.lower(column).in_([func.lower(entity) for entity in any_of(size)]), column.in_(any_of(size)))
    return select(column, *sums).where(*selects, who).group_by(column)


def _within(column: ColumnElement[int], number: int) -> ColumnElement[bool]:
    return and_(column >= bindparam(f"since_{number}"), column < bindparam(f"until_{number}"))


def _ends(spans: Sequence[Span]) -> dict[str, object]:
    """The values of `_within` for spans in this order."""
    ends: dict[str, object] = {}
    for number, (since, until) in enumerate(spans):
        ends[f"since_{number}"] = _ALWAYS.since if since is None else since
        ends[f"until_{number}"] = _ALWAYS.until if until is None else until
    return ends
