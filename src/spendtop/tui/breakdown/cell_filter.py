"""The requests of a cell as a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.clock import MINUTE
from spendtop.domain.dimensions import Dimension, selecting
from spendtop.domain.windows import Bounds, Calendar
from spendtop.tui.selection import ALL_TIME, TimeChoice

if TYPE_CHECKING:
    from spendtop.store.reads.bucket_spans import Span
    from spendtop.store.reads.grid import GridRow
    from spendtop.tui.breakdown.questions import BreakdownFigures

_RECENT = {0: "today", 1: "yesterday"}


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
    return " ".join([*parts, time_filter(view.time, figures.times.span, figures.headline.calendar)]).strip()


def _of(figures: BreakdownFigures, of: Dimension, key: str) -> str:
    span = Bounds(figures.times.span.since, figures.times.end)
    return selecting(of, key, [*figures.models.get(key, ())], span, figures.headline.calendar)


def time_filter(time: TimeChoice, span: Span, calendar: Calendar) -> str:
    """The window of time, as one would type it where there are words for it."""
    if time == ALL_TIME:
        return ""
    if time.length is not None and time.length % MINUTE == 0:
        return f"t:-{time.length // MINUTE}m"
    if time.days_ago in _RECENT:
        return f"t:{_RECENT[time.days_ago]}"
    since, until = ("" if at is None else f"{calendar.local(at):%Y-%m-%dT%H:%M:%S}" for at in span)
    return f"t:{since}..{until}"
