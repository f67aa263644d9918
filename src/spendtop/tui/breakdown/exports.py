"""The breakdown to elsewhere: onto the clipboard, or all rows and columns of it as records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from spendtop.domain.breakdown.measures import Measured, Unit
from spendtop.domain.money import Usd
from spendtop.tui.breakdown.table import GridTable
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.screens.clipboard import Clipboard, tab_separated
from spendtop.tui.screens.file_export import Records
from spendtop.tui.screens.live_screen import LiveScreen

if TYPE_CHECKING:
    from spendtop.store.engine import Store
    from spendtop.store.reads.breakdown.grid import Grid
    from spendtop.tui.breakdown.questions import BreakdownFigures
    from spendtop.tui.breakdown.view import View

_ALL = 1_000_000
_OWN = ("total", "missing", "before")


class GridCopy:
    """Copies the table, or a filter for the cell."""

    def __init__(self, screen: LiveScreen, table: GridTable) -> None:
        self._screen = screen
        self._table = table
        self._clipboard = Clipboard(screen)

    def ask(self, selecting: str | None) -> None:
        options = [("t", "table: all rows that are listed")]
        options += [("f", "filter that lists the requests of this cell")] if selecting else []

        def take(key: str | None) -> None:
            if key == "f" and selecting:
                self._clipboard.copy(selecting)
            elif key == "t" and self._table.grid is not None:
                self._clipboard.copy(as_table(self._table.grid, self._table.view))

        self._screen.app.push_screen(ChooseScreen("Copy", options), take)


def whole_grid(store: Store, figures: BreakdownFigures) -> Records:
    """Every row and column, shown or not."""
    from spendtop.store.reads.breakdown.breakdown import BreakdownReading, Cut
    from spendtop.store.reads.breakdown.grid import GridSize

    view = figures.view
    reading = BreakdownReading(Cut(view.rows, view.columns, view.measure, figures.headline.calendar))
    grid = reading.read(store, figures.times, GridSize(rows=_ALL, columns=_ALL), lambda so_far, share: True)
    assert grid is not None
    return columns_of(grid, view), records(grid, view)


def columns_of(grid: Grid, view: View) -> list[str]:
    """The rows' dimension, one of each column, and the sums; named apart where two would be called the same."""
    names = [view.rows.name]
    for head in grid.columns:
        name = head.name.raw
        while name in names or name in _OWN:
            name += " "
        names.append(name)
    return [*names, *_OWN]


def records(grid: Grid, view: View) -> Iterator[dict[str, object]]:
    """Amounts in USD, requests, tokens, milliseconds or as a fraction; None where nothing is known."""
    columns = columns_of(grid, view)
    for row in grid.rows:
        cells = row.cells[: len(grid.columns)]
        sums = (_value(row.whole, view), row.whole.missing, None if row.before is None else _value(row.before, view))
        values = (row.head.name.raw, *(_value(cell, view) for cell in cells), *sums)
        yield dict(zip(columns, values, strict=True))


def as_table(grid: Grid, view: View) -> str:
    return tab_separated(columns_of(grid, view), (record.values() for record in records(grid, view)))


def _value(measured: Measured, view: View) -> float | int | None:
    measure = view.measure
    match measure.unit:
        case Unit.MONEY:
            is_unknown = 0 < measured.of == measured.missing and not measured.amount
            return None if is_unknown else Usd.float_of(Usd(measured.amount))
        case Unit.FAILURES:
            return measured.of
        case Unit.SHARE:
            return measured.amount / measured.of if measured.of else None
        case Unit.TIME:
            return measured.amount if measured.of > measured.missing else None
    return measured.amount
