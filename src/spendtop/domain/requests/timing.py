"""When a request happened: its own time where that can be believed, else its arrival."""

from __future__ import annotations

from typing import NamedTuple

from spendtop.domain.clock import DAY, MINUTE, SECOND
from spendtop.domain.requests.request import TimeSource

OLDEST = 35 * DAY
NEWEST = 5 * MINUTE
"""How far before and after its arrival an event's own time is believed."""


class When(NamedTuple):
    """An instant in UTC µs, who says so, and whether it has to be doubted."""

    occurred_at: int
    time_source: TimeSource
    suspect: bool


def when(own: int | None, by: TimeSource, received_at: int) -> When:
    """The event's own time (UTC µs) as `by` gives it; its arrival, marked suspect, where there is none to believe."""
    if own is None or not received_at - OLDEST <= own <= received_at + NEWEST:
        return When(received_at, TimeSource.RECEIVED, True)
    return When(own, by, False)


def seconds_to_micros(value: object) -> int | None:
    """Unix seconds as UTC µs, or None for what is no such number."""
    if type(value) is float or type(value) is int:
        return round(value * SECOND) if 0 <= value <= 2**40 else None
    return None
