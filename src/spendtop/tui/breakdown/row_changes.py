"""Why the row under the cursor costs something else than before: read once the cursor rests on it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from spendtop.tui.breakdown.cell_panel import CellPanel
from spendtop.tui.breakdown.change_line import ChangeLine
from spendtop.tui.breakdown.table import GridTable
from spendtop.tui.screens.live_screen import LiveScreen

if TYPE_CHECKING:
    from spendtop.store.reads.breakdown.spend_changes import ChangeReading
    from spendtop.tui.breakdown.questions import BreakdownFigures, RowChange

_RESTS_SECONDS = 0.2


class RowChanges:
    """Keeps the line below the table and the panel beside it in step with the cursor."""

    def __init__(self, screen: LiveScreen, table: GridTable, line: ChangeLine, panel: CellPanel) -> None:
        self._screen = screen
        self._table = table
        self._line = line
        self._panel = panel
        self._reading: tuple[str, ChangeReading] | None = None
        """With the key of its row, so that what is read again is read by difference."""
        self._change: RowChange | None = None
        self._is_asking = False

    def forget(self) -> None:
        """Another breakdown is to come."""
        self._reading = self._change = None

    def follow(self, figures: BreakdownFigures | None) -> None:
        """The cursor moved."""
        if figures is not None:
            self.show(figures)
            self._screen.set_timer(_RESTS_SECONDS, partial(self.ask, figures))

    def show(self, figures: BreakdownFigures) -> None:
        """What is known of the row under the cursor."""
        known, row = self._change, self._table.row
        is_of_row = known is not None and row is not None and known.key == row.head.key.raw
        change = known.change if known is not None and is_of_row and known.view == figures.view else None
        self._line.take_row("" if row is None else str(row.head.name), change)
        self._panel.row_change = change
        self._panel.redraw()

    def ask(self, figures: BreakdownFigures) -> None:
        """Read it, where anything is compared."""
        row = self._table.row
        is_compared = figures.change is not None and figures.view.rows.name != "day"
        if row is None or not is_compared or self._is_asking or self._screen.face.pause or not self._screen.is_built:
            return
        from spendtop.tui.breakdown.questions import RowChangeQuestion

        self._is_asking = True
        key = row.head.key.raw
        question = RowChangeQuestion(
            view=figures.view,
            times=figures.times,
            key=key,
            reading=self._reading_of(figures, key),
            goes_on=lambda: self._screen.is_built and self._table.selected == key,
            ended=self._end,
        )
        self._screen.ask(question, partial(self._take, figures))

    def _reading_of(self, figures: BreakdownFigures, key: str) -> ChangeReading:
        from spendtop.store.reads.breakdown.dimension_sql import RowUseGrouping
        from spendtop.store.reads.breakdown.spend_changes import ChangeReading

        if self._reading is None or self._reading[0] != key:
            models = figures.models.get(key, ())
            grouping = RowUseGrouping(figures.view.rows, key, models, figures.headline.calendar)
            self._reading = key, ChangeReading(grouping)
        return self._reading[1]

    def _end(self) -> None:
        """Runs in a thread."""
        self._is_asking = False

    def _take(self, figures: BreakdownFigures, answer: RowChange) -> None:
        if answer.key != self._table.selected:
            self.ask(figures)
        elif answer.change is not None:
            self._change = answer
            self.show(figures)
