"""Spend step by step of the requests that the current filter selects, and day by day over months."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct

from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.windows import Calendar
from spendtop.tui.overview.bars import bars_of
from spendtop.tui.overview.timeline import Timeline
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.selection import Selection
from spendtop.tui.widgets.chart import SpendChart

if TYPE_CHECKING:
    from spendtop.store.reads.rows import Spend
    from spendtop.store.reads.spending.bucket_spans import Span
    from spendtop.tui.overview.questions import TrendFigures

_PART = 60
"""Steps that are read at once."""
_SHORT = 1.0
"""Seconds of a reading that shows no progress."""
_AGAIN_AFTER = 60.0
"""Seconds after which past parts are read again, as late reports may have changed them."""
_SHARE = 20
"""That time at least as a multiple of what reading took."""


class _Reading(Struct):
    """Some parts that are read in a thread."""

    parts: int
    began: float
    told: int = -1
    ended: bool = False


class Trend:
    """Reads past parts of a window once and keeps them for a while; the last one is read with every picture."""

    def __init__(self, screen: LiveScreen, chart: SpendChart) -> None:
        self._screen = screen
        self._chart = chart
        self._of: tuple[str, str, str, int | None] | None = None
        self._spends: dict[Span, dict[int, Spend]] = {}
        self._reading: _Reading | None = None
        self._read_again_at = 0.0

    def follow(self, line: Timeline, selection: Selection, now: int, calendar: Calendar) -> None:
        """Show the steps of `line`, and read what of them is not known yet."""
        from spendtop.tui.overview.questions import TrendQuestion

        past = now if self._screen.face.time_machine.is_past else None
        of = (line.name, line.unit, selection.text, past)
        if self._of != of:
            self.end()
            self._of, self._spends, self._chart.bars = of, {}, None
            self._chart.redraw()
        if self._reading is not None:
            return
        parts = _parts(line)
        is_due = monotonic() >= self._read_again_at
        wanted = [part for part in parts[:-1] if is_due or part not in self._spends] + parts[-1:]
        reading = self._reading = _Reading(len(wanted), monotonic())
        question = TrendQuestion(
            parts=wanted,
            step=line.step,
            selected=selection.filter,
            context=FilterContext(now, calendar),
            goes_on=partial(self._goes_on, reading),
        )
        self._screen.ask(question, partial(self._take, reading, line, parts))

    def end(self) -> None:
        """Whatever is read at the moment is not wanted any more."""
        if self._reading is not None:
            self._reading.ended = True
        self._of, self._reading, self._read_again_at = None, None, 0.0

    def _goes_on(self, reading: _Reading, done: int) -> bool:
        """Runs in a thread."""
        percent = done * 100 // reading.parts
        if not reading.ended and percent != reading.told and monotonic() - reading.began > _SHORT:
            reading.told = percent
            self._screen.app.call_from_thread(self._tell, reading)
        return not reading.ended

    def _tell(self, reading: _Reading) -> None:
        if not reading.ended:
            self._chart.reading = f"reading: {reading.told} %"
            self._chart.redraw()

    def _take(self, reading: _Reading, line: Timeline, parts: list[Span], figures: TrendFigures | None) -> None:
        if reading is not self._reading or figures is None:
            return
        self._reading, self._chart.reading = None, ""
        now = monotonic()
        if reading.parts == len(parts):
            self._read_again_at = now + max(_AGAIN_AFTER, (now - reading.began) * _SHARE)
        kept = {part: steps for part, steps in self._spends.items() if part in parts}
        self._spends = kept | figures.spends
        spends = {start: spend for steps in self._spends.values() for start, spend in steps.items()}
        self._chart.show(bars_of(line, spends, figures.oldest))


def _parts(line: Timeline) -> list[Span]:
    from spendtop.store.reads.requests.stepped import parts_of

    return list(line.steps) if line.step is None else parts_of(line.shown, line.step, _PART * line.step)
