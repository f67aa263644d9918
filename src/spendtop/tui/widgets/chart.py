"""Spend over time as columns: in blocks, in braille, or in plain characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from spendtop.domain.clock import MINUTE
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Line, Panel, Piece

if TYPE_CHECKING:
    from spendtop.store.reads.spending import Bucket

_AXIS = 8
_BRAILLE_LEFT = (0x40, 0x44, 0x46, 0x47)
_BRAILLE_RIGHT = (0x80, 0xA0, 0xB0, 0xB8)
_NICE = (1, 2, 5, 10)


class Graph(StrEnum):
    BLOCK = "block"
    BRAILLE = "braille"
    TTY = "tty"


@dataclass(frozen=True, slots=True)
class Series:
    """Spend per minute, evenly over a span."""

    rates: tuple[float, ...]
    """Nano-USD per minute, oldest first."""
    unpriced: tuple[bool, ...]
    """Whether requests of unknown cost lie there."""


def resample(buckets: Sequence[Bucket], step: int, since: int, until: int, columns: int) -> Series:
    """Buckets as `columns` equal parts of `since`..`until` (UTC µs), keeping the area under them."""
    rates = [0.0] * columns
    unpriced = [False] * columns
    if not columns or until <= since:
        return Series((), ())
    wide = (until - since) / columns
    for bucket in buckets:
        start, end = max(bucket.start, since), min(bucket.start + step, until)
        if end <= start:
            continue
        per_micro = bucket.spend.cost.nano / (end - start)
        first = min(int((start - since) / wide), columns - 1)
        last = min(int((end - 1 - since) / wide), columns - 1)
        for column in range(first, last + 1):
            left, right = since + column * wide, since + (column + 1) * wide
            overlap = max(min(end, right) - max(start, left), 0.0)
            rates[column] += per_micro * overlap / wide * MINUTE
            unpriced[column] |= bool(bucket.spend.unpriced)
    return Series(tuple(rates), tuple(unpriced))


def nice_ceiling(rate: float) -> int:
    """A round number of nano-USD not below `rate`: 1, 2 or 5 times a power of ten."""
    if rate <= 0:
        return 10_000_000
    power = 10 ** (len(str(int(rate))) - 1)
    return next(int(factor * power) for factor in _NICE if factor * power >= rate)


class SpendChart(Panel):
    """Spend per minute over the chosen span."""

    def __init__(self) -> None:
        super().__init__(id="chart")
        self.buckets: Sequence[Bucket] | None = None
        """None until they were read."""
        self.step = MINUTE
        self.span = 60 * MINUTE
        self.until = 0
        self.calendar = Calendar()
        self.graph = Graph.BLOCK

    @property
    def title_line(self) -> Line:
        return [("Spend/min", self.palette.title), (f" last {formats.span(self.span)}", self.palette.muted)]

    def show(self, buckets: Sequence[Bucket], step: int, span: int, until: int) -> None:
        """Draw these buckets of `step` µs over the `span` that ends at `until`."""
        self.buckets, self.step, self.span, self.until = buckets, step, span, until
        unpriced = any(bucket.spend.unpriced for bucket in buckets)
        self.note = [(f"{self.glyphs.unpriced} unpriced, not in $", self.palette.unknown)] if unpriced else ()
        self.redraw()

    def content(self, width: int, height: int) -> list[Line]:
        if self.buckets is None:
            return self.unread
        plot, rows = max(width - _AXIS, 1), max(height - 1, 1)
        dense = 2 if self._drawn_as is Graph.BRAILLE else 1
        series = resample(self.buckets, self.step, self.until - self.span, self.until, plot * dense)
        top = nice_ceiling(max(series.rates, default=0.0))
        lines: list[Line] = []
        for row in range(rows):
            level = rows - 1 - row
            lines.append([*self._label(row, rows, top), *self._bars(series, level, rows, top)])
        lines.append(self._times(plot))
        return lines

    @property
    def _drawn_as(self) -> Graph:
        if not self.glyphs.dots:
            return Graph.TTY
        return self.graph

    def _label(self, row: int, rows: int, top: int) -> list[Piece]:
        palette, glyphs = self.palette, self.glyphs
        shares = {0: 1.0, rows // 2: (rows - rows // 2) / rows} if rows > 3 else {0: 1.0}
        if row in shares:
            text = formats.short_usd(Usd(round(top * shares[row])), _AXIS - 1)
            return [(f"{text:>{_AXIS - 1}}", palette.muted), (glyphs.tee, palette.line)]
        return [(" " * (_AXIS - 1), palette.muted), (glyphs.down, palette.line)]

    def _bars(self, series: Series, level: int, rows: int, top: int) -> list[Piece]:
        """One row of the plot; neighbours of equal style are one piece."""
        pieces: list[Piece] = []
        palette, glyphs = self.palette, self.glyphs
        highest = max(series.rates, default=0.0)
        braille = self._drawn_as is Graph.BRAILLE
        cells = range(0, len(series.rates), 2 if braille else 1)
        for index in cells:
            rate = max(series.rates[index : index + 2]) if braille else series.rates[index]
            missing = any(series.unpriced[index : index + 2]) if braille else series.unpriced[index]
            filled = rate / top * rows - level
            if missing and level == 0 and filled < 1 / len(glyphs.rises):
                text, style = glyphs.unpriced, palette.unknown
            else:
                text = self._braille(series, index, level, rows, top) if braille else self._block(filled, level)
                style = palette.peak if rate == highest and rate else palette.chart
                style = palette.unknown if missing and level == 0 else style
            if pieces and pieces[-1][1] is style:
                pieces[-1] = (pieces[-1][0] + text, style)
            else:
                pieces.append((text, style))
        return pieces

    def _block(self, filled: float, level: int) -> str:
        rises = self.glyphs.rises
        eighths = round(filled * len(rises))
        if eighths <= 0:
            return rises[0] if level == 0 and filled > 0 else " "
        return rises[min(eighths, len(rises)) - 1]

    def _braille(self, series: Series, index: int, level: int, rows: int, top: int) -> str:
        dots = 0
        for rate, ladder in zip(series.rates[index : index + 2], (_BRAILLE_LEFT, _BRAILLE_RIGHT), strict=False):
            quarters = round((rate / top * rows - level) * 4)
            if level == 0 and rate > 0:
                quarters = max(quarters, 1)
            if quarters > 0:
                dots |= ladder[min(quarters, 4) - 1]
        return chr(0x2800 + dots) if dots else " "

    def _times(self, plot: int) -> list[Piece]:
        palette, glyphs = self.palette, self.glyphs
        line = [glyphs.across] * plot
        last = formats.minute(self.until, self.calendar)
        marks = [(0, self.until - self.span), (plot // 2 - 2, self.until - self.span // 2)]
        if self.until:
            for at, moment in marks if plot >= 24 else marks[:1]:
                line[at : at + 5] = formats.minute(moment, self.calendar)
            line[plot - len(last) : plot] = last
        return [(" " * (_AXIS - 1) + glyphs.bottom_left, palette.line), ("".join(line)[:plot], palette.muted)]
