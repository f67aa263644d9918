"""How a limit's use will go on: when it reaches the limit, and what it will be when its window ends. Pure.

What may come is made of what came before, a day at a time, as many times as there are paths. A past day is taken by how
it stood to the level of the week before it, and put to the level of now: growth, weekends and jobs at night go on as
they were, and outages and spikes come as often as they did. Days are counted back from the hour of now, and a day
follows one that lay alike among workdays and weekends. The band holds four of five paths;
`tests/domain/forecast_months.py` has the months that it was measured with.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import exp, log, sqrt
from random import Random
from statistics import fmean
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds, Calendar, Window, WindowKind

PAST_DAYS = 56
LEAST_DAYS = 8
"""With less of a past there is no forecast."""
_PATHS = 100
_LOW, _MIDDLE, _HIGH = _PATHS // 10, _PATHS // 2, _PATHS * 9 // 10
_FARTHEST = 31 * DAY
"""How far a limit without an end is looked ahead."""
_SHORTEST_ROLLING = 6 * HOUR
_FIRST = 2
"""Past days before the first one of which the level is known."""
_FLOOR = 0.05
"""The part of the average day that counts as level beside the week, so that an empty week is no dead end."""
_RECENT = 0.4
"""How far the last day moves the level that the week has, as an exponent."""
_CALM = 0.3
"""The part of the average day that softens the last day, and what was expected of it, before they are compared."""
_LEVEL_NOISE = 0.4
"""How uncertain the level of now is, as a part of how far alike days lie apart."""
_NEXT_TO_NOTHING = 0.2
_WEEKEND = 5

_Kind = tuple[bool, bool]
"""Whether a day's first and last hours are of a weekend."""


class _PastDay(NamedTuple):
    sums: Sequence[int]
    """Nano-USD until each of its hours, and until its end."""
    level: float
    """Of the week before it, nano-USD a day."""


class Forecast(Struct, frozen=True, kw_only=True):
    """How use may go on. Times are UTC µs; a band is from `low` to `high`, and holds four of five paths."""

    has_enough: bool = True
    """False where there is too little past to say anything."""
    reaches_at: int | None = None
    """When half of the paths have reached the limit; None where fewer do, and where it is reached already."""
    reaches_low: int | None = None
    """When a tenth has."""
    reaches_high: int | None = None
    """When nine of ten have; None where fewer do."""
    likely: float = 0.0
    """The share of paths that reach the limit."""
    end: Usd | None = None
    """Use when the window ends; None for a window that has no end."""
    end_low: Usd | None = None
    end_high: Usd | None = None
    linear: Usd | None = None
    """The same if the average of the window so far went on, for comparison."""


def horizon(window: Window, bounds: Bounds, now: int) -> int | None:
    """Until when use in this window is looked ahead (UTC µs); None for windows that are too short for it, or that
    belong to one thing."""
    match window.kind:
        case WindowKind.DAY | WindowKind.WEEK | WindowKind.MONTH:
            return bounds.end_us
        case WindowKind.LIFETIME:
            return now + _FARTHEST
        case WindowKind.ROLLING if window.length_us is not None and window.length_us >= _SHORTEST_ROLLING:
            return now + min(window.length_us, _FARTHEST)
        case _:
            return None


def past_since(now: int) -> int:
    """From when on the hours are needed that `Outlook` is made of, UTC µs."""
    return now // HOUR * HOUR - PAST_DAYS * DAY


class Outlook:
    """What may come of the spend of one entity, as seen from `now`."""

    def __init__(self, spent: Mapping[int, int], now: int, calendar: Calendar) -> None:
        """`spent` is in nano-USD by hour (start in UTC µs) since `past_since(now)`."""
        self._now, self._hour = now, now // HOUR * HOUR
        self._spent = spent
        self._calendar = calendar
        first = min((hour for hour, nano in spent.items() if nano and hour < self._hour), default=self._hour)
        # The first day is counted back whole, so that what was spent in it is in one of them.
        starts = [self._hour - days * DAY for days in range(-(-(self._hour - first) // DAY), 0, -1)]
        self.has_enough = self._hour - first >= LEAST_DAYS * DAY
        """Whether there is enough of a past for any path."""
        if self.has_enough:
            self._learn(starts)

    def forecast(
        self, limit: Usd, used: Usd, window: Window, bounds: Bounds, falls: Sequence[tuple[int, Usd]] = ()
    ) -> Forecast | None:
        """None where there is nothing to look ahead to. `falls` are the instants (UTC µs) from which on the limit is
        another amount, in their order."""
        until = horizon(window, bounds, self._now)
        if until is None or until <= self._now:
            return None
        if not self.has_enough:
            return Forecast(has_enough=False)
        paths, needed = self._paths(until), limit.nano - used.nano
        steps = [(self._now, needed), *((at, amount.nano - used.nano) for at, amount in falls)]
        if needed <= 0:
            found = _forecast([])
        elif window.kind is WindowKind.ROLLING:
            leaving = self._leaving(window.length_us or 0)
            hours = range(len(paths[0]))
            needs = [next(more for since, more in reversed(steps) if since <= self._at(hour)) for hour in hours]
            found = _forecast([self._rolls_to(path, needs, leaving) for path in paths])
        else:
            found = _forecast([self._reaches(path, steps) for path in paths])
        if bounds.end_us is None or bounds.start_us is None:
            return found
        ends = sorted(path[-1] for path in paths)
        low, middle, high = (used + Usd(round(ends[at])) for at in (_LOW, _MIDDLE, _HIGH))
        so_far = max(self._now - bounds.start_us, 1)
        linear = Usd(used.nano * (bounds.end_us - bounds.start_us) // so_far)
        return replace(found, end=middle, end_low=low, end_high=high, linear=linear)

    def _leaving(self, length: int) -> list[int]:
        """Nano-USD that leave a rolling window of this length (µs) until each full hour ahead."""
        first = self._hour - length // HOUR * HOUR
        return [0, *accumulate(self._spent.get(hour, 0) for hour in range(first, self._hour, HOUR))]

    def _learn(self, starts: Sequence[int]) -> None:
        """Take in the past days, the oldest first."""
        sums = [[0, *accumulate(self._spent.get(start + hour, 0) for hour in range(0, DAY, HOUR))] for start in starts]
        totals = [day[-1] for day in sums]
        self._average = fmean(totals)
        kinds = [self._kind(start) for start in starts]
        weeks = [self._of_week(totals[max(0, at - 7) : at]) for at in range(_FIRST, len(starts) + 1)]
        ratios: defaultdict[_Kind, list[float]] = defaultdict(list)
        for kind, total, week in zip(kinds[_FIRST:], totals[_FIRST:], weeks, strict=False):
            ratios[kind].append(total / week)
        self._usual = {kind: fmean(each) for kind, each in ratios.items()}
        levels = weeks[:1]
        for at, week in enumerate(weeks[1:], _FIRST):
            levels.append(self._moved(week, totals[at], self._usual[kinds[at]] * weeks[at - _FIRST]))
        self._alike: defaultdict[_Kind, list[_PastDay]] = defaultdict(list)
        for kind, day, level in zip(kinds[_FIRST:], sums[_FIRST:], levels, strict=False):
            self._alike[kind].append(_PastDay(day, level))
        self._all = [day for alike in self._alike.values() for day in alike]
        self._week, self._level = totals[-7:], levels[-1]
        self._spread = self._spread_of_days()

    def _spread_of_days(self) -> float:
        """How far days lie from those that are alike, as the deviation of logarithms; those of next to nothing left
        out."""
        off = [
            log(day.sums[-1] / day.level / usual) ** 2
            for kind, usual in self._usual.items()
            for day in self._alike[kind]
            if day.sums[-1] > _NEXT_TO_NOTHING * usual * day.level
        ]
        return fmean(off) ** 0.5 if off else 0.5

    def _of_week(self, totals: Sequence[float]) -> float:
        return fmean(totals) + _FLOOR * self._average

    def _moved(self, week: float, day: float, expected: float) -> float:
        """The level of a week whose last day was not what was expected of it."""
        calm = _CALM * self._average
        return float(week * ((day + calm) / (expected + calm)) ** _RECENT)

    def _kind(self, start: int) -> _Kind:
        first, last = (self._calendar.local(at).weekday() >= _WEEKEND for at in (start, start + DAY - HOUR))
        return first, last

    def _paths(self, until: int) -> list[list[float]]:
        """Nano-USD spent from now until each full hour ahead and, last, until `until`; the first of a path is zero."""
        kinds = [self._kind(begin) for begin in range(self._hour, until, DAY)]
        hours = -(-(until - self._hour) // HOUR)
        gone, last = (self._now - self._hour) / HOUR, (until - self._hour) / HOUR - hours + 1
        paths = []
        for number in range(_PATHS):
            path = self._path(kinds, gone, Random(number))[: hours + 1]
            path[-1] = path[-2] + (path[-1] - path[-2]) * last
            paths.append(path)
        return paths

    def _path(self, kinds: Sequence[_Kind], gone: float, chance: Random) -> list[float]:
        """One of them over whole days; `gone` is the part of the first hour that is over."""
        level = self._level * exp(chance.gauss(0, _LEVEL_NOISE * self._spread))
        week: list[float] = list(self._week)
        path = [0.0]
        for kind in kinds:
            alike = self._alike.get(kind) or self._all
            sums, its_level = alike[int(chance.random() * len(alike))]
            scale = level / its_level * exp(chance.gauss(0, self._spread / sqrt(len(alike))))
            begin = path[-1] - (0 if len(path) > 1 else sums[1] * scale * gone)
            path += [begin + spent * scale for spent in sums[1:]]
            day = sums[-1] * scale
            week.append(day)
            level = self._moved(self._of_week(week[-7:]), day, self._usual.get(kind, 1.0) * level)
        return path

    def _reaches(self, path: Sequence[float], steps: Sequence[tuple[int, int]]) -> int | None:
        """When a path has spent what is needed, UTC µs. `steps` say how much that is from when on."""
        ends = [*(since for since, _ in steps[1:]), None]
        for (since, needed), end in zip(steps, ends, strict=True):
            at = self._spent_at(path, needed)
            if at is not None and (end is None or at < end):
                return max(at, since)
        return None

    def _spent_at(self, path: Sequence[float], needed: int) -> int | None:
        """When a path has spent so much; within an hour evenly."""
        at = bisect_left(path, needed)
        if at >= len(path):
            return None
        if not at:
            return self._now
        begin = max(self._now, self._hour + (at - 1) * HOUR)
        part = (needed - path[at - 1]) / (path[at] - path[at - 1])
        return begin + round(part * (self._hour + at * HOUR - begin))

    def _rolls_to(self, path: Sequence[float], needs: Sequence[int], leaving: Sequence[int]) -> int | None:
        """The same where what was spent leaves the window again, hour by hour; `needs` has what is needed in each."""
        net = (come - leaving[min(at, len(leaving) - 1)] for at, come in enumerate(path))
        reached = (at for at, (spent, needed) in enumerate(zip(net, needs, strict=False)) if spent >= needed)
        return next((self._at(hour) for hour in reached), None)

    def _at(self, hour: int) -> int:
        """When so many full hours are over, UTC µs."""
        return max(self._now, self._hour + hour * HOUR)


def _forecast(reaches: Sequence[int | None]) -> Forecast:
    reached = sorted(at for at in reaches if at is not None)

    def when(at: int) -> int | None:
        return reached[at] if at < len(reached) else None

    return Forecast(
        reaches_at=when(_MIDDLE), reaches_low=when(_LOW), reaches_high=when(_HIGH), likely=len(reached) / _PATHS
    )


def reach_words(found: Forecast, now: int, calendar: Calendar) -> str:
    """When the limit is reached, in words for people, with the band."""
    if not found.has_enough:
        return "not enough data"
    if found.reaches_at is None or found.reaches_low is None:
        return f"not expected, {found.likely:.0%} likely" if found.likely else "not expected"
    low, middle = (moment(at, now, calendar) for at in (found.reaches_low, found.reaches_at))
    if found.reaches_high is None:
        return f"about {middle} (from {low})"
    high = moment(found.reaches_high, now, calendar)
    return f"about {middle}" if low == high else f"about {middle} ({low}-{high})"


def moment(at: int, now: int, calendar: Calendar) -> str:
    """An instant ahead in as few words as say it: the time today, with the weekday within a week, and else the date."""
    local = calendar.local(at)
    days = (local.date() - calendar.local(now).date()).days
    if not days:
        return f"{local:%H:%M}"
    return f"{local:%a %H:%M}" if days < 7 else f"{local:%m-%d}"
