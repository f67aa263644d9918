"""The requests behind an alert, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spendtop.domain.clock import DAY
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.windows import Calendar
from spendtop.services.alerting.requests import drivers, limit_of, request_filter
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.attention import alerts
from spendtop.store.reads.requests.lists import RequestQuery, page
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, Collecting, limit, request

Make = Callable[..., Collecting]
BERLIN = Calendar(zone="Europe/Berlin")


def behind(store: Store, one: Limit, now: int) -> list[str]:
    """The users of the requests that the alert's filter lists."""
    with store.reading() as connection:
        (alert,) = alerts(connection, True, 9)
        text = request_filter(connection, alert, limit_of(alert, [one]), BERLIN, now)
        query = RequestQuery(filter=parse_filter(text))
        rows = page(connection, query, FilterContext(now, BERLIN), None, 99).rows
    return sorted(str(row.user_id) for row in rows)


@pytest.mark.parametrize(
    "one",
    [
        limit(each=Each.USER, usd=10),
        limit(window="24h", each=Each.USER, usd=10),
        limit(window="request", usd=10),
        limit(each=Each.MODEL_FAMILY, usd=10, where="user:al*"),
    ],
    ids=["day", "rolling", "request", "family"],
)
def test_the_filter_lists_the_requests_that_count_and_no_others(
    collecting: Make, store: Store, clock: SettableClock, one: Limit
) -> None:
    house, now = collecting(one), clock()
    house.record(request("bob", now, DOLLAR, user_id="bob", model="o3"))
    house.record(request("old", now - 3 * DAY, DOLLAR, user_id="alice", model="o3"))
    house.record(request("new", now, 12 * DOLLAR, user_id="alice", model="o3"))
    house.evaluate()
    assert behind(store, one, now) == ["alice"]


def test_what_drove_it_is_who_and_what_spent_most_in_its_window(
    collecting: Make, store: Store, clock: SettableClock
) -> None:
    one = limit(each=Each.USER, usd=10)
    house, now = collecting(one), clock()
    house.record(request("a", now, 9 * DOLLAR, user_id="alice", model="o3"))
    house.record(request("b", now, 2 * DOLLAR, user_id="alice", model="gpt-4o"))
    house.evaluate()
    with store.reading() as connection:
        (alert,) = alerts(connection, True, 9)
        assert drivers(connection, alert, limit_of(alert, [one]), now) == (
            ("model", "o3", 9 * DOLLAR),
            ("model", "gpt-4o", 2 * DOLLAR),
        )
        assert limit_of(alert, [limit(window="7d", each=Each.USER)]) is None
