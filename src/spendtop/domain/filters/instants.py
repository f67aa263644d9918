"""Instants as people type them: `02:40`, `yesterday 14:00`, `2026-11-19 02:40`, `-2h`; and spans as filters."""

from __future__ import annotations

from datetime import time

from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.values import parse_moment
from spendtop.domain.windows import Calendar

_FORMS = "Say a time such as 02:40, yesterday 14:00, 2026-11-19 02:40 or -2h."


def parse_instant(text: str, now: int, calendar: Calendar) -> int:
    """UTC µs of an instant of before; a time of day alone is the last one.

    Raises UsageError for what is no time, or has not been yet.
    """
    day, _, clock = text.strip().partition(" ")
    try:
        at = parse_moment(_dated(day, clock.strip(), now, calendar) if clock else day).span(now, calendar)[0]
    except ValueError:
        raise UsageError(f"{text.strip()!r} is not a time. {_FORMS}") from None
    if at > now and not clock and ":" in day and "T" not in day:
        at -= DAY
    if at > now:
        raise UsageError(f"{calendar.local(at):%Y-%m-%d %H:%M} has not been yet. {_FORMS}")
    return at


def of_span(since: int | None, until: int | None, calendar: Calendar) -> str:
    """The filter of the requests of a span of time (UTC µs); one with neither end has none."""
    if since is None and until is None:
        return ""
    begin, end = ("" if at is None else _written(at, calendar) for at in (since, until))
    return f"t:{begin}..{end}"


def _written(at: int, calendar: Calendar) -> str:
    """Local time, or UTC where clocks show it twice."""
    wall = calendar.local(at).replace(tzinfo=None)
    if calendar.instant(wall) != at:
        return f"{to_datetime(at):%Y-%m-%dT%H:%M:%SZ}"
    return f"{wall:%Y-%m-%dT%H:%M}" if not wall.second else f"{wall:%Y-%m-%dT%H:%M:%S}"


def _dated(day: str, clock: str, now: int, calendar: Calendar) -> str:
    """A day and a time of it as one text. Raises ValueError."""
    begin = calendar.local(parse_moment(day).span(now, calendar)[0])
    return f"{begin:%Y-%m-%d}T{time.fromisoformat(clock.zfill(5)):%H:%M:%S}"
