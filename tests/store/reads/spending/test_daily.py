"""Spend by local day, of everyone and of each key in it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE, to_micros
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.daily import (
    day_spends,
    days_of,
    from_the_oldest,
    key_spends,
    last_days,
)
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

BERLIN = Calendar("Europe/Berlin")
MIDNIGHT = START // DAY * DAY


def at(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_days_are_exact_also_where_they_begin_within_an_hour(recorded: Recorded) -> None:
    begin = START + 30 * MINUTE
    recorded.add(
        [
            recorded.request(begin - 1, 1, user_id="alice"),
            recorded.request(begin, 2, user_id="alice"),
            recorded.request(begin + DAY - 1, 4, user_id="alice"),
            recorded.request(begin + DAY, None, user_id="alice"),
            recorded.request(begin + HOUR, 8, user_id="Alice"),
        ]
    )
    days = day_spends(recorded.store, [Span(begin + n * DAY, begin + (n + 1) * DAY) for n in range(3)], "user", "alice")
    assert [(day.start, day.spend.cost, day.spend.unpriced) for day in days] == [
        (begin, Usd(6), 0),
        (begin + DAY, Usd(0), 1),
        (begin + 2 * DAY, Usd(0), 0),
    ]


@pytest.mark.replaces("fetcher/trends")
def test_a_year_has_each_day_once(recorded: Recorded) -> None:
    days = days_of(Span(START, START + 366 * DAY), Calendar())
    recorded.add(recorded.request((day.since or 0) + HOUR, 1, user_id="alice") for day in days)
    found = day_spends(recorded.store, days, "user", "alice")
    assert [(day.start, day.spend.cost) for day in found] == [(day.since, Usd(1)) for day in days]


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        ("2026-03-28T12:00", "2026-03-30T12:00", [11, 23, 14]),
        ("2026-10-24T12:00", "2026-10-26T12:00", [10, 25, 13]),
    ],
)
def test_days_are_as_long_as_the_calendar_has_them_and_cut_at_the_ends(
    since: str, until: str, hours: list[int]
) -> None:
    span = Span(at(since), at(until))
    days = days_of(span, BERLIN)
    assert [((day.until or 0) - (day.since or 0)) // HOUR for day in days] == hours
    assert (days[0].since, days[-1].until) == span
    assert all(one.until == other.since for one, other in itertools.pairwise(days))


def test_the_last_days_end_with_today() -> None:
    now = at("2026-10-26T08:00")
    assert last_days(1, now, BERLIN) == Span(at("2026-10-25T23:00"), at("2026-10-26T23:00"))
    assert last_days(3, now, BERLIN).since == at("2026-10-23T22:00")


def test_each_key_of_each_day_and_those_without_a_name(recorded: Recorded) -> None:
    recorded.add(
        [
            recorded.request(MIDNIGHT + HOUR, 5, user_id="alice"),
            recorded.request(MIDNIGHT + HOUR, 9, user_id="bob"),
            recorded.request(MIDNIGHT + HOUR, 1),
            recorded.request(MIDNIGHT + DAY + HOUR, 2, user_id="alice", session_id="s"),
            recorded.request(MIDNIGHT + DAY + HOUR, 3, user_id="eve", counted=False),
        ]
    )
    days = days_of(Span(MIDNIGHT, MIDNIGHT + 2 * DAY), Calendar())
    found = [
        (each.start, each.row.key.raw, each.row.spend.cost.nano) for each in key_spends(recorded.store, days, "user")
    ]
    assert found == [(MIDNIGHT, "bob", 9), (MIDNIGHT, "alice", 5), (MIDNIGHT, "", 1), (MIDNIGHT + DAY, "alice", 2)]
    assert [each.row.key.raw for each in key_spends(recorded.store, days, "session")] == ["", "s"]
    assert [each.row.key.raw for each in key_spends(recorded.store, days, "user", 1)] == ["bob", "alice"]


def test_without_a_beginning_it_is_the_oldest_request(recorded: Recorded) -> None:
    assert from_the_oldest(recorded.store, Span(None, START)) == Span(START, START)
    recorded.add([recorded.request(START + HOUR, 5)])
    assert from_the_oldest(recorded.store, Span(None, START + DAY)) == Span(START + HOUR, START + DAY)
    assert from_the_oldest(recorded.store, Span(START, None)) == Span(START, None)
