"""Trying a limit on the past says what running it would have said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendtop.domain.alerting.backtest import Backtest
from spendtop.domain.alerting.episode import MessageKind
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.windows import Calendar
from spendtop.services.limits.backtests import backtest, is_by_totals
from spendtop.store.engine import Store
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, Collecting, clear, limit, request

Make = Callable[..., Collecting]
BEGIN = 1_763_856_000_000_000
"""A midnight in UTC."""
HISTORY = st.lists(
    st.tuples(st.integers(0, 90), st.integers(1, 9), st.sampled_from(("ada", "bob"))), min_size=1, max_size=9
)
"""Minute, dollars and user of each request."""


def tried(store: Store, rule: Limit, now: int, days: int = 3) -> Backtest:
    found = backtest(store, rule, Calendar(), days, now)
    assert found is not None
    return found


def announced(store: Store, rule: Limit, history: list[tuple[int, int, str]]) -> set[tuple[int, str, float]]:
    """What the evaluator itself announces while these requests come in, with a look just behind every minute: the
    minute, whose, and the highest threshold."""
    clock = SettableClock(BEGIN)
    spending = Collecting(store, clock, rule)
    heard: set[tuple[int, str, float]] = set()
    due = sorted(history)
    for minute in range(due[0][0], 130):
        clock.now = BEGIN + minute * MINUTE
        while due and due[0][0] == minute:
            _, dollars, user = due.pop(0)
            spending.record(request(f"{minute}-{len(due)}", clock(), dollars * DOLLAR, user_id=user))
            for told in spending.evaluate():
                assert told.message.kind is not MessageKind.RESOLVED
                fraction = 1.0 if told.message.kind is MessageKind.EXCEEDED else 0.5
                heard.add((minute, told.message.entity, fraction))
        clock.now += 1
        spending.revisit()
    return heard


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HISTORY, st.sampled_from((None, Each.USER)))
def test_a_rolling_limit_fires_as_the_evaluator_does(
    sqlite_store: Store, history: list[tuple[int, int, str]], each: Each | None
) -> None:
    clear(sqlite_store)
    rule = limit(window="20m", usd=10, warn=(0.5,), each=each)
    expected = announced(sqlite_store, rule, history)
    found = tried(sqlite_store, rule, BEGIN + 12 * HOUR)
    assert {((one.at - BEGIN) // MINUTE, one.entity, one.fraction) for one in found.firings} == expected


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HISTORY, st.sampled_from((None, Each.USER)))
def test_a_calendar_limit_reaches_in_each_window_what_the_evaluator_announces_last(
    sqlite_store: Store, history: list[tuple[int, int, str]], each: Each | None
) -> None:
    clear(sqlite_store)
    rule = limit(window="hour", usd=10, warn=(0.5,), each=each)
    highest: dict[tuple[int, str], float] = {}
    for minute, entity, fraction in announced(sqlite_store, rule, history):
        window = (minute // 60, entity)
        highest[window] = max(fraction, highest.get(window, 0.0))
    for scope in ("", "user:*"):  # from totals, and request by request
        scoped = limit(window="hour", usd=10, warn=(0.5,), each=each, where=scope)
        assert is_by_totals(scoped) is not bool(scope)
        firings = tried(sqlite_store, scoped, BEGIN + 12 * HOUR).firings
        assert {((one.at - BEGIN) // HOUR, one.entity): one.fraction for one in firings} == highest


def test_days_are_counted_and_named_and_short_data_said(collecting: Make) -> None:
    spending = collecting(limit(usd=10, warn=(0.8,)))
    now = BEGIN + 20 * DAY + 5 * HOUR
    for ago, dollars in ((0, 8.5), (1, 30), (3, 9), (4, 2)):
        spending.record(request(f"day-{ago}", now - ago * DAY, round(dollars * DOLLAR)))
    spending.record(request("lab", now, None))
    found = tried(spending.store, spending.book.limits[0], now, 30)
    assert found.sentence(Calendar()) == (
        "Would have fired 80% on 3 of 5 days (12-10, 12-12, 12-13), 100% on 1 (12-12)."
    )
    assert list(found.remarks(Calendar())) == [
        "There are data since 2025-12-09 05:00 only.",
        "1 request has no known cost; it counts nothing.",
    ]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (limit(window="request", usd=9), "Would have fired 100% on 2 of 3 days (11-23, 11-25)."),
        (limit(window="session", usd=20, warn=(), each=Each.SESSION), "Would have fired 100% on 1 of 3 days (11-25)."),
        (limit(window="lifetime", usd=20), "Would have fired 80% on 1 of 3 days (11-24), 100% on 1 (11-25)."),
        (limit(window="24h", usd=3), "Would have fired 80% on 1 of 3 days (11-23), 100% on 1 (11-23)."),
        (limit(window="day", usd=90, each=Each.MODEL_FAMILY), "Would have fired 80% on 0 of 3 days, 100% on 0."),
    ],
)
def test_every_other_window_is_run_request_by_request(collecting: Make, rule: Limit, sentence: str) -> None:
    spending = collecting(rule)
    for day, dollars in enumerate((10, 7, 12)):
        spending.record(request(f"at-{day}", BEGIN + day * DAY + HOUR, dollars * DOLLAR, session_id="s"))
    assert tried(spending.store, rule, BEGIN + 2 * DAY + 2 * HOUR).sentence(Calendar()).startswith(sentence)


def test_it_ends_at_once_when_it_is_told_to_and_says_how_far_it_is(collecting: Make) -> None:
    spending = collecting(limit())
    for day in range(3):
        spending.record(request(f"on-{day}", BEGIN + day * DAY, DOLLAR))
    told: list[float] = []

    def stop(done: float) -> bool:
        told.append(done)
        return False

    def watch(done: float) -> bool:
        told.append(done)
        return True

    assert backtest(spending.store, limit(window="24h"), Calendar(), 3, BEGIN + 2 * DAY + 1, stop) is None
    assert len(told) == 1
    told.clear()
    assert backtest(spending.store, limit(window="24h"), Calendar(), 3, BEGIN + 2 * DAY + 1, watch) is not None
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_zone_of_half_hours_is_as_exact(collecting: Make) -> None:
    spending = collecting(limit(usd=10))
    for minute in (17 * 60 + 45, 18 * 60 + 15, 18 * 60 + 45):  # midnight in Kolkata is 18:30 UTC
        spending.record(request(f"at-{minute}", BEGIN + minute * MINUTE, 5 * DOLLAR))
    calendar = Calendar("Asia/Kolkata")
    found = backtest(spending.store, limit(usd=10, warn=()), calendar, 3, BEGIN + DAY)
    assert found is not None
    assert found.sentence(calendar) == "Would have fired 100% on 1 of 2 days (11-23)."


def test_a_store_without_requests_says_so(collecting: Make) -> None:
    found = tried(collecting(limit()).store, limit(), BEGIN)
    assert found.sentence(Calendar()) == "There are no requests in that time."
