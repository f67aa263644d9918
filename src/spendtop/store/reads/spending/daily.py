"""Spend by local day, of everyone or of each user, model, ... in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spendtop.domain.windows import Calendar, bounds, parse_window
from spendtop.store.engine import Store
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import ALL, KeySpend, by_key, oldest_hour, spend

DAY_DIMENSION = "day"
"""Stands for local days where dimensions of spend are named."""
_AT_ONCE = 31
"""Days that one transaction reads."""
_ALL_KEYS = 1_000_000


@dataclass(frozen=True, slots=True)
class DaySpend:
    """Spend of a local day, or of the part of it that was asked for, from `start` (UTC µs) on."""

    start: int
    spend: Spend


@dataclass(frozen=True, slots=True)
class DayKeySpend:
    """Spend of one user, model, ... on a local day."""

    start: int
    row: KeySpend


def last_days(count: int, now: int, calendar: Calendar) -> Span:
    """From the beginning of the local day `count - 1` days before today until the end of today."""
    start, end = _day_of(now, calendar)
    for _ in range(count - 1):
        start, _ = _day_of(start - 1, calendar)
    return Span(start, end)


def days_of(span: Span, calendar: Calendar) -> list[Span]:
    """The local days of a bounded span in time order, the first and the last one as far as it has them."""
    assert span.since is not None and span.until is not None
    days: list[Span] = []
    at = span.since
    while at < span.until:
        end = min(_day_of(at, calendar)[1], span.until)
        days.append(Span(at, end))
        at = end
    return days


def from_the_oldest(store: Store, span: Span) -> Span:
    """The span, begun with the oldest request where it has no beginning."""
    if span.since is not None:
        return span
    with store.reading() as connection:
        oldest = oldest_hour(connection)
    return Span(span.until if oldest is None else oldest, span.until)


def day_spends(store: Store, days: Sequence[Span], dimension: str = ALL, key: str = "") -> tuple[DaySpend, ...]:
    """Exact spend of one key on each day, also on those without any."""
    spent: list[DaySpend] = []
    for begin in range(0, len(days), _AT_ONCE):
        with store.reading() as connection:
            for day in days[begin : begin + _AT_ONCE]:
                spent.append(DaySpend(day.since or 0, spend(connection, day.since, day.until, dimension, key)))
    return tuple(spent)


def key_spends(store: Store, days: Sequence[Span], dimension: str, most: int = _ALL_KEYS) -> Iterator[DayKeySpend]:
    """Exact spend of the `most` largest keys of a dimension on each day, the costliest first. Days are read apart."""
    for day in days:
        with store.reading() as connection:
            whole = spend(connection, day.since, day.until)
            rows = by_key(connection, dimension, day.since, day.until, most).beside(whole)
        yield from (DayKeySpend(day.since or 0, row) for row in rows)


def _day_of(at: int, calendar: Calendar) -> tuple[int, int]:
    day = bounds(parse_window("day"), at, calendar)
    assert day.start_us is not None and day.end_us is not None
    return day.start_us, day.end_us
