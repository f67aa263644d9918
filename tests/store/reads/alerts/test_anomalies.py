"""Who spends now, and what was spent before, on both databases."""

from __future__ import annotations

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.store.reads.alerts import anomalies
from spendtop.store.reads.alerts.anomalies import contributors, largest_bursts, spending_now, spent_by_hour
from spendtop.store.reads.spending.bucket_spans import Span
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

NOW = START // DAY * DAY + 14 * HOUR + 10 * MINUTE + 30 * SECOND
HOUR_START = NOW // HOUR * HOUR


def test_those_who_spent_most_within_the_last_minutes_are_looked_at(recorded: Recorded) -> None:
    recorded.add(
        [
            recorded.request(NOW - 20 * SECOND, 5, user_id="alice"),
            recorded.request(NOW - 2 * MINUTE, 2, user_id="alice"),
            recorded.request(NOW - 4 * MINUTE, 40, user_id="alice"),
            recorded.request(NOW - MINUTE, 3, user_id="Bob"),
            recorded.request(NOW - MINUTE, 1, user_id="carol"),
            recorded.request(NOW - MINUTE, 90),
            recorded.request(NOW - MINUTE, 90, user_id="shadow", counted=False),
            recorded.request(NOW - MINUTE, None, user_id="unpriced"),
            recorded.request(NOW - 3 * MINUTE, 100, user_id="earlier"),
        ]
    )
    with recorded.store.reading() as connection:
        users = spending_now(connection, "user", NOW, 2)
        everyone = spending_now(connection, "all", NOW, 2)
        assert spending_now(connection, "token", NOW, 2) == {}
    assert [(name, spent.burst, spent.hour) for name, spent in users.items()] == [("alice", 7, 47), ("Bob", 3, 3)]
    assert [(spent.burst, spent.hour) for spent in everyone.values()] == [(101, 241)]


def test_what_was_spent_is_known_by_hour_and_the_largest_bursts_around_hours(recorded: Recorded) -> None:
    before = HOUR_START - DAY
    for minute in (0, 1, 2, 40, 62):
        recorded.add([recorded.request(before + minute * MINUTE, minute + 1, user_id="alice", token="t")])
    with recorded.store.reading() as connection:
        hours = spent_by_hour(connection, "user", "alice", Span(before - HOUR, NOW))
        bursts = [largest_bursts(connection, *of, [before, before - 9 * DAY]) for of in KEYS]
    assert hours == {before: 47, before + HOUR: 63}
    assert bursts == [[63, 0]] * 4


KEYS = (("all", ""), ("user", "alice"), ("model", ""), ("token", "t"))


def test_bursts_are_not_read_from_more_requests_than_that_is_worth(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = [HOUR_START - day * DAY for day in range(1, 9)]
    recorded.add([recorded.request(start, 1, user_id="alice", token="t") for start in starts])
    recorded.add([recorded.request(start, 1, user_id="bob") for start in starts])
    monkeypatch.setattr(anomalies, "_MOST_REQUESTS", 6)
    with recorded.store.reading() as connection:
        counts = [len(largest_bursts(connection, dimension, key, starts)) for dimension, key in KEYS]
    assert counts == [8, 6, 3, 3], "tokens are found among everyone's requests, everyone by minutes"


def test_contributors_are_models_of_a_user_and_users_of_everything_else(recorded: Recorded) -> None:
    recorded.add(
        [
            recorded.request(NOW - MINUTE, 5, user_id="alice", model="o3", token="t"),
            recorded.request(NOW - MINUTE, 7, user_id="alice", model="gpt-4o"),
            recorded.request(NOW - MINUTE, 9, user_id="bob", model="o3"),
            recorded.request(NOW - HOUR, 90, user_id="earlier", model="o3"),
        ]
    )
    since = NOW - 2 * MINUTE
    with recorded.store.reading() as connection:
        assert contributors(connection, "all", "", since) == (("user", "alice", 12), ("user", "bob", 9))
        assert contributors(connection, "user", "alice", since) == (("model", "gpt-4o", 7), ("model", "o3", 5))
        assert contributors(connection, "model", "o3", since) == (("user", "bob", 9), ("user", "alice", 5))
        assert contributors(connection, "token", "t", since) == (("user", "alice", 5),)
