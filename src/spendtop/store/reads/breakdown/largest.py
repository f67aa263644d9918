"""The first rows of a breakdown that totals know, and the sums of all others, found by the database: of a hundred
thousand sessions only those that are shown become objects of ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Select,
    Subquery,
    case,
    collate,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from spendtop.domain.breakdown.dimensions import DIMENSIONS, Dimension
from spendtop.domain.breakdown.measures import Measure
from spendtop.domain.clock import HOUR
from spendtop.domain.windows import Calendar
from spendtop.store.reads.breakdown.dimension_sql import CellGrouping, of_totals
from spendtop.store.reads.breakdown.grid import GridOrder, GridSize, Rest
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.kept_sums import Key, Values
from spendtop.store.reads.spending.sums import ALL
from spendtop.store.reads.spending.totals import totals

NAMED_BY_KEY = ("user", "model", "provider", "session", "source")
"""Dimensions whose keys are what people read, by which equal rows are ordered."""
_NOTHING: Values = (0, 0, 0)
_NOW, _BEFORE = ("now_of", "now_amount", "now_missing"), ("before_of", "before_amount", "before_missing")


class LargestRows(Struct, frozen=True):
    """What a grid takes, and what is left."""

    cells: dict[Key, Values]
    before: dict[Key, Values]
    rest: Rest


def largest(
    connection: Connection, of: Dimension, measure: Measure, span: Span, earlier: Span | None, size: GridSize
) -> LargestRows:
    """Of a dimension of `NAMED_BY_KEY`, ordered by figures. What names no key is always among the rows."""
    sides = [_side(part, _NOW) for part in _sums(connection, of, measure, span)]
    if earlier is not None:
        sides += [_side(part, _BEFORE) for part in _sums(connection, of, measure, earlier)]
    each = union_all(*sides).subquery()
    summed = (_sum(each.c[name]).label(name) for name in (*_NOW, *_BEFORE))
    sums = select(each.c.key, *summed).group_by(each.c.key).cte()
    first = _in_order(connection, sums, size).limit(size.rows).subquery()
    is_now = case((or_(*(sums.c[name] != 0 for name in _NOW)), 1), else_=0)
    whole = select(_sum(is_now), *(_sum(sums.c[name]) for name in (*_NOW, *_BEFORE))).subquery()
    cells, before, keys, named, named_before = dict[Key, Values](), dict[Key, Values](), 0, _NOTHING, _NOTHING
    # The sums of all stand beside each row, so that all are summed once.
    for count, *figures in connection.execute(select(whole, first).select_from(whole.outerjoin(first, true()))):
        keys, named, named_before, (key, *shown) = int(count), _values(figures[:3]), _values(figures[3:6]), figures[6:]
        if key is not None:
            cells[key,], before[key,] = _values(shown[:3]), _values(shown[3:])
    rest = Rest(
        keys=keys - sum(map(any, cells.values())),
        whole=_minus(named, cells.values()),
        before=_minus(named_before, before.values()),
    )
    cells["",] = _minus(_whole(connection, measure, span), [named])
    if earlier is not None:
        before["",] = _minus(_whole(connection, measure, earlier), [named_before])
    return LargestRows(_without_nothing(cells), _without_nothing(before), rest)


def _side(part: Subquery, names: tuple[str, ...]) -> Select[Any]:
    """Sums by key under some names, and nothing under the others."""
    key, *sums = part.c
    named = dict(zip(names, sums, strict=True))
    columns = (named.get(name, literal_column("0")).label(name) for name in (*_NOW, *_BEFORE))
    return select(key.label("key"), *columns).where(key != "")


def _sums(connection: Connection, of: Dimension, measure: Measure, span: Span) -> Iterator[Subquery]:
    """By key, whole hours and days from the totals, what is left at the ends from the requests."""
    hours, edges = span.cut(HOUR)
    for part in totals(connection, of.name, hours) if hours is not None else ():
        key = part.grouping.label("key_")
        yield select(key, *of_totals(measure, part.table)).where(part.holds).group_by("key_").subquery()
    grouping = CellGrouping((of,), measure, Calendar())
    for edge in edges:
        yield grouping.statement(connection, edge).subquery()


def _in_order(connection: Connection, sums: CTE, size: GridSize) -> Select[Any]:
    """As `grid` orders them."""
    now, change = sums.c.now_amount, sums.c.now_amount - sums.c.before_amount
    key: ColumnElement[Any] = sums.c.key
    if connection.dialect.name == "postgresql":
        key = collate(key, "C")
    if size.order is GridOrder.CHANGE:
        return select(sums).order_by(change.desc() if size.descending else change, now.desc(), key)
    return select(sums).order_by(*((now.desc(), key) if size.descending else (now, key.desc())))


def _whole(connection: Connection, measure: Measure, span: Span) -> Values:
    """Of all requests."""
    hours, edges = span.cut(HOUR)
    by_source = CellGrouping((DIMENSIONS["source"],), measure, Calendar())
    found = [values for edge in edges for _, values in by_source(connection, edge)]
    for part in totals(connection, ALL, hours) if hours is not None else ():
        found.append(_values(connection.execute(select(*of_totals(measure, part.table)).where(part.holds)).one()))
    return tuple(map(sum, zip(_NOTHING, *found, strict=True)))


def _sum(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(column), 0)


def _values(figures: Iterable[Any]) -> Values:
    return tuple(map(int, figures))


def _minus(whole: Values, parts: Iterable[Values]) -> Values:
    return tuple(all_of - sum(some) for all_of, *some in zip(whole, *parts, strict=True))


def _without_nothing(sums: dict[Key, Values]) -> dict[Key, Values]:
    return {key: values for key, values in sums.items() if any(values)}
