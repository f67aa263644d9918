"""A breakdown as rows and columns: the largest of both, and the rest of both in exact sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from spendtop.domain.breakdown.latencies import joined
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


def grid(sums: GridSums, size: GridSize, row_name: Callable[[str], str], column_name: Callable[[str], str]) -> Grid:
    """`row_name` and `column_name` say what people read for a key."""
    measure = sums.measure
    rows = _by_row(sums.cells, measure)
    before = {} if sums.before is None else _by_row(sums.before, measure)
    in_order = _in_order(rows, before, measure, size, row_name)
    shown = in_order[: size.rows]
    columns = _column_weights(sums)
    heads = sorted(columns, key=lambda column: (-columns[column], column))
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


def _by_row(cells: Mapping[Key, Values], measure: Measure) -> dict[str, Measured]:
    pools = defaultdict[str, list[Values]](list)
    for key, values in cells.items():
        pools[str(key[0])].append(values)
    return {name: _measured(_joined(pool, measure), measure) for name, pool in pools.items()}


def _column_weights(sums: GridSums) -> dict[str, int]:
    """What columns are ordered by, so that one of few requests with the slowest of all is not the first."""
    measure, weights = sums.measure, defaultdict[str, int](int)
    for key, values in sums.cells.items() if sums.has_columns else ():
        weights[str(key[1])] += measure.size(Measured(*values)) if measure.adds_up else values[0]
    return weights


def _joined(parts: Sequence[Values], measure: Measure) -> Values:
    of, amounts, missing = zip(*parts, strict=True) if parts else ((), (), ())
    return sum(of), joined(amounts) if measure is LATENCY else sum(amounts), sum(missing)


def _measured(values: Values, measure: Measure) -> Measured:
    """Of latencies the amount is the one that 95 % do not exceed, and missing are those that are not known."""
    of, amount, missing = values
    return Measured(of, amount.percentile_95() if measure is LATENCY else amount, missing)


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
    cells: list[list[list[Values]]] = [[[] for _ in range(len(columns) + 1)] for _ in range(len(rows) + 1)]
    for key, values in sums.cells.items():
        place = places.get(str(key[1]), -1) if sums.has_columns else -1
        cells[lines.get(str(key[0]), -1)][place].append(values)
    if sums.rest is not None:
        cells[-1][-1].append(sums.rest.whole)
    table = [_with_all([_joined(cell, sums.measure) for cell in line], sums.measure) for line in cells]
    table.append([_joined(column, sums.measure) for column in zip(*table, strict=True)])
    return [[_measured(values, sums.measure) for values in line] for line in table]


def _lines(sums: GridSums, rows: Sequence[str]) -> list[Measured]:
    """What was before: of each row, of the others, and of all."""
    lines = {key: number for number, key in enumerate(rows)}
    pools: list[list[Values]] = [[] for _ in range(len(rows) + 1)]
    for key, values in (sums.before or {}).items():
        pools[lines.get(str(key[0]), -1)].append(values)
    if sums.rest is not None:
        pools[-1].append(sums.rest.before)
    joined_lines = _with_all([_joined(pool, sums.measure) for pool in pools], sums.measure)
    return [_measured(values, sums.measure) for values in joined_lines]


def _with_all(parts: list[Values], measure: Measure) -> list[Values]:
    return [*parts, _joined(parts, measure)]


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
