"""How plans of coding agents stand, in few cells: what providers say of their windows, and blocks that are guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.agents.plan_windows import PlanWindow
from spendtop.domain.clock import age
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.glyphs import Glyphs
from spendtop.tui.palette import Palette
from spendtop.tui.widgets.canvas import Line, Piece, fit_right, length
from spendtop.tui.widgets.gauge import gauge

if TYPE_CHECKING:
    from spendtop.store.reads.agents.blocks import OpenBlock

_WARN, _BAD = 80, 100
"""Percent."""
_BAR = 12


@dataclass(frozen=True, slots=True)
class PlanStanding:
    """As of an instant (UTC µs)."""

    now: int
    calendar: Calendar
    windows: tuple[PlanWindow, ...] = ()
    blocks: tuple[OpenBlock, ...] = ()

    def lines(self, width: int, height: int, palette: Palette, glyphs: Glyphs) -> list[Line]:
        """What providers say first; of a window that is over nothing is known, and a block is whole or left out."""
        told = [self._window(each, width, palette, glyphs) for each in self.windows if each.stands(self.now)]
        lines = told[: max(height, 0)]
        for block in self.blocks:
            more = list(self._block(block, width, palette))
            lines += more if len(lines) + len(more) <= height else ()
        return lines

    def words_of(self, agent: str, palette: Palette) -> Line:
        """The windows of one agent in a line: `5h 45% said 12m ago  `."""
        standing = [each for each in self.windows if each.agent == agent and each.stands(self.now)]
        return [piece for each in standing for piece in self._words(each, palette)]

    def _words(self, window: PlanWindow, palette: Palette) -> Line:
        said = f" said {age(max(self.now - window.at, 0))} ago  "
        used: Piece = (f"{window.used_percent:.0f}%", self._style(window, palette))
        return [(f"{window.name} ", palette.text), used, (said, palette.muted)]

    @staticmethod
    def _style(window: PlanWindow, palette: Palette) -> Style:
        used = window.used_percent
        return palette.bad if used >= _BAD else palette.warn if used >= _WARN else palette.good

    def _window(self, window: PlanWindow, width: int, palette: Palette, glyphs: Glyphs) -> Line:
        """`codex 5h 45%  until 04:30  12m`: the last is how old that word is."""
        used, style = window.used_percent, self._style(window, palette)
        name = f"{window.agent} {window.name} "
        old = age(max(self.now - window.at, 0))
        until = "" if window.resets_at is None else formats.moment(window.resets_at, self.now, self.calendar)
        for rest in (f"  until {until}  said {old} ago", f" until {until} {old}", f" {until} {old}", f" {until}"):
            line: Line = [(name, palette.text), (f"{used:.0f}%", style), (rest if until else f" {old}", palette.muted)]
            if length(line) <= width:
                break
        room = width - length(line) - 1
        if room >= _BAR:
            line = [
                *line,
                (" ", palette.text),
                *gauge(used / 100, room, palette.plan, palette.bad, palette.rest, glyphs),
            ]
        return line

    def _block(self, block: OpenBlock, width: int, palette: Palette) -> Iterator[Line]:
        """`claude-code 5h block, a guess  ~$1.86  ~$0.74/h  ends 05:00`, on two lines where one is too narrow."""
        unpriced = f" +{formats.count(block.unpriced)}?" if block.unpriced else ""
        name: Line = [(f"{block.agent} 5h block", palette.text), (" (guess)", palette.muted)]
        ends = f"  ends {formats.minute(block.ends_at, self.calendar)}"
        figures: Line = [
            (f"  ~{block.equivalent}{unpriced}", palette.plan),
            (f"  ~{block.pace(self.now)}/h", palette.muted),
            (ends, palette.text),
        ]
        if length([*name, *figures]) <= width:
            yield [*name, *figures]
            return
        yield name
        if length(figures) > width:
            figures = [(f"  ~{block.equivalent}", palette.plan), (fit_right(ends, len(ends)), palette.text)]
        yield figures
