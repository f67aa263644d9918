"""Spend over time as columns: in blocks, in braille, or in plain characters."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from msgspec import Struct
from textual import events
from textual.message import Message

from spendtop.domain.clock import DAY
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.widgets.axis import Scale, count_label, scale_to, usd_label
from spendtop.tui.widgets.canvas import AROUND_TITLE, Line, Panel, Piece, joined

if TYPE_CHECKING:
    from spendtop.store.reads.rows import Spend

_BRAILLE_LEFT = (0x40, 0x44, 0x46, 0x47)
_BRAILLE_RIGHT = (0x80, 0xA0, 0xB0, 0xB8)
_APART = 4
"""Cells between two times on the axis at least."""
_WITH_YEAR = 300 * DAY
_FRAME = 2


class Graph(StrEnum):
    BLOCK = "block"
    BRAILLE = "braille"
    TTY = "tty"


class ChartMeasure(StrEnum):
    """What the columns are high by."""

    COST = "cost"
    REQUESTS = "requests"
    TOKENS = "tokens"
    ERRORS = "errors"
    PLAN = "API-equivalent"
    """Of usage under a plan, which has columns of its own."""

    @property
    def words(self) -> str:
        """What a title calls it."""
        return {ChartMeasure.COST: "Spend", ChartMeasure.PLAN: self.value}.get(self, self.value.capitalize())

    @property
    def is_amount(self) -> bool:
        return self in (ChartMeasure.COST, ChartMeasure.PLAN)

    def of(self, spend: Spend) -> int:
        """Nano-USD, or how many."""
        match self:
            case ChartMeasure.COST | ChartMeasure.PLAN:
                return spend.cost.nano
            case ChartMeasure.REQUESTS:
                return spend.requests
            case ChartMeasure.TOKENS:
                return spend.tokens
            case ChartMeasure.ERRORS:
                return spend.errors

    def label(self, value: int) -> str:
        return usd_label(value) if self.is_amount else count_label(value)


class Bar(Struct, frozen=True):
    """One step of time, UTC µs."""

    since: int
    until: int
    spend: Spend | None
    """None where it is not known."""
    usual: Spend | None = None
    """Of the same step in weeks before, where that is known."""


class BarGroup(Struct, frozen=True):
    """Neighbouring bars that share cells, or one that has several."""

    bars: Sequence[Bar]
    start: int
    end: int
    """Cells of the plot, the last one not in it."""

    @property
    def since(self) -> int:
        return self.bars[0].since

    @property
    def until(self) -> int:
        return self.bars[-1].until

    @property
    def spend(self) -> Spend | None:
        """Of all its bars; None where none is known."""
        known = [bar.spend for bar in self.bars if bar.spend is not None]
        return reduce(add, known) if known else None

    def peak(self, measure: ChartMeasure) -> int | None:
        """Of its highest bar."""
        return max((measure.of(bar.spend) for bar in self.bars if bar.spend is not None), default=None)

    @property
    def usual(self) -> Sequence[Spend]:
        return [bar.usual for bar in self.bars if bar.usual is not None]

    @property
    def is_partly_unknown(self) -> bool:
        """Whether there are requests whose cost is not known, or not whole."""
        return any(bar.spend is not None and bar.spend.unpriced for bar in self.bars)


def grouped(bars: Sequence[Bar], cells: int) -> list[BarGroup]:
    """All bars over so many cells, from left to right: each as wide as the others, or several in one cell."""
    count = len(bars)
    if count <= cells:
        edges = [cells * number // count for number in range(count + 1)] if count else []
        return [BarGroup(bars[number : number + 1], edges[number], edges[number + 1]) for number in range(count)]
    firsts = [-(-count * cell // cells) for cell in range(cells + 1)]
    return [BarGroup(bars[firsts[cell] : firsts[cell + 1]], cell, cell + 1) for cell in range(cells)]


class SpendChart(Panel):
    """A column is as high as the highest of the steps in it, so that no peak is lost where there is little room."""

    can_focus = True

    class CursorMoved(Message):
        """Another step is looked at."""

    class StepOpened(Message):
        """A column was clicked that had the cursor already."""

    def __init__(self) -> None:
        super().__init__(id="chart")
        self.bars: Sequence[Bar] | None = None
        """None until they were read."""
        self.plan: Sequence[Bar] = ()
        """Of usage under a plan, where there was any."""
        self.window, self.unit = "", "min"
        self.about = ""
        """What else the title says."""
        self.reading = ""
        """How far a read that takes long is."""
        self.said: Line = ()
        """What is known of the step under the cursor."""
        self.even: float | None = None
        """Nano-USD that a step may cost if a limit is to last just as long as its window."""
        self.calendar = Calendar()
        self.graph = Graph.BLOCK
        self.measure = ChartMeasure.COST
        self._is_chosen = False
        """Whether somebody chose the measure."""
        self._at: int | None = None
        """The instant under the cursor, UTC µs; None is the newest step."""

    # What is shown

    @property
    def title_line(self) -> Line:
        palette = self.palette
        if self.has_focus and self.said:
            return [*self.said, (self.about, palette.muted)] if self.about else self.said
        title = f"{self.measure.words}/{self.unit}"
        words = f" {self.window}{self._peaks}{self.about}"
        if len(title + words) > self.size.width - AROUND_TITLE:  # what is charted matters more than how
            words = f" {self.window}{self.about}"
        return [(title, palette.title), (words, palette.muted)]

    @property
    def _peaks(self) -> str:
        groups = self.groups
        share = max((len(group.bars) for group in groups), default=1)
        return f", peak of {share}" if share > 1 else ""

    def show(self, bars: Sequence[Bar]) -> None:
        self.bars = bars
        self.redraw()

    def redraw(self) -> None:
        unpriced = any(bar.spend.unpriced for bar in self.shown if bar.spend is not None)
        legend = f"{self.glyphs.unpriced} unpriced, not in $"
        self.note = [(legend, self.palette.unknown)] if unpriced and self.measure.is_amount else ()
        super().redraw()

    @property
    def newest(self) -> int:
        """When the last step begins, UTC µs."""
        return self.shown[-1].since if self.shown else 0

    def turn_measure(self) -> None:
        """The next one, round and round."""
        measures = [each for each in ChartMeasure if self.plan or each is not ChartMeasure.PLAN]
        place = measures.index(self.measure) if self.measure in measures else -1
        self.measure, self._is_chosen = measures[(place + 1) % len(measures)], True
        self.redraw()

    def prefer(self, measure: ChartMeasure) -> None:
        """Show it as long as nobody has chosen another one."""
        if not self._is_chosen or (self.measure is ChartMeasure.PLAN and not self.plan):
            self.measure = measure

    @property
    def shown(self) -> Sequence[Bar]:
        """The columns of the measure."""
        return self.plan if self.measure is ChartMeasure.PLAN else self.bars or ()

    # Cursor

    @property
    def groups(self) -> list[BarGroup]:
        """As they stand on screen."""
        height = max(self.size.height - _FRAME, 1)
        plot = max(self.size.width - 2 * _FRAME - self._scale(height).width - 1, 1)
        return grouped(self.shown, plot)

    @property
    def group(self) -> BarGroup | None:
        """What the cursor is on."""
        groups = self.groups
        return groups[self._place(groups)] if groups else None

    def _place(self, groups: Sequence[BarGroup]) -> int:
        if self._at is None:
            return len(groups) - 1
        return next((place for place, group in enumerate(groups) if self._at < group.until), len(groups) - 1)

    @property
    def rows_high(self) -> int:
        return max(len(self.groups) // 4, 1)

    def move(self, step: int) -> None:
        self._to(self._place(self.groups) + step)

    def to_top(self) -> None:
        self._to(0)

    def to_end(self) -> None:
        self._to(len(self.groups) - 1)

    def _to(self, place: int) -> None:
        groups = self.groups
        if groups:
            place = max(0, min(place, len(groups) - 1))
            self._at = None if place == len(groups) - 1 else groups[place].since
            self.post_message(self.CursorMoved())
            self.redraw()

    def on_focus(self) -> None:
        self.post_message(self.CursorMoved())

    def on_click(self, event: events.Click) -> None:
        groups = self.groups
        cell = event.x - _FRAME - self._scale(max(self.size.height - _FRAME, 1)).width - 1
        place = next((place for place, group in enumerate(groups) if group.start <= cell < group.end), None)
        if place is None:
            return
        if place == self._place(groups):
            self.post_message(self.StepOpened())
        else:
            self._to(place)

    # Picture

    def _scale(self, height: int) -> Scale:
        measure = self.measure
        known = [bar.spend for bar in self.shown if bar.spend is not None]
        marked = measure.is_amount and any(spend.unpriced for spend in known)
        highest = max(map(measure.of, known), default=0)
        least = 10_000_000 if measure.is_amount else 4
        scale = scale_to(highest or least, max(height - 1, 1), measure.label, headroom=int(marked))
        if not self.glyphs.dots:
            return Scale(scale.rows, scale.per_row, {row: text.replace("µ", "u") for row, text in scale.labels.items()})
        return scale

    def content(self, width: int, height: int) -> list[Line]:
        if self.bars is None:
            return [[(self.reading, self.palette.muted)]] if self.reading else self.unread
        scale = self._scale(height)
        plot = max(width - scale.width - 1, 1)
        groups = grouped(self.shown, plot)
        lines: list[Line] = []
        for row in range(scale.rows):
            label = scale.labels.get(row, "")
            axis = self.glyphs.tee if label else self.glyphs.down
            edge = [(f"{label:>{scale.width}}", self.palette.muted), (axis, self.palette.line)]
            lines.append([*edge, *self._row(groups, scale.rows - 1 - row, scale, plot)])
        corner = (" " * scale.width + self.glyphs.bottom_left, self.palette.line)
        lines.append([corner, *self._times(groups, plot)])
        return lines

    @property
    def _drawn_as(self) -> Graph:
        return self.graph if self.glyphs.dots else Graph.TTY

    def _row(self, groups: Sequence[BarGroup], level: int, scale: Scale, plot: int) -> list[Piece]:
        """One row of the plot."""
        cells: list[Piece] = [(" ", self.palette.text)] * plot
        chosen = self._place(groups) if self.has_focus and groups else None
        peaks = [group.peak(self.measure) for group in groups]
        highest = max((peak for peak in peaks if peak is not None), default=0)
        for place, (group, peak) in enumerate(zip(groups, peaks, strict=True)):
            piece = self._cell(group, peak, level, scale, highest)
            if place == chosen:
                piece = (piece[0], piece[1] + self.palette.cursor)
            gap = 1 if group.end - group.start > 2 else 0
            for at in range(group.start, max(group.end - gap, group.start + 1)):
                cells[at] = piece
        if self._drawn_as is Graph.BRAILLE:
            self._dot(cells, level, scale, plot)
        return joined(cells)

    def _cell(self, group: BarGroup, peak: int | None, level: int, scale: Scale, highest: int) -> Piece:
        palette, glyphs = self.palette, self.glyphs
        if peak is None:
            return (formats.UNKNOWN if level == 0 else " "), palette.faint
        filled = scale.height(peak) - level
        eighths = round(filled * len(glyphs.rises))
        if level == 0 and peak:
            eighths = max(eighths, 1)
        if eighths > 0:
            style = palette.peak if peak == highest else palette.chart
            if self.measure is ChartMeasure.PLAN:
                style = palette.plan
            return glyphs.rises[min(eighths, len(glyphs.rises)) - 1], style
        is_first_above = level == 0 or scale.height(peak) - (level - 1) > 0.5 / len(glyphs.rises)
        if group.is_partly_unknown and self.measure.is_amount and is_first_above:
            return glyphs.unpriced, palette.unknown
        return self._line(group, level, scale)

    def _line(self, group: BarGroup, level: int, scale: Scale) -> Piece:
        """What lies behind the columns: the pace that a limit allows, and what is usual."""
        palette, glyphs = self.palette, self.glyphs
        if self.even is not None and self.measure is ChartMeasure.COST and int(scale.height(self.even)) == level:
            return glyphs.limit, palette.warn
        usual = max((self.measure.of(spend) for spend in group.usual), default=0)
        if usual and int(scale.height(usual)) == level:
            return glyphs.usual, palette.muted
        return " ", palette.text

    def _dot(self, cells: list[Piece], level: int, scale: Scale, plot: int) -> None:
        """Two columns of dots in each cell of a bar, in place of blocks."""
        halves = [0.0] * (plot * 2)
        for group in grouped(self.shown, plot * 2):
            for at in range(group.start, group.end):
                halves[at] = scale.height(group.peak(self.measure) or 0)
        for cell, (_, style) in enumerate(cells):
            dots = 0
            for height, ladder in zip(halves[2 * cell : 2 * cell + 2], (_BRAILLE_LEFT, _BRAILLE_RIGHT), strict=True):
                quarters = round((height - level) * 4)
                if level == 0 and height > 0:
                    quarters = max(quarters, 1)
                if quarters > 0:
                    dots |= ladder[min(quarters, 4) - 1]
            if dots:
                cells[cell] = (chr(0x2800 + dots), style)

    def _times(self, groups: Sequence[BarGroup], plot: int) -> list[Piece]:
        """When the columns are, as often as there is room, and where the cursor is."""
        palette, glyphs = self.palette, self.glyphs
        cells: list[Piece] = [(glyphs.across, palette.line)] * plot
        if not groups:
            return joined(cells)
        last = self._time(groups[-1].bars[-1].since)
        wide = len(last) + _APART
        starts = [*range(0, plot - wide - len(last) + 1, max(wide, (plot - len(last)) // max(plot // (wide * 2), 1)))]
        words = [(start, self._time(groups[_at_cell(groups, start)].since)) for start in starts]
        for start, text in [*words, (plot - len(last), last)]:
            for at, letter in enumerate(text, max(start, 0)):
                if at < plot:
                    cells[at] = (letter, palette.muted)
        if self.has_focus:
            cells[groups[self._place(groups)].start] = (glyphs.up, palette.mark)
        return joined(cells)

    def _time(self, at: int) -> str:
        """As long as it takes to tell the steps of this window apart."""
        bars = self.shown
        whole = bars[-1].until - bars[0].since
        local = self.calendar.local(at)
        if self.unit == "day":
            return f"{local:%Y-%m-%d}" if whole >= _WITH_YEAR else f"{local:%m-%d}"
        is_one_day = self.calendar.local(bars[0].since).date() == self.calendar.local(bars[-1].since).date()
        return f"{local:%H:%M}" if is_one_day else f"{local:%m-%d %H:%M}"


def _at_cell(groups: Sequence[BarGroup], cell: int) -> int:
    return next((place for place, group in enumerate(groups) if cell < group.end), len(groups) - 1)
