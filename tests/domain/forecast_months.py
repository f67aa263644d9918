"""Months of made-up spending by the hour, in regimes, with the weeks before them: what a forecast has to cope with.

A month begins on a Monday after five weeks of past. Seven regimes: steady traffic, growth, weekends, outages, spikes,
a single user, and a company that is the sum of several. The same regime and seed are the same month.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

PAST_DAYS, MONTH_DAYS = 35, 30
DAYS = PAST_DAYS + MONTH_DAYS
HOURS = DAYS * 24
SEEDS = 30
"""Of each regime; seven times as many months in all."""
NANO = 1_000_000_000
_WEIGHT_OF_HOUR = (2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 20, 20, 17, 18, 20, 19, 17, 14, 10, 8, 7, 6, 5, 3)

Hours = list[float]
"""Dollars of each hour."""


class SeededMonth(NamedTuple):
    regime: str
    seed: int
    hours: tuple[int, ...]
    """Nano-USD of each hour of the past and of the month."""

    def between(self, begin: int, end: int) -> int:
        """Nano-USD of the hours from `begin` on and before `end`."""
        return sum(self.hours[begin:end])


def months() -> list[SeededMonth]:
    return [made(regime, seed) for regime in REGIMES for seed in range(SEEDS)]


def made(regime: str, seed: int) -> SeededMonth:
    hours = REGIMES[regime](Random(f"{regime} {seed}"))
    return SeededMonth(regime, seed, tuple(round(dollars * NANO) for dollars in hours))


def _traffic(
    chance: Random,
    *,
    daily_growth: float = 1.0,
    weekend: float = 1.0,
    day_noise: float = 0.15,
    drift: float = 0.03,
    least_floor: float = 0.05,
) -> Hours:
    """Traffic that follows the day; `drift` moves its level from day to day for good, `day_noise` for a day."""
    peak, floor = math.exp(chance.uniform(math.log(0.5), math.log(50))), chance.uniform(least_floor, 0.6)
    shape = [max(weight / 20, floor) for weight in _WEIGHT_OF_HOUR]
    hour_noise, hours, level = chance.uniform(0.05, 0.35), Hours(), 1.0
    for day in range(DAYS):
        level *= daily_growth * math.exp(chance.gauss(0, drift))
        today = level * math.exp(chance.gauss(0, day_noise)) * (weekend if day % 7 >= 5 else 1)
        hours += [peak * today * weight * math.exp(chance.gauss(0, hour_noise)) for weight in shape]
    return hours


def _steady(chance: Random) -> Hours:
    return _traffic(chance, weekend=chance.uniform(0.8, 1), day_noise=chance.uniform(0.05, 0.2))


def _growth(chance: Random) -> Hours:
    return _traffic(chance, daily_growth=chance.uniform(0.98, 1.05), weekend=chance.uniform(0.3, 1))


def _weekends(chance: Random) -> Hours:
    return _traffic(chance, weekend=chance.uniform(0.02, 0.3), day_noise=chance.uniform(0.1, 0.25))


def _outages(chance: Random) -> Hours:
    hours = _traffic(chance, weekend=chance.uniform(0.3, 1))
    for _ in range(chance.randrange(2, 7)):
        begins, lasts = chance.randrange(HOURS), chance.randrange(2, 30)
        for hour in range(begins, min(begins + lasts, HOURS)):
            hours[hour] = 0.0
    return hours


def _spikes(chance: Random) -> Hours:
    hours = _traffic(chance, weekend=chance.uniform(0.3, 1))
    a_day = chance.uniform(0.1, 0.6)
    for day in range(DAYS):
        if chance.random() < a_day:
            begins, lasts, times = chance.randrange(24), chance.randrange(1, 4), chance.uniform(2, 8)
            usual = sum(hours[day * 24 : day * 24 + 24]) / 24
            for hour in range(day * 24 + begins, min(day * 24 + begins + lasts, HOURS)):
                hours[hour] += times * usual
    return hours


def _single_user(chance: Random) -> Hours:
    """Somebody at work: some hours of most workdays, seldom else, and away now and then for days."""
    begins, lasts, dollars = chance.randrange(7, 12), chance.randrange(4, 10), math.exp(chance.gauss(0, 1))
    likely, hours, away = chance.uniform(0.4, 0.9), [0.0] * HOURS, 0
    for day in range(DAYS):
        away = max(away - 1, 0) or (chance.randrange(1, 5) if chance.random() < 0.04 else 0)
        today = math.exp(chance.gauss(0, 0.4))
        for hour in range(24):
            at_work = day % 7 < 5 and begins <= hour < begins + lasts
            if not away and chance.random() < (likely if at_work else 0.02):
                hours[day * 24 + hour] = dollars * today * math.exp(chance.gauss(0, 0.6))
    return hours


def _company(chance: Random) -> Hours:
    """Several of the others together, and a job at night."""
    kinds = [_growth, _weekends, _spikes, *[_single_user] * 4]
    parts = [kind(chance) for kind in kinds]
    hours = [sum(each) for each in zip(*parts, strict=True)]
    at, job = chance.randrange(6), sum(hours) / DAYS * chance.uniform(0.05, 0.4)
    for day in range(DAYS):
        hours[day * 24 + at] += job * math.exp(chance.gauss(0, 0.3))
    return hours


REGIMES: dict[str, Callable[[Random], Hours]] = {
    "steady": _steady,
    "growth": _growth,
    "weekends": _weekends,
    "outages": _outages,
    "spikes": _spikes,
    "single user": _single_user,
    "company": _company,
}


class Question(NamedTuple):
    """What a window will have spent at its end, asked at an hour within it. Hours count from the begin of the past."""

    kind: str
    begin: int
    now: int
    end: int


def questions(month: SeededMonth) -> Sequence[Question]:
    """Asked of each month: of days at several hours, of its weeks, and of itself."""
    chance, asked = Random(f"{month.regime} {month.seed} questions"), list[Question]()
    first = PAST_DAYS * 24
    for day in range(0, MONTH_DAYS, 3):
        begin = first + day * 24
        asked.append(Question("day", begin, begin + chance.choice((3, 6, 9, 12, 15, 18)), begin + 24))
    for week in range(4):
        begin = first + week * 7 * 24
        asked.append(Question("week", begin, begin + chance.randrange(12, 6 * 24), begin + 7 * 24))
    asked += [Question("month", first, first + day * 24 + chance.randrange(24), HOURS) for day in (4, 10, 16, 22)]
    return asked
