from __future__ import annotations

import pytest

from spendtop.alerts.backoff import Timing, next_try
from spendtop.alerts.delivery_process import DeliveryOutcome, DeliveryResult
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND

TRANSIENT = DeliveryResult(outcome=DeliveryOutcome.TRANSIENT)
PERMANENT = DeliveryResult(outcome=DeliveryOutcome.PERMANENT)


def wait(result: DeliveryResult, attempts: int, age: int = 0, spread: float = 1.0) -> int | None:
    at = next_try(Timing(), result, attempts=attempts, created_at=0, now=age, spread=spread)
    return None if at is None else at - age


def test_waits_after_passing_failures_grow_to_six_hours() -> None:
    waits = [wait(TRANSIENT, attempts) for attempts in range(1, 12)]
    expected = [10 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR]
    assert waits == [*expected, 6 * HOUR, 6 * HOUR, 6 * HOUR, 6 * HOUR]


def test_passing_failures_are_given_up_after_twelve_tries_or_a_day() -> None:
    assert wait(TRANSIENT, 12) is None
    assert wait(TRANSIENT, 5, age=DAY) is None


def test_the_last_try_is_a_day_after_the_first() -> None:
    assert wait(TRANSIENT, 10, age=DAY - 2 * HOUR) == 2 * HOUR


def test_a_service_that_asks_for_less_gets_a_minute_and_twice_the_wait() -> None:
    slow = DeliveryResult(outcome=DeliveryOutcome.TRANSIENT, slow_down=True)
    assert [wait(slow, attempts) for attempts in (1, 2, 3)] == [MINUTE, 2 * MINUTE, 10 * MINUTE]


def test_refusals_get_three_tries_within_an_hour() -> None:
    first, second = wait(PERMANENT, 1), wait(PERMANENT, 2)
    assert first is not None and second is not None
    assert first + second <= HOUR / 1.2
    assert wait(PERMANENT, 3) is None


def test_what_is_misconfigured_is_never_tried_again() -> None:
    assert wait(DeliveryResult(outcome=DeliveryOutcome.MISCONFIGURED), 1) is None


@pytest.mark.parametrize("spread", [0.8, 1.2])
def test_the_spread_scales_the_wait(spread: float) -> None:
    assert wait(TRANSIENT, 2, spread=spread) == int(MINUTE * spread)
