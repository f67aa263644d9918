"""Unusual spend: who spends far more than usual at this time of day, and the episodes of that. Pure.

What is usual is told by the same local hours of up to 28 days, by those of alike days (workdays or weekends) where
there are enough of them. Two spans are compared with it, each honestly although its hour is not over:

* the hour so far, with whole hours;
* the last minutes, a burst, with the largest bursts around the same hours, so that a job that always spends its money
  within minutes is nothing new.

Both must be above `factor` times the usual, and above what these hours have shown already: most of the largest ones by
a margin, and their median by several times the spread from day to day (of logarithms, as costs are skewed). Medians
and ranks are used throughout, so that one bad day among the samples changes nothing; that the recent days count by
themselves lets growth be usual.

Where there are many entities, chance alone makes one of them stand out now and then. So an alarm makes the next of the
same kind harder for a day (`AnomalyRule.after_another`): one odd hour is worth a word, many words are worth nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from statistics import median
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.alerting.episode import Decision, Episode, EpisodeState, MessageKind
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar

PAST_DAYS = 28
LEAST_SAMPLES = 7
BURST_MINUTES = 3
BURST_SAMPLES = 14
"""Days whose bursts are looked at; more would say little more, and each of them is read from the requests."""
CALM = HOUR
"""An episode is over when nothing was unusual for so long, in µs."""
AGAIN = 25 * HOUR
"""What is unusual within this time of the last episode's end goes on with that one, in µs, so that a new level that
stays is told of once and not every day until it is usual."""
_WORSE = 2
"""How much farther above the usual an episode has to be than when it spoke last, to speak again."""
_SPEAKS_EVERY = HOUR
_RECENT_DAYS = 7
_MARGIN = 1.25
"""How far above the largest samples something is new. Tried with the months of tests/domain/watched_months.py, as are
the numbers of _Tolerance: with more spikes are found later, with less there are more false alarms."""
_CAUTION = 2
"""How much more is allowed where there are few samples: both grow by this part of their number."""
_SIGMA = 1.4826
"""Of a normal distribution, as a multiple of the median absolute deviation."""
_WEEKEND = 5
_BURST_SHARE = BURST_MINUTES * MINUTE / HOUR
ONE_OF_A_KIND = DAY
"""For how long after an alarm the others of its kind have to stand out farther, in µs."""
_AFTER_ANOTHER = 1.5
"""How many times as much it then takes: less than what a spike of five times the usual would hide behind."""


class _Tolerance(NamedTuple):
    """What is allowed for how much days differ."""

    spreads: float
    """So many above the median are not new."""
    farthest: float
    """How far above the largest sample the spreads may lead at most, so that wild days do not hide everything."""


_OF_HOURS = _Tolerance(spreads=2.5, farthest=2.5)
_OF_BURSTS = _Tolerance(spreads=2, farthest=1.5)
"""Less, as each sample is the largest of three hours already."""


class AnomalyRule(Struct, frozen=True, kw_only=True):
    factor: float = 3
    """How many times the usual is unusual."""
    least: Usd = Usd(1_000_000_000)
    """By how much it has to be above the usual at least."""
    caution: float = 1
    """How many times as much it takes."""

    def after_another(self) -> AnomalyRule:
        """The same for an entity of a kind that had an alarm within ONE_OF_A_KIND."""
        return replace(self, caution=_AFTER_ANOTHER)

    def most(self, usual: float) -> float:
        """Up to where spend is not worth a word, whatever else is known; nano-USD as `usual`."""
        return max(self.factor * usual, usual + self.least.nano) * self.caution


class SameHour(NamedTuple):
    """The hour of an earlier day that shows the same local time."""

    start: int
    """UTC µs."""
    is_alike: bool
    """Whether both are workdays, or both of a weekend."""


class Usual(Struct, frozen=True, kw_only=True):
    """What an entity spends at this time of the day."""

    hour: float
    """Median of the same hours, in nano-USD; where these are mostly empty, the upper quartile of all hours with
    spend."""
    rarely: float
    """What an hour is not expected to exceed, in nano-USD."""
    starts: tuple[int, ...]
    """Of the hours that it is the median of, the newest first; none where there is no rhythm."""
    samples: int


class Excess(Struct, frozen=True, kw_only=True):
    """Spend that is unusual."""

    since: int
    """Begin of the span that is unusual, UTC µs."""
    spent: Usd
    usual: Usd
    """In a span of this length, at this time of day."""
    samples: int

    @property
    def times(self) -> float:
        """How many times the usual it is."""
        return self.spent.nano / max(self.usual.nano, 1)


class Spent(Struct, frozen=True, kw_only=True):
    """What an entity has spent by `now` (UTC µs), in nano-USD."""

    now: int
    hour: int
    """Since the hour began."""
    burst: int
    """Since `burst_start(now)`."""


def burst_start(now: int) -> int:
    """The minute in which the span of a burst begins that ends `now` (UTC µs)."""
    return now // MINUTE * MINUTE - (BURST_MINUTES - 1) * MINUTE


def same_hours(now: int, calendar: Calendar) -> tuple[SameHour, ...]:
    """The hours of the past days that show the same local hour as the one that `now` (UTC µs) is in, newest first."""
    wall = calendar.local(now // HOUR * HOUR).replace(tzinfo=None)
    hours: list[SameHour] = []
    for days in range(1, PAST_DAYS + 1):
        then = wall - timedelta(days=days)
        is_alike = (then.weekday() >= _WEEKEND) == (wall.weekday() >= _WEEKEND)
        hours.append(SameHour(calendar.instant(then) // HOUR * HOUR, is_alike))
    return tuple(hours)


def usual(spent: Mapping[int, int], hours: Sequence[SameHour]) -> Usual | None:
    """What is usual for an entity, by what it spent (nano-USD) in each hour (start in UTC µs) of the past days.

    None while there are too few samples: days from its first spend on.
    """
    first = min((start for start, nano in spent.items() if nano), default=None)
    known = [hour for hour in hours if first is not None and hour.start >= first]
    alike = [hour for hour in known if hour.is_alike]
    compared = [hour.start for hour in (alike if len(alike) >= LEAST_SAMPLES else known)]
    if len(compared) < LEAST_SAMPLES:
        return None
    samples = [spent.get(start, 0) for start in compared]
    # A job does not begin at the same minute every day, so that the hours beside it count for what was seen already.
    around = [max(spent.get(start + beside, 0) for beside in (-HOUR, 0, HOUR)) for start in compared]
    middle = max(median(samples), median(samples[:_RECENT_DAYS]))
    if middle:
        return Usual(hour=middle, rarely=_seldom(around, _OF_HOURS), starts=tuple(compared), samples=len(compared))
    active = sorted(nano for start, nano in spent.items() if nano and start <= compared[0] + HOUR)
    if len(active) < LEAST_SAMPLES:
        return None
    rarely = max(_seldom(around, _OF_HOURS), _seldom(active, _OF_HOURS))
    return Usual(hour=active[len(active) * 3 // 4], rarely=rarely, starts=(), samples=len(active))


def excess(rule: AnomalyRule, usual: Usual, spent: Spent, bursts: Callable[[], Sequence[int]]) -> Excess | None:
    """What is unusual about the hour so far or the last minutes.

    `bursts` gives the largest burst (nano-USD) around each of the newest BURST_SAMPLES hours of `usual.starts`, or
    fewer of them; it is only asked where the answer depends on it.
    """
    if spent.hour >= max(rule.most(usual.hour), usual.rarely * rule.caution):
        return _found(usual, spent.now // HOUR * HOUR, spent.hour, usual.hour)
    minutes = usual.hour * _BURST_SHARE
    if not usual.starts or spent.burst < rule.most(minutes):
        return None
    before = bursts()
    if len(before) < LEAST_SAMPLES or spent.burst < _seldom(before, _OF_BURSTS) * rule.caution:
        return None
    return _found(usual, burst_start(spent.now), spent.burst, minutes)


def largest_burst(minutes: Mapping[int, int]) -> int:
    """The most that was spent in BURST_MINUTES in a row, by what was spent in each minute (start in UTC µs)."""
    spans = ((start + offset * MINUTE for offset in range(BURST_MINUTES)) for start in minutes)
    return max((sum(minutes.get(minute, 0) for minute in span) for span in spans), default=0)


def decide(previous: Episode | None, found: Excess | None, now: int) -> Decision:
    """What becomes of the episode of an entity, and whether a message goes out.

    `previous` is the one that goes on: open, or over for less than AGAIN. How many times the usual it was when it spoke
    last is its `announced`, and when that was its `crossed_at`.
    """
    if previous is None:
        return Decision(episode=None) if found is None else _open(found, now)
    if found is None:
        return _calmer(previous, now)
    is_silent = previous.snoozed_until is not None and now < previous.snoozed_until
    is_worse = found.times >= previous.announced * _WORSE and now - previous.crossed_at >= _SPEAKS_EVERY
    speaks = not is_silent and (previous.snoozed_until is not None or is_worse)
    episode = replace(
        previous,
        state=EpisodeState.APPROACHING,
        window_end=None,
        announced=found.times if speaks else previous.announced,
        crossed_at=now if speaks else previous.crossed_at,
        falls=previous.falls + (previous.state is EpisodeState.RESOLVED),
        below_since=None,
        spoke=previous.spoke + speaks,
        snoozed_until=previous.snoozed_until if is_silent else None,
    )
    return Decision(episode=episode, announce=MessageKind.UNUSUAL if speaks else None)


def _open(found: Excess, now: int) -> Decision:
    episode = Episode(
        state=EpisodeState.APPROACHING,
        window_start=found.since,
        window_end=None,
        announced=found.times,
        crossed_at=now,
        spoke=1,
    )
    return Decision(episode=episode, announce=MessageKind.UNUSUAL)


def _calmer(previous: Episode, now: int) -> Decision:
    if previous.state is EpisodeState.RESOLVED:
        return Decision(episode=previous)
    if previous.below_since is None:
        return Decision(episode=replace(previous, below_since=now))
    if now - previous.below_since < CALM:
        return Decision(episode=previous)
    over = replace(previous, state=EpisodeState.RESOLVED, window_end=now, spoke=previous.spoke + 1, snoozed_until=None)
    return Decision(episode=over, announce=MessageKind.RESOLVED)


def _found(usual: Usual, since: int, spent: int, usual_then: float) -> Excess:
    return Excess(since=since, spent=Usd(spent), usual=Usd(round(usual_then)), samples=usual.samples)


def _seldom(samples: Sequence[int], allowed: _Tolerance) -> float:
    """What samples like these are not expected to exceed: most of the largest by a margin, and the median by some
    spreads, as far as that is not far above all there was.

    The one or two largest of all may be incidents of their own.
    """
    in_order, caution = sorted(samples), 1 + _CAUTION / len(samples)
    large = in_order[-min(len(in_order), 2 + len(in_order) // 10)] * _MARGIN * caution
    logarithms = [math.log(sample) for sample in in_order if sample > 0]
    if not logarithms:
        return large
    middle = median(logarithms)
    spread = median(abs(each - middle) for each in logarithms) * _SIGMA
    return max(large, min(math.exp(middle + allowed.spreads * caution * spread), in_order[-1] * allowed.farthest))
