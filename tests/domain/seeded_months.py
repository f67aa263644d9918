"""Months of made-up spending, by the minute: what is usual at companies, so that nothing in them should alarm anybody.

Thirty entities each: everyone together, fifteen users, eight models and six tokens. People come and go and work in
bursts, services follow the day and the week, grow and shrink, jobs run at night or once a week and never quite at the
same time, somebody experiments, somebody is new, sources fail for hours and catch up. The same seed is the same month.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from spendtop.domain.clock import DAY

DAYS = 30
HOUR_MINUTES, DAY_MINUTES = 60, 24 * 60
MINUTES = DAYS * DAY_MINUTES
FIRST_SPIKE_DAY = 10
"""From here on every entity that was there from the start has a past to compare with."""
MODELS = tuple(f"model-{number}" for number in range(8))
TOKENS = tuple(f"token-{number}" for number in range(6))
_WEIGHT_OF_HOUR = (2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 20, 20, 17, 18, 20, 19, 17, 14, 10, 8, 7, 6, 5, 3)
"""Traffic of people by hour of the day, of 20."""
_MONDAY = 20_759 * DAY
"""2 November 2026, UTC µs."""
NANO = 1_000_000_000
_COSTS = 2_000
"""Different costs of a user's requests."""

Entity = tuple[str, str]
"""Dimension and key."""
Rate = Callable[[int], float]
"""Requests per hour at a minute of the month."""


class Spike(NamedTuple):
    """A user who spends `times` the usual for some minutes."""

    user: str
    minute: int
    times: int = 5
    lasts: int = 30


@dataclass
class User:
    name: str
    token: str
    models: tuple[str, ...]
    switches_on: int
    """The minute from which the last of the models is used instead of the first."""
    dollars: float
    """Median cost of a request."""
    sigma: float
    """How far costs lie apart: of their logarithm."""
    rate: Rate
    burst: float
    """Requests that come together; 1 where each comes by itself."""

    @property
    def mean_dollars(self) -> float:
        return self.dollars * math.exp(self.sigma**2 / 2)


@dataclass
class Month:
    first_weekday: int
    users: tuple[User, ...]
    outages: tuple[range, ...]
    spent: dict[Entity, array[int]] = field(default_factory=dict)
    """Nano-USD of each minute."""

    @property
    def starts_at(self) -> int:
        """UTC µs."""
        return _MONDAY + self.first_weekday * DAY

    def usual_dollars(self, user: User, minute: int) -> float:
        """What a user spends in an hour at this time, on average."""
        return user.rate(minute) * user.mean_dollars


def month(seed: int, *spikes: Spike, days: int = DAYS) -> Month:
    """The month of a seed, or its first days, with these spikes in it; what else happens is the same without them."""
    made = plan(seed)
    for number, user in enumerate(made.users):
        _spend(made, user, user.rate, user.burst, Random(f"{seed} {number}"), 0, days * DAY_MINUTES)
    for spike in spikes:
        user = next(user for user in made.users if user.name == spike.user)
        more = _between(spike.minute, spike.minute + spike.lasts, _times(spike.times - 1, user.rate))
        _spend(made, user, more, 1, Random(f"{seed} {spike}"), spike.minute, spike.minute + spike.lasts)
    return made


def plan(seed: int) -> Month:
    """Who will spend in the month of a seed, before they do."""
    chance = Random(seed)
    first_weekday = chance.randrange(7)
    return Month(first_weekday, tuple(_users(chance, first_weekday)), tuple(_outages(chance)))


def spikes(seed: int, count: int) -> list[Spike]:
    """Where spikes of five times the usual could begin: with steady users who spend at least ten dollars an hour then,
    in at least two hundred requests."""
    made, chance = plan(seed), Random(f"{seed} spikes")
    found: list[Spike] = []
    for _ in range(2_000):
        minute = chance.randrange(FIRST_SPIKE_DAY * DAY_MINUTES, MINUTES - 2 * HOUR_MINUTES)
        user = chance.choice(made.users)
        is_down = any(minute + after in outage for outage in made.outages for after in (-180, 0, 60))
        if user.burst > 1 or is_down or user.rate(minute) < 200 or made.usual_dollars(user, minute) < 10:
            continue
        if all(user.rate(minute - day * DAY_MINUTES) for day in range(8)):
            found.append(Spike(user.name, minute))
        if len(found) == count:
            break
    return found


def _users(chance: Random, first_weekday: int) -> Iterator[User]:
    week = _Week(first_weekday)
    kinds: list[tuple[str, Callable[[], tuple[Rate, float]], float]] = [
        *[(f"person-{number}", lambda: _person(chance, week), 0.9) for number in range(5)],
        ("researcher", lambda: _experiments(chance), 0.8),
        *[(f"service-{number}", lambda: _service(chance, week), 0.7) for number in range(3)],
        ("indexer", lambda: _around_the_clock(chance), 0.4),
        *[(f"nightly-{number}", lambda: _nightly(chance), 0.5) for number in range(2)],
        ("weekly", lambda: _weekly(chance, week), 0.5),
        ("newcomer", lambda: _newcomer(chance, week), 0.7),
        ("growing", lambda: _growing(chance, week), 0.7),
    ]
    for name, kind, sigma in kinds:
        rate, burst = kind()
        models = tuple(chance.sample(MODELS, 3 if chance.random() < 0.3 else 2))
        switches = chance.random() < 0.1
        yield User(
            name=name,
            token=chance.choice(TOKENS),
            models=models,
            switches_on=chance.randrange(8, 25) * DAY_MINUTES + 600 if switches else MINUTES,
            dollars=math.exp(chance.uniform(math.log(0.004), math.log(0.15))),
            sigma=sigma * chance.uniform(0.7, 1.3),
            rate=rate,
            burst=burst,
        )


@dataclass(frozen=True)
class _Week:
    first_weekday: int

    def is_weekend(self, minute: int) -> bool:
        return (minute // DAY_MINUTES + self.first_weekday) % 7 >= 5

    def weekday(self, minute: int) -> int:
        return (minute // DAY_MINUTES + self.first_weekday) % 7


def _person(chance: Random, week: _Week) -> tuple[Rate, float]:
    begins, lasts = chance.randrange(7, 11), chance.randrange(7, 11)
    rate = chance.uniform(4, 40)
    busy: dict[int, float] = {}
    absent = {day for day in range(DAYS) if chance.random() < 0.08}
    for hour in range(DAYS * 24):
        day, at = divmod(hour, 24)
        at_work = begins <= at < begins + lasts and day not in absent
        likely = 0.06 if week.is_weekend(day * DAY_MINUTES) else 0.8 if at_work else 0.04
        if 6 < at < 24 and chance.random() < likely:
            busy[hour] = rate * math.exp(chance.gauss(0, 0.5))
    return lambda minute: busy.get(minute // HOUR_MINUTES, 0.0), chance.uniform(3, 8)


def _experiments(chance: Random) -> tuple[Rate, float]:
    """Some hours, some days a week, at any time of a day's work."""
    busy: dict[int, float] = {}
    for day in range(DAYS):
        if chance.random() < 0.4:
            begins, rate = chance.randrange(9, 20), chance.uniform(40, 150)
            for hour in range(begins, begins + chance.randrange(1, 5)):
                busy[day * 24 + hour] = rate
    return lambda minute: busy.get(minute // HOUR_MINUTES, 0.0), 2.0


def _days(chance: Random, daily_growth: float) -> list[float]:
    return [math.exp(chance.gauss(0, 0.15)) * daily_growth**day for day in range(DAYS)]


def _service(chance: Random, week: _Week, daily_growth: float | None = None) -> tuple[Rate, float]:
    peak, weekend, floor = chance.uniform(60, 400), chance.uniform(0.15, 1), chance.uniform(0.05, 0.4)
    days = _days(chance, chance.uniform(0.98, 1.03) if daily_growth is None else daily_growth)
    shape = [max(weight / 20, floor) for weight in _WEIGHT_OF_HOUR]

    def rate(minute: int) -> float:
        day, hour = minute // DAY_MINUTES, minute // HOUR_MINUTES % 24
        return peak * days[day] * shape[hour] * (weekend if week.is_weekend(minute) else 1)

    return rate, 1.0


def _around_the_clock(chance: Random) -> tuple[Rate, float]:
    level, days = chance.uniform(100, 300), _days(chance, 1)
    return lambda minute: level * days[minute // DAY_MINUTES], 1.0


def _nightly(chance: Random) -> tuple[Rate, float]:
    at, spread = chance.randrange(60, 300), chance.uniform(1, 15)
    usual, lasts = chance.uniform(40, 400), chance.uniform(8, 40)
    nights: list[tuple[float, float, float]] = []
    for day in range(DAYS):
        took = 0.0 if chance.random() < 0.05 else lasts * math.exp(chance.gauss(0, 0.25))
        begins = day * DAY_MINUTES + at + chance.uniform(-spread, spread)
        nights.append((begins, begins + took, usual * math.exp(chance.gauss(0, 0.3)) * HOUR_MINUTES / lasts))

    def rate(minute: int) -> float:
        begins, ends, speed = nights[minute // DAY_MINUTES]
        return speed if begins <= minute < ends else 0.0

    return rate, 1.0


def _weekly(chance: Random, week: _Week) -> tuple[Rate, float]:
    weekday, at, lasts, speed = (
        chance.randrange(7),
        chance.randrange(24),
        chance.randrange(1, 4),
        chance.uniform(60, 300),
    )

    def rate(minute: int) -> float:
        runs = week.weekday(minute) == weekday and at <= minute // HOUR_MINUTES % 24 < at + lasts
        return speed if runs else 0.0

    return rate, 1.0


def _newcomer(chance: Random, week: _Week) -> tuple[Rate, float]:
    """A service that is put to work during the month, and by and by."""
    full, begins = _service(chance, week)[0], chance.randrange(5, 20) * DAY_MINUTES + 540
    grows = chance.uniform(1, 6) * DAY_MINUTES
    return lambda minute: full(minute) * min(max(minute - begins, 0) / grows, 1.0), 1.0


def _growing(chance: Random, week: _Week) -> tuple[Rate, float]:
    """Two and a half times to nine times as much at the end of the month."""
    rate = _service(chance, week, chance.uniform(1.03, 1.075))[0]
    return lambda minute: rate(minute) / 3, 1.0


def _outages(chance: Random) -> Iterator[range]:
    for _ in range(chance.randrange(4)):
        begins = chance.randrange(MINUTES)
        yield range(begins, begins + chance.randrange(20, 600))


def _times(factor: float, rate: Rate) -> Rate:
    return lambda minute: factor * rate(minute)


def _between(begins: int, ends: int, rate: Rate) -> Rate:
    return lambda minute: rate(minute) if begins <= minute < ends else 0.0


def _spend(made: Month, user: User, rate: Rate, burst: float, chance: Random, begins: int, ends: int) -> None:
    own = [made.spent.setdefault(entity, array("q", bytes(8 * MINUTES))) for entity in _fixed(user)]
    of_models = {
        model: made.spent.setdefault(("model", model), array("q", bytes(8 * MINUTES))) for model in user.models
    }
    costs = [int(chance.lognormvariate(math.log(user.dollars), user.sigma) * NANO) for _ in range(_COSTS)]
    draw, (first, second, *_), last = chance.random, user.models, user.models[-1]
    for minute in _requests(made, rate, burst, chance, begins, ends):
        nano = costs[int(draw() * _COSTS)]
        part = draw()
        model = (last if minute >= user.switches_on else first) if part < 0.85 else second
        of_models[model][minute] += nano
        for spent in own:
            spent[minute] += nano


def _fixed(user: User) -> tuple[Entity, ...]:
    return ("all", ""), ("user", user.name), ("token", user.token)


def _requests(made: Month, rate: Rate, burst: float, chance: Random, begins: int, ends: int) -> Iterator[int]:
    """Minutes of requests. What failed sources did not report is lost; for an hour after it there is more."""
    for minute in range(begins, ends):
        per_minute = rate(minute) / HOUR_MINUTES / burst
        if not per_minute:
            continue
        for outage in made.outages:
            if minute in outage:
                per_minute = 0.0
            elif 0 <= minute - outage.stop < HOUR_MINUTES:
                per_minute *= 1.7
        for _ in range(_poisson(per_minute, chance)):
            if burst == 1:
                yield minute
                continue
            for _ in range(1 + _poisson(burst - 1, chance)):
                at = minute + int(chance.expovariate(1 / 6))
                if at < MINUTES:
                    yield at


def _poisson(mean: float, chance: Random) -> int:
    """How often what happens `mean` times on average happens."""
    count, left, least, draw = -1, 1.0, math.exp(-mean), chance.random
    while left > least:
        left *= draw()
        count += 1
    return count
