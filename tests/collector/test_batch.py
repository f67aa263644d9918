"""Transactions take about a fiftieth of a second, whatever the machine and the store are like."""

from __future__ import annotations

import pytest

from spendtop.collector.batch import Batch


def settled(seconds_each: float) -> Batch:
    """After some transactions in which a row takes so many seconds."""
    batch = Batch()
    for _ in range(30):
        batch.rest(batch.size * seconds_each, is_quiet=False)
    return batch


@pytest.mark.parametrize("micros", [20, 67, 200])
def test_as_much_is_done_at_once_as_fits(micros: int) -> None:
    assert settled(micros / 1e6).size * micros == pytest.approx(20_000, rel=0.05)


def test_little_is_done_where_all_is_slow_but_never_nothing_and_never_without_an_end() -> None:
    assert settled(1.0).size == 50
    assert settled(0.0).size == 2_000


def test_one_slow_transaction_makes_the_next_one_small_at_once() -> None:
    batch = settled(0.0)
    batch.rest(0.4, is_quiet=False)
    assert batch.size == 100


def test_others_have_half_of_the_time_unless_they_are_quiet() -> None:
    assert [Batch().rest(0.03, is_quiet) for is_quiet in (False, True)] == [0.03, 0.0]
