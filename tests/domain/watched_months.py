"""What the rule of unusual spend says about a seeded month, minute after minute, and how soon it finds spikes.

    python -m tests.domain.watched_months 50

prints the figures of so many months.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, partial
from itertools import accumulate
from typing import NamedTuple

from spendtop.domain.alerting.anomaly import (
    AGAIN,
    BURST_MINUTES,
    BURST_SAMPLES,
    LEAST_SAMPLES,
    ONE_OF_A_KIND,
    AnomalyRule,
    SameHour,
    Spent,
    Usual,
    decide,
    excess,
    largest_burst,
    same_hours,
    usual,
)
from spendtop.domain.alerting.episode import Episode
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.windows import Calendar
from tests.domain.seeded_months import DAYS, HOUR_MINUTES, Entity, Month, Spike, month, spikes

RULE = AnomalyRule()
_UTC = Calendar()
_hours = cache(same_hours)


class Alarm(NamedTuple):
    """An episode that began, or that goes on after it was over."""

    entity: Entity
    minute: int
    """Of the month; at its end the alarm was raised."""
    is_new: bool

    @property
    def day(self) -> int:
        return self.minute // (24 * HOUR_MINUTES)


class _Ledger:
    """What one entity spent."""

    def __init__(self, starts_at: int, minutes: array[int]) -> None:
        self._starts_at = starts_at
        self._sums = [0, *accumulate(minutes)]
        of_hours = (self.between(start, start + HOUR_MINUTES) for start in range(0, len(minutes), HOUR_MINUTES))
        self._hours = {starts_at + number * HOUR: nano for number, nano in enumerate(of_hours) if nano}
        self._asked: Usual | None = None
        self._bursts: list[int] = []

    def between(self, begin: int, end: int) -> int:
        return self._sums[min(end, len(self._sums) - 1)] - self._sums[max(begin, 0)]

    def spent(self, now: int, minute: int) -> Spent:
        begin = minute // HOUR_MINUTES * HOUR_MINUTES
        return Spent(
            now=now,
            hour=self.between(begin, minute + 1),
            burst=self.between(minute + 1 - BURST_MINUTES, minute + 1),
        )

    def usual(self, hours: tuple[SameHour, ...]) -> Usual | None:
        first = hours[-1].start - HOUR
        return usual({at: nano for at, nano in self._hours.items() if first <= at <= hours[0].start + HOUR}, hours)

    def bursts(self, known: Usual) -> list[int]:
        if known is not self._asked:
            self._asked, self._bursts = known, self._bursts_of(known)
        return self._bursts

    def _bursts_of(self, known: Usual) -> list[int]:
        return [self._largest((start - self._starts_at) // MINUTE) for start in known.starts[:BURST_SAMPLES]]

    def _largest(self, minute: int) -> int:
        around = range(max(minute - HOUR_MINUTES, 0), minute + 2 * HOUR_MINUTES)
        return largest_burst({at * MINUTE: self.between(at, at + 1) for at in around})


def alarms(
    made: Month, days: int = DAYS, entities: Iterable[Entity] | None = None, rule: AnomalyRule = RULE
) -> Iterator[Alarm]:
    """What is raised in the first `days` of a month."""
    by_kind: defaultdict[str, list[Entity]] = defaultdict(list)
    for entity in sorted(made.spent) if entities is None else entities:
        by_kind[entity[0]].append(entity)
    for of_kind in by_kind.values():
        yield from _alarms_of_kind(made, days, of_kind, rule)


def _alarms_of_kind(made: Month, days: int, entities: Iterable[Entity], rule: AnomalyRule) -> Iterator[Alarm]:
    watched = [(entity, _Ledger(made.starts_at, made.spent[entity])) for entity in entities]
    episodes: dict[Entity, Episode] = {}
    began: dict[Entity, int] = {}
    for hour in range(LEAST_SAMPLES * 24, days * 24):
        begin = hour * HOUR_MINUTES
        hours = _hours(made.starts_at + hour * HOUR, _UTC)
        loud: list[tuple[Entity, _Ledger, Usual | None]] = []
        for entity, ledger in watched:
            is_quiet = ledger.between(begin - BURST_MINUTES, begin + HOUR_MINUTES) < rule.least.nano
            known = None if is_quiet else ledger.usual(hours)
            if known is not None or entity in episodes:
                loud.append((entity, ledger, known))
        for minute in range(begin, begin + HOUR_MINUTES) if loud else ():
            now = made.starts_at + (minute + 1) * MINUTE - 1
            for entity, ledger, known in loud:
                episode = episodes.get(entity)
                goes_on = episode if episode is None or _goes_on(episode, now) else None
                was_open = goes_on is not None and goes_on.window_end is None
                found = None
                if known is not None:
                    has_another = any(now - at < ONE_OF_A_KIND for other, at in began.items() if other != entity)
                    by = rule.after_another() if has_another and not was_open else rule
                    found = excess(by, known, ledger.spent(now, minute), partial(ledger.bursts, known))
                if found is None and episode is None:
                    continue
                decided = decide(goes_on, found, now).episode
                if decided is None:
                    episodes.pop(entity, None)
                else:
                    episodes[entity] = decided
                if found is not None and not was_open:
                    if goes_on is None:
                        began[entity] = now
                    yield Alarm(entity, minute, goes_on is None)


def _goes_on(episode: Episode, now: int) -> bool:
    return episode.window_end is None or now - episode.window_end < AGAIN


def minutes_until_found(made: Month, planted: Iterable[Spike], days: int = DAYS) -> Iterator[int | None]:
    """For each spike how many minutes had passed when it was found, or None."""
    for spike in planted:
        raised = [alarm.minute for alarm in alarms(made, days, [("user", spike.user)])]
        soon = [minute for minute in raised if spike.minute <= minute < spike.minute + spike.lasts]
        yield min(soon) - spike.minute + 1 if soon else None


def planted(seed: int) -> list[Spike]:
    """One spike for every user of the month who has a place for one."""
    return list({spike.user: spike for spike in spikes(seed, 40)}.values())


def false_alarms(made: Month, days: int = DAYS) -> Mapping[tuple[str, int], int]:
    """How many there are, by kind of entity and day."""
    return Counter((alarm.entity[0], alarm.day) for alarm in alarms(made, days) if alarm.is_new)


def main(months: int) -> None:
    by_kind: defaultdict[str, list[int]] = defaultdict(list)
    took: list[int] = []
    missed = 0
    for seed in range(months):
        for (kind, _), count in false_alarms(month(seed)).items():
            by_kind[kind].append(count)
        there = planted(seed)
        found = list(minutes_until_found(month(seed, *there), there))
        took += [minutes for minutes in found if minutes is not None]
        missed += found.count(None)
    days = months * (DAYS - LEAST_SAMPLES)
    for kind, counts in sorted(by_kind.items()):
        more = sum(count > 1 for count in counts)
        line = f"{sum(counts) / days:.3f} a day, at most {max(counts)}, more than one on {more} of {days} days"
        sys.stdout.write(f"false alarms {kind}: {line}\n")
    took.sort()
    sys.stdout.write(
        f"spikes: {len(took)} found, {missed} missed; after minutes p50 {took[len(took) // 2]}, "
        f"p95 {took[len(took) * 95 // 100]}, max {took[-1]}\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
