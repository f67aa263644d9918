from __future__ import annotations

import pytest

from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.requests.request import TimeSource
from spendtop.domain.requests.timing import seconds_to_micros, when

ARRIVAL = 1_795_000_000_000_000


@pytest.mark.parametrize("own", [ARRIVAL, ARRIVAL - 35 * DAY, ARRIVAL + 5 * MINUTE])
def test_an_events_own_time_is_believed_within_35_days_before_and_5_minutes_after_its_arrival(own: int) -> None:
    assert when(own, TimeSource.CLIENT, ARRIVAL) == (own, TimeSource.CLIENT, False)


@pytest.mark.parametrize("own", [None, 0, ARRIVAL - 35 * DAY - 1, ARRIVAL + 5 * MINUTE + 1, 2**62])
def test_else_it_happened_at_its_arrival_and_is_suspect(own: int | None) -> None:
    assert when(own, TimeSource.PROVIDER, ARRIVAL) == (ARRIVAL, TimeSource.RECEIVED, True)


@pytest.mark.parametrize(
    ("seconds", "micros"),
    [(0, 0), (1_795_000_000, 1_795_000_000_000_000), (1_795_000_000.25, 1_795_000_000_250_000), (2**40, 2**40 * 10**6)],
)
def test_unix_seconds_are_whole_or_broken(seconds: float, micros: int) -> None:
    assert seconds_to_micros(seconds) == micros


@pytest.mark.parametrize("value", [None, True, "1795000000", -1, 2**40 + 1, float("nan"), float("inf"), [], {}])
def test_what_is_no_such_number_is_none(value: object) -> None:
    assert seconds_to_micros(value) is None
