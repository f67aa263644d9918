"""Which earlier span of time a span is compared with."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from spendtop.domain.clock import DAY
from spendtop.domain.windows import Bounds, Calendar

_WEEK = 7
_ABOUT_A_DAY = DAY * 23 // 24
"""The shortest day that a calendar has, in µs."""


class Baseline(StrEnum):
    """What a span is held against."""

    BEFORE = "before"
    """The span of the same length in front of it."""
    WEEK = "a week ago"
    """The same one, seven local days earlier."""

    @property
    def other(self) -> Baseline:
        return Baseline.WEEK if self is Baseline.BEFORE else Baseline.BEFORE


def earlier(span: Bounds, baseline: Baseline, now: int, calendar: Calendar) -> Bounds | None:
    """What `span` is compared with; None where it has no beginning.

    Of a span that is not over only the part until now has its counterpart, so that half a day is held against half a
    day. Days are shifted by the local clock: midnight stays midnight where clocks change.
    """
    if span.start_us is None:
        return None
    end = now if span.end_us is None else span.end_us
    until = min(end, now)
    length = end - span.start_us
    if baseline is Baseline.WEEK:
        days = _WEEK
    elif length >= _ABOUT_A_DAY:
        days = max(round(length / DAY), 1)
    else:
        return Bounds(span.start_us - length, until - length)
    start = _shifted(span.start_us, days, calendar)
    return Bounds(start, max(_shifted(until, days, calendar), start))


def _shifted(at: int, days: int, calendar: Calendar) -> int:
    """The instant at which local clocks showed the same so many days before."""
    wall = calendar.local(at).replace(tzinfo=None)
    return calendar.instant(wall - timedelta(days=days))
