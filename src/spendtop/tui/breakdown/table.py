"""The breakdown as a table with a cursor on one of its cells; the rest and the total always stand below."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual import events

from spendtop.tui import formats
from spendtop.tui.breakdown.figures import change, figure, heat, share
from spendtop.tui.breakdown.view import View
from spendtop.tui.widgets.canvas import Line, Piece, fit_middle, fit_right
from spendtop.tui.widgets.columns import Column, Columns, Ink, fitted, row_line
from spendtop.tui.widgets.sparkline import spark
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from spendtop.store.reads.breakdown.grid import Grid, GridRow

_NAME, _CELL, _TOTAL, _SHARE, _CHANGE, _TREND = 12, 8, 11, 5, 7, 6
_AROUND = 5
"""Frame, blanks and mark beside the columns."""
_BEFORE_CELLS = 3
_SHARE_FROM, _TREND_FROM = 90, 72
"""Widths."""
_MOST_COLUMNS = 12
_WIDE_NAME, _WIDE_CELL = 40, 12


class GridTable(ListTable["GridRow", str]):
    """`column` is where the cursor is: 0 is the row's name and stands for the whole row, then come the cells."""

    def __init__(self) -> None:
        super().__init__("Breakdown", id="grid")
        self.view = View()
        self.grid: Grid | None = None
        self.is_whole = True
        self.column = 0

    @property
    def room_for_columns(self) -> int:
        """How many columns of the grid fit, beside the one of all others."""
        return max(1, min(self._room // (_CELL + 1) - 1, _MOST_COLUMNS))

    @property
    def _room(self) -> int:
        """Cells for columns of the grid, beside the name, the total and what else there is room for."""
        width = self.size.width
        room = width - _AROUND - _NAME - (_TOTAL + 1) - (_CHANGE + 1)
        return room - (_TREND + 1) * (width >= _TREND_FROM) - (_SHARE + 1) * (width >= _SHARE_FROM)

    def take(self, grid: Grid, view: View, is_whole: bool) -> None:
        self.grid, self.view, self.is_whole = grid, view, is_whole
        self.order, self.descending = view.order, view.descending
        self.column = min(self.column, self.last_column)
        self.show(grid.rows)

    def forget(self) -> None:
        """Another breakdown is to come."""
        self.grid, self.column = None, 0
        self.begin(())

    @property
    def last_column(self) -> int:
        """The one of all other columns, where there are others."""
        if self.grid is None or self.view.columns is None:
            return 0
        return len(self.grid.columns) + bool(self.grid.other_columns)

    def move_column(self, step: int) -> None:
        column = max(0, min(self.column + step, self.last_column))
        if column != self.column:
            self.column = column
            self.post_message(self.Moved(self))
            self.redraw()

    @property
    def lights_cursor(self) -> bool:
        return self.column == 0

    @property
    def orders(self) -> list[str]:
        return ["name", "total", "change"]

    def key(self, row: GridRow) -> str:
        return row.head.key.raw

    @property
    def rows_high(self) -> int:
        return max(super().rows_high - len(self._below), 1)

    @property
    def _below(self) -> Sequence[GridRow]:
        """The rows that always stand at the end: what has no row of its own, and all."""
        if self.grid is None or not self.grid.rows:
            return ()
        return (self.grid.others, self.grid.total) if self.grid.other_keys else (self.grid.total,)

    def layouts(self) -> Sequence[Columns[GridRow]]:
        """As many cells as were asked for; the trend, then the share go first where there is no room."""
        measure, view = self.view.measure, self.view
        cells: list[Column[GridRow]] = []
        if self.grid is not None and view.columns is not None:
            count = len(self.grid.columns) + bool(self.grid.other_columns)
            width = max(_CELL, min(self._room // max(count, 1) - 1, _WIDE_CELL))
            titles = heads([str(head.name) for head in self.grid.columns], width, self.glyphs.cut)
            titles += [f"other {self.grid.other_columns}"] if self.grid.other_columns else []
            cells = [
                Column(title, width, partial(self._grid_cell, number), right=True)
                for number, title in enumerate(titles)
            ]
        wished = _WIDE_NAME if not cells else 2 * _NAME
        title = fit_middle(view.rows.title, _NAME - 1, self.glyphs.cut).rstrip()
        columns: list[Column[GridRow]] = [
            Column(title, _NAME, self._name_cell, wished=wished, order="name"),
            *cells,
            Column("TOTAL", _TOTAL, self._total_cell, right=True, order="total"),
        ]
        if measure.adds_up and (self.size.width >= _SHARE_FROM or not cells):
            columns.append(Column("SHARE", _SHARE, self._share_cell, rank=1, right=True))
        columns.append(Column("CHANGE", _CHANGE, self._change_cell, right=True, order="change"))
        columns.append(
            Column("TREND", _TREND, self._trend_cell, rank=2, wished=_TREND if cells else 2 * _TREND, grows=True)
        )
        return (columns,)

    # Cells

    def _name_cell(self, row: GridRow, ink: Ink, width: int) -> Piece:
        grid = self.grid
        assert grid is not None
        if row is grid.total:
            return "TOTAL" if self.is_whole else "SO FAR", ink.palette.title
        if row is grid.others:
            return f"+{formats.grouped(grid.other_keys)} more", ink.palette.muted
        style = ink.palette.who if row.head.key.raw else ink.palette.muted
        return fit_middle(str(row.head.name), width, ink.glyphs.cut), style

    def _grid_cell(self, number: int, row: GridRow, ink: Ink, width: int) -> Piece:
        measured = row.cells[number]
        words, style = figure(measured, self.view.measure, ink.palette, width - 1)
        mark, warmth = " ", style
        if not self._is_below(row) and any(measured):
            mark, warmth = heat(measured, self._largest, self.view.measure, ink.glyphs, ink.palette)
        style = warmth if warmth == ink.palette.peak else style
        if row is self.row and number + 1 == self.column:
            style = style + ink.palette.cursor
        return fit_right(words, width - 1, ink.glyphs.cut) + mark, style

    def _total_cell(self, row: GridRow, ink: Ink, width: int) -> Piece:
        return figure(row.whole, self.view.measure, ink.palette, width)

    def _share_cell(self, row: GridRow, ink: Ink, width: int) -> Piece:
        assert self.grid is not None
        return share(row.whole, self.grid.total.whole, self.view.measure), ink.palette.muted

    def _change_cell(self, row: GridRow, ink: Ink, width: int) -> Piece:
        return change(row.whole, row.before, self.view.measure, ink.glyphs, ink.palette)

    def _trend_cell(self, row: GridRow, ink: Ink, width: int) -> Piece:
        return spark(row.trend, width, ink.glyphs), ink.palette.chart

    def _is_below(self, row: GridRow) -> bool:
        return self.grid is not None and (row is self.grid.total or row is self.grid.others)

    @property
    def _largest(self) -> int:
        """The size of the largest cell."""
        assert self.grid is not None
        shown = len(self.grid.columns)
        cells = (cell for row in self.grid.rows for cell in row.cells[:shown])
        return max((self.view.measure.size(cell) for cell in cells), default=0)

    # Picture

    def content(self, width: int, height: int) -> list[Line]:
        lines = super().content(width, height)
        columns, ink = fitted(self.layouts(), width - 1), self.ink
        for row in self._below:
            lines.append([(" ", ink.palette.text), *row_line(row, columns, ink, width - 1)])
        return lines

    def on_click(self, event: events.Click) -> None:
        """The cursor on the cell that was clicked; a row opens by a click on the cell that has the cursor already."""
        at = event.x - _BEFORE_CELLS
        for number, (_, width) in enumerate(fitted(self.layouts(), self.size.width - _AROUND)):
            if 0 <= at < width and number <= self.last_column and number != self.column:
                self.column = number
                if event.y - self._rows_from == self.position - self._top:
                    event.prevent_default()
                self.post_message(self.Moved(self))
                self.redraw()
                return
            at -= width + 1


def heads(names: Sequence[str], width: int, cut: str) -> list[str]:
    """Titles in so many cells each. One that is too long goes without a first word that others begin with too."""
    pairs = zip(names, formats.told_apart(names), strict=True)
    return [fit_middle(short if cell_len(name) > width else name, width, cut).rstrip() for name, short in pairs]
