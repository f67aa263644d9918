"""A breakdown as rows and columns: the largest of both, and the rest of both in exact sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from spendtop.domain.breakdown.latencies import percentile_95
from spendtop.domain.breakdown.measures import LATENCY, Measure, Measured, Unit
from spendtop.domain.untrusted import Untrusted
from spendtop.store.reads.spending.kept_sums import Key, Values


class GridOrder(StrEnum):
    """What rows are ordered by."""

    TOTAL = "total"
    CHANGE = "change"
    NAME = "name"


class GridSize(Struct, frozen=True, kw_only=True):
    """What of a breakdown stands apart, and in which order."""

    rows: int
    columns: int
    """Beside that of all others; where this would be one alone, it is shown instead."""
    order: GridOrder = GridOrder.TOTAL
    descending: bool = True


class Rest(Struct, frozen=True, kw_only=True):
    """Rows that are not shown, as far as they were summed before."""

    keys: int
    whole: Values
    before: Values


class GridSums(Struct, frozen=True, kw_only=True):
    """What a grid is made of. The first part of a key is the row, the second the column where there are columns."""

    measure: Measure
    has_columns: bool
    cells: Mapping[Key, Values]
    before: Mapping[Key, Values] | None
    """Without columns; None where nothing is compared with."""
    steps: Callable[[Sequence[str]], Mapping[Key, Values]]
    """Of some rows at least, by row and begin of a part of the time."""
    starts: Sequence[int]
    """Where these parts begin."""
    rest: Rest | None = None
    """What `cells` and `before` leave out."""


class GridHead(Struct, frozen=True, kw_only=True):
    """What a row or column is of."""

    key: Untrusted
    name: Untrusted
    """What people read for the key."""


class GridRow(Struct, frozen=True, kw_only=True):
    """One key, the rest, or all."""

    head: GridHead
    whole: Measured
    before: Measured | None
    """In the time that is compared with; None where nothing is."""
    cells: tuple[Measured, ...]
    """In the order of the columns, and behind them of all other columns."""
    trend: tuple[int, ...]
    """Its size in each part of the time; none of latencies, of the rest and of all."""


class Grid(Struct, frozen=True, kw_only=True):
    """Rows in their order, and columns, the largest first."""

    measure: Measure
    rows: tuple[GridRow, ...]
    others: GridRow
    other_keys: int
    """How many rows are in `others`."""
    total: GridRow
    columns: tuple[GridHead, ...]
    other_columns: int


class _Pool:
    """Measured that grow."""

    __slots__ = ("_amount", "_missing", "_of")

    def __init__(self) -> None:
        self._of = self._missing = 0
        self._amount: list[Any] = []

    def add(self, values: Values) -> None:
        self._of += values[0]
        self._amount.append(values[1])
        self._missing += values[2]

    def take(self, other: _Pool) -> None:
        """What another one has, too."""
        self._of += other._of
        self._amount += other._amount
        self._missing += other._missing

    def sums(self, measure: Measure) -> Measured:
        """Of latencies the amount is the one that 95 % do not exceed, and missing are those that are not known."""
        amount = percentile_95("".join(self._amount)) if measure is LATENCY else sum(self._amount)
        return Measured(self._of, amount, self._missing)


def grid(sums: GridSums, size: GridSize, row_name: Callable[[str], str], column_name: Callable[[str], str]) -> Grid:
    """`row_name` and `column_name` say what people read for a key."""
    measure = sums.measure
    rows = _pools(sums, sums.cells, 0)
    before = {} if sums.before is None else _pools(sums, sums.before, 0)
    in_order = _in_order(rows, before, measure, size, row_name)
    shown = in_order[: size.rows]
    columns = _pools(sums, sums.cells, 1) if sums.has_columns else {}
    heads = sorted(columns, key=lambda column: (-_weight(columns[column], measure), column))
    if len(heads) > size.columns + 1:
        heads = heads[: size.columns]
    table = _table(sums, shown, heads)
    befores = _lines(sums, shown)
    trends = _trends(sums, shown)

    def row(line: int, head: GridHead) -> GridRow:
        *cells, whole = table[line]
        return GridRow(
            head=head,
            whole=whole,
            before=None if sums.before is None else befores[line],
            cells=tuple(cells),
            trend=trends.get(head.key.raw, ()) if line < len(shown) else (),
        )

    nobody = GridHead(key=Untrusted(""), name=Untrusted(""))
    return Grid(
        measure=measure,
        rows=tuple(row(line, _head(key, row_name)) for line, key in enumerate(shown)),
        others=row(len(shown), nobody),
        other_keys=sum(key in rows for key in in_order[size.rows :]) + (sums.rest.keys if sums.rest else 0),
        total=row(len(shown) + 1, nobody),
        columns=tuple(_head(key, column_name) for key in heads),
        other_columns=len(columns) - len(heads),
    )


def _head(key: str, name: Callable[[str], str]) -> GridHead:
    return GridHead(key=Untrusted(key), name=Untrusted(name(key)))


def _pools(sums: GridSums, cells: Mapping[Key, Values], part: int) -> dict[str, Measured]:
    """By a part of the key."""
    pools: defaultdict[str | int, _Pool] = defaultdict(_Pool)
    for key, values in cells.items():
        pools[key[part]].add(values)
    return {str(name): pool.sums(sums.measure) for name, pool in pools.items()}


def _weight(sums: Measured, measure: Measure) -> int:
    """What columns are ordered by, so that one of few requests with the slowest of all is not the first."""
    return measure.size(sums) if measure.adds_up else sums.of


def _in_order(
    rows: Mapping[str, Measured],
    before: Mapping[str, Measured],
    measure: Measure,
    size: GridSize,
    name: Callable[[str], str],
) -> list[str]:
    """The keys of all rows, also of those that are gone."""
    nothing = Measured()

    def total(key: str) -> int:
        return measure.size(rows.get(key, nothing))

    keys = sorted({*rows, *before}, key=lambda key: (-total(key), name(key)))
    match size.order:
        case GridOrder.TOTAL:
            return keys if size.descending else keys[::-1]
        case GridOrder.CHANGE:
            return sorted(
                keys, key=lambda key: total(key) - measure.size(before.get(key, nothing)), reverse=size.descending
            )
        case GridOrder.NAME:
            return sorted(keys, key=lambda key: name(key).casefold(), reverse=not size.descending)


def _table(sums: GridSums, rows: Sequence[str], columns: Sequence[str]) -> list[list[Measured]]:
    """A line per row, one of the others and one of all; in each the columns, the others, and all."""
    lines = {key: number for number, key in enumerate(rows)}
    places = {key: number for number, key in enumerate(columns)}
    pools = [[_Pool() for _ in range(len(columns) + 2)] for _ in range(len(rows) + 2)]
    for key, values in sums.cells.items():
        place = places.get(str(key[1]), -2) if sums.has_columns else -2
        pools[lines.get(str(key[0]), -2)][place].add(values)
    if sums.rest is not None:
        pools[-2][-2].add(sums.rest.whole)
    everything = pools[-1]
    for line in pools[:-1]:
        for place, pool in enumerate(line[:-1]):
            line[-1].take(pool)
            everything[place].take(pool)
        everything[-1].take(line[-1])
    return [[pool.sums(sums.measure) for pool in line] for line in pools]


def _lines(sums: GridSums, rows: Sequence[str]) -> list[Measured]:
    """What was before: of each row, of the others, and of all."""
    lines = {key: number for number, key in enumerate(rows)}
    pools = [_Pool() for _ in range(len(rows) + 2)]
    for key, values in (sums.before or {}).items():
        pools[lines.get(str(key[0]), -2)].add(values)
        pools[-1].add(values)
    if sums.rest is not None:
        for pool in pools[-2:]:
            pool.add(sums.rest.before)
    return [pool.sums(sums.measure) for pool in pools]


def _trends(sums: GridSums, rows: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Sizes in each part of the time, by row."""
    if sums.measure.unit is Unit.TIME:
        return {}
    places = {start: number for number, start in enumerate(sums.starts)}
    trends = {row: [0] * len(places) for row in rows}
    for (row, start, *_), values in sums.steps(rows).items():
        place, sizes = places.get(int(start)), trends.get(str(row))
        if place is not None and sizes is not None:
            sizes[place] = sums.measure.size(Measured(*values))
    return {row: tuple(sizes) for row, sizes in trends.items()}
