"""How a limit's use goes on: by hand where the past is simple, and on seeded months."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendtop.domain.clock import DAY, HOUR, MINUTE, to_micros
from spendtop.domain.limits.forecast import LEAST_DAYS, Forecast, Outlook, horizon, past_since, reach_words
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds, Calendar, bounds, parse_window
from tests.domain.forecast_figures import Answer, answers
from tests.domain.forecast_months import REGIMES, made, months

NOW = to_micros(datetime(2026, 11, 18, 12, 30, tzinfo=UTC))
"""A Wednesday."""
DOLLAR = 1_000_000_000
UTC_DAYS = Calendar()


def dollars(amount: float) -> Usd:
    return Usd(round(amount * DOLLAR))


def steady(days: int = 40, an_hour: float = 1) -> dict[int, int]:
    last = NOW // HOUR * HOUR
    return {last - hour * HOUR: round(an_hour * DOLLAR) for hour in range(1, days * 24 + 1)}


def ahead(limit: float, used: float, window: str = "day", spent: dict[int, int] | None = None) -> Forecast | None:
    outlook = Outlook(steady() if spent is None else spent, NOW, UTC_DAYS)
    parsed = parse_window(window)
    return outlook.forecast(dollars(limit), dollars(used), parsed, bounds(parsed, NOW, UTC_DAYS))


def test_a_dollar_an_hour_goes_on() -> None:
    found = ahead(limit=20, used=12.5)
    assert found is not None and found.likely == 1
    assert found.reaches_at == pytest.approx(NOW + 7.5 * HOUR, abs=MINUTE)
    assert found.reaches_low == found.reaches_at == found.reaches_high
    assert found.end is not None and found.end.nano == pytest.approx(24 * DOLLAR, rel=1e-6)
    assert found.linear == dollars(24)


def test_what_is_not_reached_has_no_time_and_what_is_reached_already_neither() -> None:
    for limit in (25, 12):
        found = ahead(limit=limit, used=12.5)
        assert found is not None
        assert (found.reaches_at, found.reaches_low, found.likely) == (None, None, 0)


def test_a_rolling_window_loses_what_leaves_it() -> None:
    assert (found := ahead(limit=30, used=24, window="24h")) is not None and found.reaches_at is None
    grown = {hour: nano * (3 if hour >= NOW - 8 * HOUR else 1) for hour, nano in steady().items()}
    found = ahead(limit=42, used=40, window="24h", spent=grown)
    assert found is not None and found.reaches_at is not None and found.end is None
    assert NOW <= found.reaches_at <= NOW + 16 * HOUR


def test_a_limit_that_falls_back_is_reached_when_less_holds() -> None:
    def falling(window: str, used: float, *falls: tuple[int, float]) -> int | None:
        parsed = parse_window(window)
        of = [(at, dollars(amount)) for at, amount in falls]
        bound = bounds(parsed, NOW, UTC_DAYS)
        found = Outlook(steady(), NOW, UTC_DAYS).forecast(dollars(40), dollars(used), parsed, bound, of)
        assert found is not None
        return found.reaches_at

    assert falling("day", 12.5) is None
    assert falling("day", 12.5, (NOW + 2 * HOUR, 20)) == pytest.approx(NOW + 7.5 * HOUR, abs=MINUTE)
    assert falling("day", 12.5, (NOW + 2 * HOUR, 10)) == NOW + 2 * HOUR
    assert falling("day", 12.5, (NOW + 2 * HOUR, 30), (NOW + 4 * HOUR, 15)) == NOW + 4 * HOUR
    assert falling("24h", 24) is None
    assert falling("24h", 24, (NOW + 2 * HOUR, 20)) == pytest.approx(NOW + 2 * HOUR, abs=HOUR)


def test_without_an_end_it_looks_a_month_ahead() -> None:
    found = ahead(limit=1_000, used=900, window="lifetime")
    assert found is not None and found.reaches_at == pytest.approx(NOW + 100 * HOUR, abs=HOUR)
    assert (found.end, found.linear) == (None, None)


def test_weekends_are_followed_by_what_weekends_were() -> None:
    workdays = {hour: nano for hour, nano in steady().items() if UTC_DAYS.local(hour).weekday() < 5}
    found = ahead(limit=1_000, used=60.5, window="week", spent=workdays)
    assert found is not None and found.end is not None and found.linear is not None
    assert found.end.nano == pytest.approx(120 * DOLLAR, rel=0.02)
    assert found.linear > dollars(160)


@pytest.mark.parametrize("window", ["hour", "5m", "3h", "request", "session"])
def test_short_windows_and_those_of_one_thing_are_not_looked_ahead(window: str) -> None:
    assert horizon(parse_window(window), Bounds(NOW - HOUR, NOW + HOUR), NOW) is None


def test_too_little_past_says_so() -> None:
    unknown = Forecast(has_enough=False)
    assert ahead(limit=20, used=12, spent=steady(LEAST_DAYS - 1)) == unknown
    assert ahead(limit=20, used=12, spent={}) == unknown
    assert Outlook(steady(LEAST_DAYS), NOW, UTC_DAYS).has_enough


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Forecast(has_enough=False), "not enough data"),
        (Forecast(), "not expected"),
        (Forecast(likely=0.1, reaches_low=None), "not expected, 10% likely"),
        (Forecast(likely=0.6, reaches_at=NOW + 9 * HOUR, reaches_low=NOW + 2 * HOUR), "about 21:30 (from 14:30)"),
        (
            Forecast(likely=1, reaches_at=NOW + DAY, reaches_low=NOW + HOUR, reaches_high=NOW + 9 * DAY),
            "about Thu 12:30 (13:30-11-27)",
        ),
    ],
)
def test_what_is_found_is_said_in_words(found: Forecast, words: str) -> None:
    assert reach_words(found, NOW, UTC_DAYS) == words


def test_the_same_past_says_the_same() -> None:
    month = made("company", 1).hours[:500]
    spent = {NOW // HOUR * HOUR - (500 - at) * HOUR: nano for at, nano in enumerate(month)}
    assert ahead(limit=20, used=12, spent=spent) == ahead(limit=20, used=12, spent=spent)


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 10**13), min_size=9 * 24, max_size=12 * 24),
    st.floats(0.1, 1e5),
    st.floats(0.1, 1e5),
    st.sampled_from(["day", "week", "month", "24h", "7d", "lifetime"]),
)
def test_whatever_was_spent_the_band_is_in_order(spent: list[int], limit: float, used: float, window: str) -> None:
    hours = {NOW // HOUR * HOUR - (at + 1) * HOUR: nano for at, nano in enumerate(spent)}
    found = ahead(limit, used, window, hours)
    assert found is not None
    known = [at for at in (found.reaches_low, found.reaches_at, found.reaches_high) if at is not None]
    assert known == sorted(known) and all(at >= NOW for at in known)
    assert 0 <= found.likely <= 1
    if found.end is not None and found.end_low is not None and found.end_high is not None:
        assert dollars(used) <= found.end_low <= found.end <= found.end_high


@settings(max_examples=100)
@given(
    st.dictionaries(st.integers(0, 60 * 24), st.integers(0, 10**12), max_size=5),
    st.sampled_from(["day", "week", "month", "24h", "lifetime"]),
)
def test_whoever_seldom_spends_can_be_looked_ahead(spent: dict[int, int], window: str) -> None:
    hours = {NOW // HOUR * HOUR - ago * HOUR: nano for ago, nano in spent.items()}
    found = ahead(20, 1, window, hours)
    assert found is not None and 0 <= found.likely <= 1


def test_somebody_who_comes_back_after_weeks_is_looked_ahead() -> None:
    hour = NOW // HOUR * HOUR
    for days in (8, 9.5, 20, 55.9):
        found = ahead(20, 1, "24h", {hour - round(days * 24) * HOUR: DOLLAR, hour: DOLLAR})
        assert found is not None and found.has_enough


def test_the_past_that_is_asked_for_is_whole_hours_and_days() -> None:
    assert past_since(NOW) % HOUR == 0
    assert (NOW // HOUR * HOUR - past_since(NOW)) % DAY == 0


def test_bands_hold_four_of_five_and_the_middle_beats_the_linear_rate() -> None:
    judge([*answers(made(regime, seed) for regime in REGIMES for seed in (0, 1))], 0.7, 0.9)


@pytest.mark.soak
def test_on_all_months_bands_hold_four_of_five() -> None:
    given_by_kind: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers(months()):
        given_by_kind[answer.question.kind].append(answer)
    for given_answers in given_by_kind.values():
        judge(given_answers, 0.75, 0.85)


def judge(given_answers: list[Answer], least: float, most: float) -> None:
    assert least <= fmean(answer.is_held for answer in given_answers) <= most
    off, linear = (fmean(each) for each in zip(*(answer[3:] for answer in given_answers), strict=True))
    assert off < linear
