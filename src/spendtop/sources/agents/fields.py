"""Values of agents' JSON, any of which may be of any type."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from spendtop.domain.clock import to_micros
from spendtop.domain.money import Usd

_LONGEST = 4096
_EARLIEST = 1_500_000_000_000_000
"""Before that there was no such agent: what says so is no time."""


def text(value: object) -> str | None:
    """What is written there, unless that is nothing."""
    return value[:_LONGEST] if isinstance(value, str) and value else None


@lru_cache(maxsize=1024)
def instant(value: object) -> int | None:
    """UTC microseconds of an ISO time or of milliseconds since 1970."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            micros = to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            return None
    elif type(value) is int or type(value) is float:
        try:
            micros = int(value * 1000)
        except (ValueError, OverflowError):
            return None
    else:
        return None
    return micros if _EARLIEST <= micros < 4_000_000_000_000_000 else None


def dollars(value: object) -> Usd | None:
    """An amount that an agent worked out; zero says nothing, as plans are zero too."""
    if type(value) not in (int, float) or not value:
        return None
    try:
        amount = Usd.of(str(value))
    except ValueError:
        return None
    return amount if amount.nano > 0 else None
