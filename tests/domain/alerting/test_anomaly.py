"""What is unusual spend, and its episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.domain.alerting.anomaly import (
    CALM,
    LEAST_SAMPLES,
    AnomalyRule,
    Excess,
    Spent,
    Usual,
    burst_start,
    decide,
    excess,
    largest_burst,
    same_hours,
    usual,
)
from spendtop.domain.alerting.episode import Decision, Episode, EpisodeState, MessageKind
from spendtop.domain.clock import DAY, HOUR, MINUTE, to_micros
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from tests.domain.seeded_months import DAYS, month
from tests.domain.watched_months import alarms, false_alarms, minutes_until_found, planted

DOLLAR = 1_000_000_000
NOW = to_micros(datetime(2026, 11, 20, 14, 30, tzinfo=UTC))
"""A Friday."""
HOURS = same_hours(NOW, Calendar())
RULE = AnomalyRule()


def spent_on(days: Sequence[float], calendar: Calendar | None = None) -> dict[int, int]:
    """So many dollars in the same hour yesterday, the day before, and so on."""
    hours = same_hours(NOW, calendar or Calendar())
    return {hour.start: round(dollars * DOLLAR) for hour, dollars in zip(hours, days, strict=False)}


def known(days: Sequence[float]) -> Usual:
    found = usual(spent_on(days), HOURS)
    assert found is not None
    return found


def look(
    past: Usual, *, hour: float = 0, burst: float = 0, bursts: Sequence[float] = (), rule: AnomalyRule = RULE
) -> Excess | None:
    spent = Spent(now=NOW, hour=round(hour * DOLLAR), burst=round(burst * DOLLAR))
    return excess(rule, past, spent, lambda: [round(each * DOLLAR) for each in bursts])


def test_less_than_seven_days_say_nothing() -> None:
    assert usual(spent_on([10] * 6), HOURS) is None
    assert usual({}, HOURS) is None
    assert known([10] * 7).samples == 7


def test_workdays_are_compared_with_workdays_where_there_are_enough() -> None:
    workdays = [0 if (4 - days) % 7 >= 5 else 10 for days in range(1, 29)]
    assert (known(workdays).samples, known(workdays).hour) == (20, 10 * DOLLAR)
    assert known(workdays[:8]).samples == 8


def test_the_same_hour_is_that_of_local_clocks_also_when_they_change() -> None:
    after = to_micros(datetime(2026, 10, 26, 14, 30, tzinfo=UTC))
    berlin = Calendar("Europe/Berlin")
    days = same_hours(after, berlin)
    assert {berlin.local(hour.start).hour for hour in days} == {15}
    assert after // HOUR * HOUR - days[1].start == 2 * DAY + HOUR


def test_the_hour_so_far_is_unusual_above_the_factor_and_by_the_least_amount() -> None:
    assert look(known([10] * 28), hour=29) is None
    found = look(known([10] * 28), hour=30)
    assert found is not None
    assert (found.since, found.spent, found.usual, found.times) == (NOW - 30 * MINUTE, Usd.of(30), Usd.of(10), 3)
    assert look(known([0.1] * 28), hour=1.09) is None
    assert look(known([0.1] * 28), hour=1.1) is not None


def test_one_day_of_excess_changes_nothing_about_the_usual() -> None:
    assert look(known([10] * 9 + [900] + [10] * 18), hour=30) is not None


def test_where_days_differ_much_it_takes_more() -> None:
    assert look(known([2, 10, 40] * 9), hour=30) is None
    assert look(known([2, 10, 40] * 9), hour=1_000) is not None


def test_growth_is_usual() -> None:
    assert look(known([50 * 0.93**days for days in range(28)]), hour=55) is None


def test_a_burst_is_unusual_above_what_its_minutes_usually_cost_and_above_earlier_bursts() -> None:
    assert look(known([10] * 28), burst=1.6, bursts=[0.6] * 14) is not None
    assert look(known([10] * 28), burst=1.4, bursts=[0.6] * 14) is None
    assert look(known([10] * 28), burst=4, bursts=[9] * 14) is None
    assert look(known([10] * 28), burst=4, bursts=[0.6] * 6) is None, "too few are known"


def test_where_there_is_no_rhythm_an_hour_is_compared_with_all_hours_with_spend_and_bursts_say_nothing() -> None:
    irregular = {hour.start - (days % 5) * HOUR - 5 * HOUR: 10 * DOLLAR for days, hour in enumerate(HOURS)}
    past = usual(irregular, HOURS)
    assert past is not None and past.hour == 10 * DOLLAR
    assert look(past, hour=25, burst=25, bursts=[0.1] * 14) is None
    assert look(past, hour=31) is not None


def test_the_largest_burst_is_of_three_minutes_in_a_row() -> None:
    assert largest_burst({0: 5, MINUTE: 1, 2 * MINUTE: 4, 4 * MINUTE: 6}) == 10
    assert largest_burst({}) == 0
    assert NOW + 59 - burst_start(NOW + 59) == 2 * MINUTE + 59


@given(st.dictionaries(st.sampled_from([hour.start for hour in HOURS]), st.integers(1, 10**15)), st.integers(0, 10**15))
def test_more_spend_is_never_less_unusual(past: Mapping[int, int], spent: int) -> None:
    before = usual(past, HOURS)
    if before is not None and excess(RULE, before, Spent(now=NOW, hour=spent, burst=0), list):
        assert excess(RULE, before, Spent(now=NOW, hour=spent + 1, burst=0), list)


class Story:
    """What is decided about one entity, look after look."""

    def __init__(self) -> None:
        self.episode: Episode | None = None
        self.now = NOW

    def look(self, times: float | None, after: int = 0) -> Decision:
        self.now += after
        found = None
        if times is not None:
            found = Excess(since=self.now - MINUTE, spent=Usd(round(times * DOLLAR)), usual=Usd.of(1), samples=20)
        decision = decide(self.episode, found, self.now)
        self.episode = decision.episode
        return decision


def test_an_episode_speaks_at_its_begin_and_when_it_is_twice_as_much_an_hour_later() -> None:
    story = Story()
    assert story.look(None).episode is None
    assert story.look(4).announce is MessageKind.UNUSUAL
    assert story.look(9, after=MINUTE).announce is None
    assert story.look(7, after=HOUR).announce is None
    assert story.look(8, after=MINUTE).announce is MessageKind.UNUSUAL


@pytest.mark.parametrize("calm", [CALM, 3 * CALM])
def test_an_episode_is_over_after_an_hour_of_calm(calm: int) -> None:
    story = Story()
    story.look(4)
    assert story.look(None, after=MINUTE).announce is None
    assert story.look(4, after=CALM - MINUTE).announce is None
    story.look(None, after=MINUTE)
    assert story.look(None, after=CALM - MINUTE).announce is None
    over = story.look(None, after=calm)
    assert over.announce is MessageKind.RESOLVED
    assert over.episode is not None and over.episode.state is EpisodeState.RESOLVED
    assert story.look(4, after=HOUR).announce is None
    assert story.episode is not None and story.episode.falls == 1


def test_after_a_snooze_what_stands_is_said_once() -> None:
    story = Story()
    story.look(4)
    assert story.episode is not None
    story.episode = replace(story.episode, snoozed_until=NOW + HOUR)
    assert story.look(40, after=MINUTE).announce is None
    assert story.look(4, after=HOUR).announce is MessageKind.UNUSUAL
    assert story.look(4, after=MINUTE).announce is None


def test_another_of_a_kind_within_a_day_has_to_stand_out_farther_but_five_times_the_usual_still_does() -> None:
    another, past, bursts = RULE.after_another(), known([10] * 28), [0.5] * 14
    assert look(past, hour=31) and not look(past, hour=31, rule=another)
    assert look(past, hour=50, rule=another)
    assert look(past, burst=1.7, bursts=bursts) and not look(past, burst=1.7, bursts=bursts, rule=another)
    assert look(past, burst=2.5, bursts=bursts, rule=another)


def test_a_month_has_few_false_alarms_and_its_spikes_are_found() -> None:
    days, there = 14, [spike for spike in planted(7) if spike.minute < 13 * DAY // MINUTE]
    made = month(7, *there, days=days)
    assert there and all((minutes or 60) <= 5 for minutes in minutes_until_found(made, there, days))
    false = [alarm for alarm in alarms(made, days) if not any(0 <= alarm.minute - each.minute < 60 for each in there)]
    for kind in ("all", "user", "model", "token"):
        assert sum(alarm.entity[0] == kind and alarm.is_new for alarm in false) <= days - LEAST_SAMPLES


@pytest.mark.soak
def test_fifty_months_have_few_false_alarms_and_their_spikes_are_found() -> None:
    counts: Counter[str] = Counter()
    took: list[int] = []
    for seed in range(50):
        for (kind, _), count in false_alarms(month(seed)).items():
            counts[kind] += count
        there = planted(seed)
        took += [60 if each is None else each for each in minutes_until_found(month(seed, *there), there)]
    assert max(counts.values()) <= 50 * (DAYS - LEAST_SAMPLES)
    assert sorted(took)[len(took) * 95 // 100] <= 3
