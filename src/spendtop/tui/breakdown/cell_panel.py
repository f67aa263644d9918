"""Beside the breakdown: what the cell under the cursor is of, what it has of the whole, and why its row changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from spendtop.domain.breakdown.measures import COST, REQUESTS, Measured, Unit
from spendtop.domain.breakdown.spend_change import SpendChange
from spendtop.tui import formats
from spendtop.tui.breakdown.change_line import WORDS, signed
from spendtop.tui.breakdown.figures import change, figure, share
from spendtop.tui.breakdown.view import spoken
from spendtop.tui.widgets.canvas import Line, Panel, Piece, fit, fit_middle, fit_right
from spendtop.tui.widgets.sparkline import spark

if TYPE_CHECKING:
    from spendtop.store.reads.breakdown.grid import GridRow
    from spendtop.tui.breakdown.table import GridTable

_LABEL, _NAME, _FIGURE, _SHARE = 10, 18, 12, 5
_OF_REQUESTS = (Unit.MONEY, Unit.COUNT, Unit.TIME)
"""Units of measures that know how many requests they are of."""


class CellPanel(Panel):
    """Reads the table's cursor whenever it is drawn."""

    def __init__(self, table: GridTable) -> None:
        super().__init__(id="cell")
        self._table = table
        self.row_change: SpendChange | None = None
        """Why the row under the cursor changed, where that is known."""

    @property
    def title_line(self) -> Line:
        table, row = self._table, self._table.row
        if row is None:
            return ()
        column = self._column_name
        by: list[Piece] = [(" by ", self.palette.muted), (column, self.palette.model)] if column else []
        return [(str(row.head.name), self.palette.who), *by] if table.grid is not None else ()

    @property
    def _column_name(self) -> str:
        table = self._table
        if table.grid is None or not table.column:
            return ""
        return [*(str(head.name) for head in table.grid.columns), "all others"][table.column - 1]

    def content(self, width: int, height: int) -> Iterable[Line]:
        table, row = self._table, self._table.row
        if table.grid is None or row is None:
            return []
        return [*self._facts(row), *self._parts(row), *self._causes(width)]

    def _facts(self, row: GridRow) -> Iterator[Line]:
        table, palette, glyphs = self._table, self.palette, self.glyphs
        assert table.grid is not None
        measure, total = table.view.measure, table.grid.total
        cell = row.cells[table.column - 1] if table.column else row.whole
        yield self._fact(measure.name, figure(cell, measure, palette))
        if measure is not REQUESTS and measure.unit in _OF_REQUESTS:
            yield self._fact("requests", (formats.grouped(cell.of), palette.text))
        if measure.adds_up:
            if table.column:
                yield self._fact("of row", (self._share(cell, row.whole), palette.text))
                of_column = total.cells[table.column - 1]
                yield self._fact("of column", (self._share(cell, of_column), palette.text))
            yield self._fact("of all", (self._share(cell, total.whole), palette.text))
        if row.before is not None:
            words, style = change(row.whole, row.before, measure, glyphs, palette)
            was, _ = figure(row.before, measure, palette)
            name = "row was" if table.column else "was"
            yield [*self._fact(name, (was, palette.text)), ("  ", palette.text), (words, style)]
        if any(row.trend):
            yield self._fact("trend", (spark(row.trend, 24, glyphs), palette.chart))

    def _fact(self, name: str, value: Piece) -> list[Piece]:
        return [(fit_middle(name, _LABEL, self.glyphs.cut) + " ", self.palette.muted), value]

    def _share(self, part: Measured, whole: Measured) -> str:
        return share(part, whole, self._table.view.measure)

    def _parts(self, row: GridRow) -> Iterator[Line]:
        """The largest cells of the row."""
        table, palette = self._table, self.palette
        assert table.grid is not None
        view, measure = table.view, table.view.measure
        if view.columns is None:
            return
        named = [*zip([str(head.name) for head in table.grid.columns], row.cells, strict=False)]
        if table.grid.other_columns:
            named.append((f"{table.grid.other_columns} others", row.cells[-1]))
        yield ()
        yield [(f"by {spoken(view.columns)}", palette.title)]
        for name, cell in sorted(named, key=lambda part: -measure.size(part[1])):
            if any(cell):
                words, style = figure(cell, measure, palette, _FIGURE)
                share = fit_right(self._share(cell, row.whole), _SHARE + 1) if measure.adds_up else ""
                yield [
                    (fit_middle(name, _NAME, self.glyphs.cut), palette.model),
                    (fit_right(words, _FIGURE), style),
                    (share, palette.muted),
                ]

    def _causes(self, width: int) -> Iterator[Line]:
        table, palette, causes = self._table, self.palette, self.row_change
        if table.view.measure is not COST or causes is None:
            return
        yield ()
        yield [("what changed", palette.title)]
        for cause, amount in causes.largest_first:
            word, meaning = WORDS[cause]
            style = palette.warn if amount.nano > 0 else palette.good
            yield [(fit(word, 8), palette.text), (fit_right(signed(amount), _FIGURE), style)]
            yield [("  ", palette.text), (fit(meaning, width - 2, self.glyphs.cut), palette.muted)]
        yield [(fit("in all", 8), palette.text), (fit_right(signed(causes.total), _FIGURE), palette.strong)]
