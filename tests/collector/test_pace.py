"""Transactions take about a fiftieth of a second, whatever the machine and the store are like."""

from __future__ import annotations

import math

import pytest

from spendtop.collector.pace import Pace


def settled(seconds_each: float) -> Pace:
    """After some transactions in which a row takes so many seconds."""
    pace = Pace()
    for _ in range(30):
        pace.rest(pace.most * seconds_each, 0.0)
    return pace


@pytest.mark.parametrize("micros", [20, 67, 200])
def test_as_much_is_done_at_once_as_fits(micros: int) -> None:
    assert settled(micros / 1e6).most * micros == pytest.approx(20_000, rel=0.05)


def test_little_is_done_where_all_is_slow_but_never_nothing_and_never_without_an_end() -> None:
    assert settled(1.0).most == 50
    assert settled(0.0).most == 2_000


def test_one_slow_transaction_makes_the_next_one_small_at_once() -> None:
    pace = settled(0.0)
    pace.rest(0.4, 0.0)
    assert pace.most == 100


def test_others_have_half_of_the_time_until_they_have_been_quiet_for_a_while() -> None:
    rests = [Pace().rest(0.03, quiet_for) for quiet_for in (0.0, 9.9, 10.0, math.inf)]
    assert rests == [0.03, 0.03, 0.0, 0.0]
