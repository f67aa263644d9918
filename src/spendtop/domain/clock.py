"""Time as the whole program reads it: UTC microseconds from one injected clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], int]
"""Returns the current instant in UTC microseconds since 1970."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_datetime(micros: int) -> datetime:
    """UTC microseconds as an aware datetime."""
    return _EPOCH + timedelta(microseconds=micros)


def to_micros(moment: datetime) -> int:
    """An aware datetime as UTC microseconds. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def month_of(at: int) -> int:
    """Start of the UTC month of an instant."""
    return to_micros(to_datetime(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def next_month(at: int) -> int:
    """Start of the UTC month after that of an instant."""
    return month_of(month_of(at) + 32 * DAY)


def to_iso(micros: int) -> str:
    """UTC microseconds as RFC 3339 text, for example `2026-11-20T14:03:07.250000Z`."""
    return to_datetime(micros).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def day_word(day: int, today: int) -> str:
    """A UTC day (days since 1970) as people call it: `today`, `yesterday`, `2026-11-01`."""
    return {0: "today", 1: "yesterday"}.get(today - day) or f"{to_datetime(day * DAY):%Y-%m-%d}"


def age(micros: int) -> str:
    """How long ago, coarse on purpose so that an idle screen stays still: `now`, `20s`, `3m`, `2h`, `4d`."""
    if micros < 5 * SECOND:
        return "now"
    if micros < MINUTE:
        return f"{micros // (10 * SECOND) * 10 or 5}s"
    if micros < HOUR:
        return f"{micros // MINUTE}m"
    if micros < DAY:
        return f"{micros // HOUR}h"
    return f"{micros // DAY}d"
