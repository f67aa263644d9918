"""Where the rows of the Overview lead: to filters that list what is behind a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.clock import to_datetime
from spendtop.domain.windows import Calendar

if TYPE_CHECKING:
    pass


def of_span(since: int, until: int | None, calendar: Calendar) -> str:
    """The requests of a span of time (UTC µs)."""
    end = "" if until is None else _written(until, calendar)
    return f"t:{_written(since, calendar)}..{end}"


def joined(*filters: str) -> str:
    """What all of them select."""
    parts = [f"({each})" if "|" in each else each for each in filters if each.strip()]
    return " ".join(parts)


def _written(at: int, calendar: Calendar) -> str:
    """Local time, or UTC where clocks show it twice."""
    wall = calendar.local(at).replace(tzinfo=None)
    if calendar.instant(wall) != at:
        return f"{to_datetime(at):%Y-%m-%dT%H:%M:%SZ}"
    return f"{wall:%Y-%m-%dT%H:%M}" if not wall.second else f"{wall:%Y-%m-%dT%H:%M:%S}"
