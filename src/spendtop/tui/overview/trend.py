"""Spend day by day over months, of the requests that the current filter selects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from spendtop.domain.filters import FilterContext
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.selection import Selection
from spendtop.tui.widgets.day_chart import Day, DayChart, date_label

if TYPE_CHECKING:
    from spendtop.store.reads.bucket_spans import Span
    from spendtop.store.reads.rows import Spend
    from spendtop.tui.overview.questions import TrendFigures

_SHORT = 1.0
"""Seconds of a reading that shows no progress."""
_AGAIN_AFTER = 60.0
"""Seconds after which past days are read again, as late reports may have changed them."""
_SHARE = 20
"""That time at least as a multiple of what reading took."""


@dataclass(slots=True)
class _Reading:
    """Some days that are read in a thread."""

    days: int
    began: float
    told: int = -1
    ended: bool = False


class Trend:
    """Reads past days once and keeps them for a while; today is read again with every picture."""

    def __init__(self, screen: LiveScreen, chart: DayChart) -> None:
        self._screen = screen
        self._chart = chart
        self._of: tuple[int, str] | None = None
        self._spends: dict[int, Spend] = {}
        self._reading: _Reading | None = None
        self._read_again_at = 0.0

    def follow(self, count: int, selection: Selection, now: int, calendar: Calendar) -> None:
        """Show the last `count` local days, and read what of them is not known yet."""
        from spendtop.store.reads.daily import days_of, last_days
        from spendtop.tui.overview.questions import TrendQuestion

        if self._of != (count, selection.text):
            self.end()
            self._of, self._spends, self._chart.days = (count, selection.text), {}, None
            self._chart.redraw()
        if self._reading is not None:
            return
        days = days_of(last_days(count, now, calendar), calendar)
        is_due = monotonic() >= self._read_again_at
        wanted = [day for day in days[:-1] if is_due or day.since not in self._spends] + days[-1:]
        reading = self._reading = _Reading(len(wanted), monotonic())
        question = TrendQuestion(
            days=wanted,
            selected=selection.filter,
            context=FilterContext(now, calendar),
            goes_on=partial(self._goes_on, reading),
        )
        self._screen.ask(question, partial(self._take, reading, days, selection.text, calendar))

    def end(self) -> None:
        """Whatever is read at the moment is not wanted any more."""
        if self._reading is not None:
            self._reading.ended = True
        self._reading, self._read_again_at = None, 0.0

    def _goes_on(self, reading: _Reading, done: int) -> bool:
        """Runs in a thread."""
        percent = done * 100 // reading.days
        if not reading.ended and percent != reading.told and monotonic() - reading.began > _SHORT:
            reading.told = percent
            self._screen.app.call_from_thread(self._tell, reading)
        return not reading.ended

    def _tell(self, reading: _Reading) -> None:
        if not reading.ended:
            self._chart.reading = f"reading {reading.days} days: {reading.told} %"
            self._chart.redraw()

    def _take(
        self, reading: _Reading, days: list[Span], text: str, calendar: Calendar, figures: TrendFigures | None
    ) -> None:
        if reading is not self._reading or figures is None:
            return
        self._reading, self._chart.reading = None, ""
        now = monotonic()
        if reading.days == len(days):
            self._read_again_at = now + max(_AGAIN_AFTER, (now - reading.began) * _SHARE)
        self._spends |= figures.spends
        only = f", only {clean_line(text)}" if text.strip() else ""
        self._chart.show([self._day(day, calendar, len(days)) for day in days], "Spend/day", about=only)

    def _day(self, day: Span, calendar: Calendar, days: int) -> Day:
        """Days before the oldest request are not known to have cost nothing."""
        assert day.since is not None
        label = date_label(calendar.local(day.since), days)
        spend = self._spends.get(day.since)
        if spend is None:
            return Day(label=label, cost=None)
        return Day(label=label, cost=spend.known_cost, unpriced=bool(spend.unpriced))
