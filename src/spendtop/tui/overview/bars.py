"""What the chart shows of a window: its steps with their spend, what is usual, and what a limit allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.windows import Window, WindowKind
from spendtop.tui.overview.timeline import Timeline
from spendtop.tui.widgets.chart import Bar

if TYPE_CHECKING:
    from spendtop.store.reads.limits.uses import LimitUse
    from spendtop.store.reads.overview import Overview
    from spendtop.store.reads.rows import Spend

_LENGTHS = {WindowKind.HOUR: HOUR, WindowKind.DAY: DAY, WindowKind.WEEK: 7 * DAY, WindowKind.MONTH: 30 * DAY}


def bars_of(line: Timeline, spends: Mapping[int, Spend], oldest: int | None) -> list[Bar]:
    """Of steps before the oldest request (UTC µs) it is not known that they cost nothing."""
    from spendtop.store.reads.rows import Spend

    shown = []
    for since, until in line.steps:
        assert since is not None and until is not None
        is_known = oldest is not None and until > oldest
        shown.append(Bar(since, until, spends.get(since, Spend.nothing()) if is_known else None))
    return shown


def bars_of_all(line: Timeline, overview: Overview) -> list[Bar]:
    """With what is usual in the hour of each step."""
    from spendtop.store.reads.rows import Spend

    spends = {bucket.start: bucket.spend for bucket in overview.chart}
    shown = []
    for since, until in line.steps:
        assert since is not None and until is not None and line.step is not None
        hour = overview.usual.get(since // HOUR * HOUR)
        usual = None if hour is None else hour.mean(line.step, HOUR)
        shown.append(Bar(since, until, spends.get(since, Spend.nothing()), usual))
    return shown


def plan_bars(line: Timeline, spends: Mapping[int, Spend]) -> list[Bar]:
    """Of usage under a plan."""
    from spendtop.store.reads.rows import Spend

    spans = [(since or 0, until or 0) for since, until in line.steps]
    return [Bar(since, until, spends.get(since, Spend.nothing())) for since, until in spans]


def even_pace(uses: Sequence[LimitUse], line: Timeline) -> float | None:
    """Nano-USD that a step may cost if the tightest limit on everyone's whole spend is to last just as long as its
    window; None without such a limit."""
    length = DAY if line.step is None else line.step
    paces = [
        use.limit.amount.nano / window * length
        for use in uses
        if (use.limit.each, use.limit.where, use.limit.measure) == (None, None, LimitedValue.SPEND)
        and (window := _length(use.limit.window))
    ]
    return min(paces, default=None)


def _length(window: Window) -> int | None:
    """µs; None where the window has no length."""
    return window.length_us if window.kind is WindowKind.ROLLING else _LENGTHS.get(window.kind)
