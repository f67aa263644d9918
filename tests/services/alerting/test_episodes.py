"""Limits that are not in force for a while: a start without them, a file renamed and renamed back, a broken one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits.limit import Each, Limit
from spendtop.services.alerting import actions as alert_actions
from tests.services.conftest import DOLLAR, Collecting, limit, request

Make = Callable[..., Collecting]

WINDOWS = ["day", "month", "1h", "7d", "session", "lifetime"]


def _withdrawn(collecting: Make) -> None:
    """A collector without any limit runs for a minute."""
    without = collecting()
    assert without.take_over() == []
    without.clock.advance(MINUTE)
    assert without.take_over() == []


@pytest.mark.parametrize("window", WINDOWS)
def test_a_crossing_is_told_once_though_its_limit_vanishes_and_comes_back(collecting: Make, window: str) -> None:
    mine = limit(window=window, usd=10, warn=(0.5,))
    spending = collecting(mine)
    assert spending.spend(10, session_id="s") != []
    for _ in range(3):
        _withdrawn(collecting)
        assert {row.state for row in spending.alerts()} == {"resolved"}
        back = collecting(mine)
        assert back.take_over() == []
        assert back.spend(1, session_id="s") == []
        assert [(row.state, row.resolved_at) for row in spending.alerts()] == [("exceeded", None)]
    assert len(spending.told()) == 1


def test_what_gets_worse_in_the_meantime_is_told(collecting: Make) -> None:
    mine = limit(usd=10)
    assert collecting(mine).spend(8) == ["approaching daily"]
    _withdrawn(collecting)
    collecting().spend(5)
    assert collecting(mine).take_over() == ["exceeded daily"]


def test_acks_and_snoozes_stay(collecting: Make) -> None:
    mine = limit(each=Each.USER, usd=10, warn=())
    spending = collecting(mine)
    spending.spend(10, user_id="alice")
    spending.spend(10, user_id="bob")
    now = spending.clock()
    acked, snoozed = (row.id for row in spending.alerts())
    with spending.store.writing() as connection:
        alert_actions.ack(connection, acked, "carol", now)
        alert_actions.snooze(connection, snoozed, now + HOUR, "carol", now)
    _withdrawn(collecting)
    assert collecting(mine).take_over() == []
    assert [(row.state, row.acked_by, row.snoozed_until) for row in spending.alerts()] == [
        ("exceeded", "carol", None),
        ("exceeded", None, now + HOUR),
    ]
    spending.clock.advance(HOUR)
    assert collecting(mine).take_over() == ["exceeded daily bob"]


def test_a_window_that_ended_in_the_meantime_stays_over_and_the_next_one_speaks(collecting: Make) -> None:
    mine = limit(usd=10, warn=())
    spending = collecting(mine)
    spending.spend(10)
    _withdrawn(collecting)
    spending.clock.advance(DAY)
    assert collecting(mine).take_over() == []
    assert [row.state for row in spending.alerts()] == ["resolved"]
    assert collecting(mine).spend(10) == ["exceeded daily"]


def test_rolling_use_that_fell_in_the_meantime_resolves_as_ever(collecting: Make) -> None:
    mine = limit("hourly", "1h", usd=10, warn=())
    spending = collecting(mine)
    spending.spend(10, at=spending.clock() - 50 * MINUTE)
    _withdrawn(collecting)
    spending.clock.advance(20 * MINUTE)
    back = collecting(mine)
    assert back.take_over() == []
    back.clock.advance(15 * MINUTE)
    assert back.take_over() == ["resolved hourly"]
    assert back.spend(10) == ["exceeded hourly"]


def test_a_rolling_limit_that_was_away_for_longer_than_its_window_speaks_about_the_next_one(collecting: Make) -> None:
    mine = limit("hourly", "1h", usd=10, warn=())
    spending = collecting(mine)
    spending.spend(10)
    _withdrawn(collecting)
    spending.clock.advance(2 * HOUR)
    collecting().spend(10)
    assert collecting(mine).take_over() == ["exceeded hourly"]
    assert [row.state for row in spending.alerts()] == ["resolved", "exceeded"]


@pytest.mark.parametrize(("first", "second"), [("day", "24h"), ("24h", "day")])
def test_a_window_that_is_changed_and_changed_back_goes_on(collecting: Make, first: str, second: str) -> None:
    before, between = (limit(window=window, usd=10, warn=()) for window in (first, second))
    assert collecting(before).spend(10) == ["exceeded daily"]
    assert collecting(between).take_over() == ["exceeded daily"]
    back = collecting(before)
    assert back.take_over() == []
    assert sorted(row.state for row in back.alerts()) == ["exceeded", "resolved"]
    assert len(back.told()) == 2


def test_a_window_that_ended_before_is_not_opened_by_another_limit_of_that_name(collecting: Make) -> None:
    spending = collecting(limit(window="hour", usd=10, warn=()))
    spending.spend(10)
    spending.clock.advance(HOUR)
    spending.revisit()
    day: Limit = limit(window="day", usd=50, warn=())
    assert collecting(day).take_over() == []
    assert [row.state for row in spending.alerts()] == ["resolved"]


def test_a_request_limit_that_comes_back_repeats_nothing(collecting: Make) -> None:
    mine = limit("one request", "request", usd=10)
    spending = collecting(mine)
    spending.record(request("dear", spending.clock(), 11 * DOLLAR))
    spending.evaluate()
    _withdrawn(collecting)
    assert collecting(mine).take_over() == []
    assert len(spending.told()) == 1
