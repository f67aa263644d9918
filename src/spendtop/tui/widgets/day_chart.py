"""Money per day as columns, with a line over them where something else is to be seen beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from msgspec import Struct
from rich.style import Style

from spendtop.domain.money import ZERO, Usd
from spendtop.tui import formats
from spendtop.tui.widgets.axis import nice_ceiling
from spendtop.tui.widgets.canvas import Line, Panel, Piece, joined

_AXIS = 6
"""Cells of the amounts at either side."""
_TODAY = "today so far"
_WITH_YEAR = 300
"""Days from which on dates have their year."""


class Day(Struct, frozen=True, kw_only=True):
    """One day of a chart."""

    label: str
    """Its date."""
    cost: Usd | None
    """None where it is not known."""
    unpriced: bool = False
    """Whether something is not in the cost."""
    left: Usd | None = None
    """Where the line runs; None where it does not."""


class _Column(Struct, frozen=True):
    """Some days side by side that share the columns of the screen from `start` to `end`."""

    start: int
    end: int
    label: str
    rate: int | None
    """Nano-USD per day."""
    unpriced: bool
    left: int | None
    is_open: bool
    """Whether it is the day that still runs."""


def date_label(moment: datetime, days: int) -> str:
    """The date of a day among so many: with its year where months alone could be taken for others."""
    return f"{moment:%m-%d}" if days < _WITH_YEAR else f"{moment:%Y-%m-%d}"


class DayChart(Panel):
    """The last day is today and still runs. Where there is no room for each day a column is the mean of several."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.days: Sequence[Day] | None = None
        """None until they were read."""
        self.title = ""
        self.about = ""
        """What else the title says."""
        self.line_title = ""
        """What the line is of; empty without one."""
        self.reading = ""
        """How far a read that takes long is."""

    @property
    def title_line(self) -> Line:
        days = 0 if self.days is None else len(self.days)
        merged = self._merged(max(self.size.width - 4 - self._beside, 1))
        words = f" {days} d" + (f", mean of {merged}" if merged > 1 else "") + self.about
        title: list[Piece] = [(self.title, self.palette.title), (words if days else "", self.palette.muted)]
        if self.line_title and days:
            title += [(f"  {self.glyphs.point} ", self.palette.good), (self.line_title, self.palette.muted)]
        return title

    def show(self, days: Sequence[Day], title: str, *, about: str = "", line_title: str = "") -> None:
        self.days, self.title, self.about, self.line_title = days, title, about, line_title
        unpriced = any(day.unpriced for day in days)
        self.note = [(f"{self.glyphs.unpriced} unpriced, not in $", self.palette.unknown)] if unpriced else ()
        self.redraw()

    def content(self, width: int, height: int) -> list[Line]:
        if self.days is None:
            return [[(self.reading, self.palette.muted)]] if self.reading else self.unread
        plot, rows = max(width - self._beside, 1), max(height - 1, 1)
        columns = self._columns(plot)
        top = nice_ceiling(max((column.rate or 0 for column in columns), default=0))
        line_top = nice_ceiling(max((column.left or 0 for column in columns), default=0))
        lines: list[Line] = []
        for row in range(rows):
            level = rows - 1 - row
            cells = self._cells(columns, level, rows, top, line_top, plot)
            scale = self._scale(row, rows, line_top) if self.line_title else []
            lines.append([*self._axis(row, rows, top), *cells, *scale])
        lines.append(self._dates(columns, plot))
        return lines

    @property
    def _beside(self) -> int:
        """Cells of the axes."""
        return _AXIS * (2 if self.line_title else 1)

    def _merged(self, plot: int) -> int:
        """How many whole days are one column."""
        return -(-max(len(self.days or ()) - 1, 1) // max(plot - 1, 1))

    def _columns(self, plot: int) -> list[_Column]:
        """From left to right, as wide as there is room for all; today alone at the right."""
        days = self.days or ()
        if not days:
            return []
        merged = self._merged(plot)
        whole = days[:-1]
        first = len(whole) % merged
        groups = [whole[:first]] if first else []
        groups += [whole[at : at + merged] for at in range(first, len(whole), merged)]
        groups.append(days[-1:])
        edges = [plot * number // len(groups) for number in range(len(groups) + 1)]
        return [
            _column(group, start, end, is_open=end == plot)
            for group, (start, end) in zip(groups, pairwise(edges), strict=True)
        ]

    def _axis(self, row: int, rows: int, top: int) -> list[Piece]:
        palette, glyphs = self.palette, self.glyphs
        words = self._tick(row, rows, top)
        return [(f"{words:>{_AXIS - 1}}", palette.muted), (glyphs.tee if words else glyphs.down, palette.line)]

    def _scale(self, row: int, rows: int, top: int) -> list[Piece]:
        return [(f" {self._tick(row, rows, top):<{_AXIS - 1}}", self.palette.good)]

    def _tick(self, row: int, rows: int, top: int) -> str:
        """What the top of a row means, where it is written; nothing for an amount that has no room in full."""
        shares = {0: 1.0, rows // 2: (rows - rows // 2) / rows} if rows > 3 else {0: 1.0}
        words = formats.short_usd(Usd(round(top * shares[row])), _AXIS - 1) if row in shares else ""
        return "" if words.startswith("<") else words

    def _cells(
        self, columns: Sequence[_Column], level: int, rows: int, top: int, line_top: int, plot: int
    ) -> list[Piece]:
        """One row of the plot."""
        cells: list[Piece] = [(" ", self.palette.text)] * plot
        highest = max((column.rate or 0 for column in columns), default=0)
        for column in columns:
            piece = self._bar(column, level, rows, top, highest)
            gap = 1 if column.end - column.start > 2 else 0
            for at in range(column.start, column.end - gap):
                cells[at] = piece
            if column.left is not None and level == min(int(column.left / line_top * rows), rows - 1):
                for at in range(column.start, column.end):
                    cells[at] = (self.glyphs.point, self.palette.good)
        return joined(cells)

    def _bar(self, column: _Column, level: int, rows: int, top: int, highest: int) -> Piece:
        palette, glyphs = self.palette, self.glyphs
        if column.rate is None:
            nothing = glyphs.unpriced if column.unpriced else formats.UNKNOWN
            return (nothing if level == 0 else " "), palette.unknown
        filled = column.rate / top * rows - level
        eighths = round(filled * len(glyphs.rises))
        style: Style = palette.peak if column.rate == highest else palette.chart
        if column.unpriced and level == 0:
            style = palette.unknown
            if eighths <= 1:
                return glyphs.unpriced, style
        if filled <= 0 or (eighths <= 0 and level):
            return " ", palette.text
        if column.is_open:
            return glyphs.rest, style
        return glyphs.rises[min(max(eighths, 1), len(glyphs.rises)) - 1], style

    def _dates(self, columns: Sequence[_Column], plot: int) -> list[Piece]:
        palette, glyphs = self.palette, self.glyphs
        line = [glyphs.across] * plot
        free = 0
        middle = columns[len(columns) // 2 :][:1]
        for column in [*columns[:1], *middle]:
            if free <= column.start and column.start + len(column.label) < plot - len(_TODAY) - 1:
                line[column.start : column.start + len(column.label)] = column.label
                free = column.start + len(column.label) + 1
        if plot > len(_TODAY):
            line[plot - len(_TODAY) :] = _TODAY
        return [(" " * (_AXIS - 1) + glyphs.bottom_left, palette.line), ("".join(line), palette.muted)]


def _column(days: Sequence[Day], start: int, end: int, *, is_open: bool) -> _Column:
    costs = [day.cost for day in days if day.cost is not None]
    return _Column(
        start,
        end,
        days[0].label,
        sum(costs, ZERO).nano // len(costs) if costs else None,
        any(day.unpriced for day in days) or 0 < len(costs) < len(days),
        next((day.left.nano for day in reversed(days) if day.left is not None), None),
        is_open,
    )
