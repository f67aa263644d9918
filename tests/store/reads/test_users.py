"""What one user spent by day."""

from __future__ import annotations

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.money import Usd
from spendtop.store.reads.spending import is_known_user, user_days
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START


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
    days = user_days(recorded.store, "alice", [begin, begin + DAY, begin + 2 * DAY, begin + 3 * DAY])
    assert [(day.start, day.spend.cost, day.spend.unpriced) for day in days] == [
        (begin, Usd(6), 0),
        (begin + DAY, Usd(0), 1),
        (begin + 2 * DAY, Usd(0), 0),
    ]


def test_a_user_is_known_who_was_counted_or_is_stored(recorded: Recorded) -> None:
    recorded.add([recorded.request(START, user_id="alice"), recorded.request(START, user_id="bob", counted=False)])
    with recorded.store.reading() as connection:
        assert [is_known_user(connection, name) for name in ("alice", "bob", "Alice", "eve")] == [
            True,
            True,
            False,
            False,
        ]


def test_a_year_has_each_day_once(recorded: Recorded) -> None:
    starts = [START + number * DAY for number in range(367)]
    recorded.add(recorded.request(at + HOUR, 1, user_id="alice") for at in starts)
    days = user_days(recorded.store, "alice", starts)
    assert [(day.start, day.spend.cost) for day in days] == [(at, Usd(1)) for at in starts[:-1]]
