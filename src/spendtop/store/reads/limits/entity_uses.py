"""How much of a limit each of many entities has used, through SQL that is made once: thousands of times a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, bindparam, case, func, literal, select

from spendtop.domain.clock import HOUR
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.model_names import family
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.windows import Bounds
from spendtop.store.reads.limits.uses import Ceiling, Use, summed, use
from spendtop.store.reads.requests.model_families import names_of
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.spend_sql import Portion
from spendtop.store.reads.spending.sums import COLUMNS
from spendtop.store.reads.spending.totals import totals
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

_ENTITIES_AT_ONCE = 512
_ALWAYS = Span(0, 2**62)


class _Query:
    """SQL as the driver takes it, with the values that do not change."""

    def __init__(self, statement: Select[Any], connection: Connection) -> None:
        compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
        self._sql = str(compiled)
        self._names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        self._constants = compiled.params

    def run(self, connection: Connection, values: Mapping[str, object]) -> Sequence[Any]:
        """The rows for `values` by name."""
        all_values = {**self._constants, **values}
        return connection.exec_driver_sql(self._sql, tuple(all_values[name] for name in self._names)).all()


class EntityUses:
    """For one store, and one thread at a time."""

    def __init__(self) -> None:
        self._queries: dict[tuple[object, ...], _Query] = {}

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

    def _parts(
        self, connection: Connection, limit: Limit, entities: Sequence[str], span: Span
    ) -> Iterator[tuple[str, int, int]]:
        """Entity, nano-USD and unpriced: of whole days and hours from the totals, of the edges from the requests."""
        hours, edges = span.cut(HOUR)
        if hours is not None:
            size, names = _padded(entities)
            for part in totals(connection, limit.dimension, hours):
                query = self._query(connection, (size, part.table.name), partial(_totals, part.table, size))
                yield from query.run(connection, {**names, **_ends(part.span), "dimension_": limit.dimension})
        for edge in edges:
            if limit.each is Each.MODEL_FAMILY:
                yield from self._of_families(connection, limit, entities, edge)
            else:
                yield from self._at_edge(connection, limit, limit.each, entities, edge)

    def _of_families(
        self, connection: Connection, limit: Limit, families: Sequence[str], edge: Span
    ) -> Iterator[tuple[str, int, int]]:
        models = names_of(connection, families, [edge])
        for start in range(0, len(models), _ENTITIES_AT_ONCE):
            some = models[start : start + _ENTITIES_AT_ONCE]
            for model, nano, unpriced in self._at_edge(connection, limit, Each.MODEL, some, edge):
                yield family(model), nano, unpriced

    def _at_edge(
        self, connection: Connection, limit: Limit, each: Each | None, entities: Sequence[str], edge: Span
    ) -> Sequence[Any]:
        """Of the requests within the limit's scope, by what `each` names."""
        size, names = _padded(entities)
        key = (size, each, limit.measure, limit.where_text)
        query = self._query(connection, key, lambda: _requests(size, each, summed(connection, limit)))
        return query.run(connection, {**names, **_ends(edge)})

    def _query(self, connection: Connection, key: tuple[object, ...], statement: Callable[[], Select[Any]]) -> _Query:
        query = self._queries.get(key)
        if query is None:
            query = self._queries[key] = _Query(statement(), connection)
        return query


def _padded(entities: Sequence[str]) -> tuple[int, dict[str, str]]:
    """As many as a power of two, the last one again and again, so that there are few different queries."""
    size = 1 << (len(entities) - 1).bit_length()
    return size, {f"entity_{number}": entities[min(number, len(entities) - 1)] for number in range(size)}


def _totals(total: Table, size: int) -> Select[Any]:
    return (
        select(total.c.key, func.sum(total.c.cost_nano), func.sum(total.c.unpriced))
        .where(total.c.dimension == bindparam("dimension_"), total.c.key.in_(_entities(size)), _within(total.c.bucket))
        .group_by(total.c.key)
    )


def _requests(size: int, each: Each | None, part: Portion) -> Select[Any]:
    request = table_of(RequestTable)
    unpriced = func.sum(case((part.is_unpriced, 1), else_=0))
    sums = (func.coalesce(func.sum(part.cost), 0), func.coalesce(unpriced, 0))
    selects = (part.condition, _within(request.c.occurred_at))
    if each is None:
        return select(literal(""), *sums).where(*selects)
    column = request.c[COLUMNS[each.value]]
    # The indexes hold the lower case, for filters; the key itself is exact.
    who = and_(func.lower(column).in_([func.lower(entity) for entity in _entities(size)]), column.in_(_entities(size)))
    return select(column, *sums).where(*selects, who).group_by(column)


def _entities(size: int) -> list[ColumnElement[str]]:
    return [bindparam(f"entity_{number}", type_=table_of(TotalTable).c.key.type) for number in range(size)]


def _within(column: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(column >= bindparam("since_"), column < bindparam("until_"))


def _ends(span: Span) -> dict[str, int | None]:
    since, until = span
    return {
        "since_": _ALWAYS.since if since is None else since,
        "until_": _ALWAYS.until if until is None else until,
    }
