"""The requests of a cell as a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.breakdown.dimensions import Dimension, selecting
from spendtop.domain.breakdown.measures import PLAN
from spendtop.domain.windows import Bounds

if TYPE_CHECKING:
    from spendtop.store.reads.breakdown.grid import GridRow
    from spendtop.tui.breakdown.questions import BreakdownFigures


def cell_filter(figures: BreakdownFigures, row: GridRow, column: int) -> str:
    """Of the whole row where `column` is 0; the columns are counted from 1, and behind them are all others.

    Raises UsageError where no filter can select them.
    """
    view, grid = figures.view, figures.grid
    parts = [_of(figures, view.rows, row.head.key.raw)]
    if column and grid is not None and view.columns is not None:
        keys = [head.key.raw for head in grid.columns]
        if column <= len(keys):
            parts.append(_of(figures, view.columns, keys[column - 1]))
        else:
            parts += [f"!({_of(figures, view.columns, key)})" for key in keys]
    if view.measure is PLAN:
        parts.append("~plan")
    return " ".join([*parts, view.time.filter]).strip()


def _of(figures: BreakdownFigures, of: Dimension, key: str) -> str:
    span = Bounds(figures.times.span.since, figures.times.end)
    return selecting(of, key, [*figures.models.get(key, ())], span, figures.headline.calendar)
