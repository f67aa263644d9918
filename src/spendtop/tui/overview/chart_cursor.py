"""What is known of the step under the chart's cursor: when, how much, how many, and who most of all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from spendtop.domain.filters.filters import Filter, FilterContext
from spendtop.domain.money import Usd
from spendtop.tui import formats
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.widgets.canvas import Line, Piece, fit_middle, length
from spendtop.tui.widgets.chart import BarGroup, ChartMeasure, SpendChart

if TYPE_CHECKING:
    from spendtop.store.reads.spending.sums import KeySpend

_AROUND = 8
"""Cells of the frame beside the words."""
_WHOSE = 14
"""Cells of a name."""
_DEBOUNCE = 0.12
"""Seconds for which the cursor rests before it is asked who."""
_ONE_STEP = timedelta(minutes=1)
"""Of this length a step is told by its begin alone."""


class ChartCursor:
    def __init__(self, screen: LiveScreen, charted: Callable[[], Filter]) -> None:
        self._screen = screen
        self._charted = charted
        self._asked: tuple[int, int] | None = None
        self._largest: KeySpend | None = None

    def ask(self) -> None:
        """Say what is known already, and ask for the rest."""
        group = self._chart.group
        if group is None:
            return
        if self._asked != (group.since, group.until):
            self._asked, self._largest = (group.since, group.until), None
        self._say()
        self._screen.set_timer(_DEBOUNCE, partial(self._ask_who, group.since, group.until))

    def _ask_who(self, since: int, until: int) -> None:
        from spendtop.store.reads.spending.bucket_spans import Span
        from spendtop.tui.overview.questions import LargestUserQuestion

        if self._asked != (since, until) or not self._chart.has_focus or self._screen.face.store is None:
            return
        if self._chart.measure is ChartMeasure.PLAN:
            return
        question = LargestUserQuestion(
            span=Span(since, until),
            selected=self._charted(),
            context=FilterContext(self._screen.face.session.clock(), self._screen.calendar),
        )
        self._screen.ask(question, partial(self._take, (since, until)))

    def _take(self, asked: tuple[int, int], largest: KeySpend | None) -> None:
        if asked == self._asked:
            self._largest = largest
            self._say()

    @property
    def _chart(self) -> SpendChart:
        return self._screen.query_one(SpendChart)

    def _say(self) -> None:
        chart, group = self._chart, self._chart.group
        if group is not None:
            chart.said = self._words(group, chart, chart.size.width - _AROUND)
            chart.redraw()
            self._screen.refresh_notice()

    def remarks(self) -> Line:
        """The same with more room."""
        chart = self._chart
        if chart.group is None:
            return ()
        return [(" ", self._screen.face.palette.text), *self._words(chart.group, chart, self._screen.size.width - 2)]

    def _words(self, group: BarGroup, chart: SpendChart, room: int) -> list[Piece]:
        """As much as there is room for, the most important first."""
        palette, between = self._screen.face.palette, f" {self._screen.face.glyphs.between} "
        spend = group.spend
        words: list[Piece] = [(_when(group, chart), palette.strong)]
        if spend is None:
            return [*words, (f"{between}not known", palette.muted)]
        if chart.measure is ChartMeasure.PLAN:
            words.append((f" {formats.equivalent(spend)}", palette.plan))
        else:
            words.append((f" {formats.spend(spend)}", palette.unknown if spend.known_cost is None else palette.money))
        further: list[Line] = [[(f"{between}{formats.count(spend.requests)} req", palette.text)]]
        largest = None if chart.measure is ChartMeasure.PLAN else self._largest
        if largest is not None and largest.spend.cost <= spend.cost:  # else the chart is not as new
            name = fit_middle(str(largest.key) or "(no user)", _WHOSE, self._screen.face.glyphs.cut).rstrip()
            share = formats.share(largest.spend, spend)
            further.append([(between, palette.muted), (name, palette.who), (f" {share}", palette.muted)])
        usual = group.usual
        if usual:
            mean = sum(each.cost.nano for each in usual)
            further.append([(f"{between}usual {Usd(mean)}", palette.muted)])
        for part in further:
            if length([*words, *part]) <= room:
                words += part
        return words


def _when(group: BarGroup, chart: SpendChart) -> str:
    """The step, or the first and the last minute of several."""
    first, last = chart.calendar.local(group.since), chart.calendar.local(group.until)
    if chart.unit == "day":
        newest = chart.calendar.local(group.until - 1)
        return f"{first:%m-%d}" if len(group.bars) == 1 else f"{first:%m-%d}..{newest:%m-%d}"
    day = "" if first.date() == chart.calendar.local(chart.newest).date() else f"{first:%m-%d} "
    return f"{day}{first:%H:%M}" if last - first <= _ONE_STEP else f"{day}{first:%H:%M}..{last:%H:%M}"
