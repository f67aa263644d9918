"""An instant as people type it: `02:40`, `yesterday 14:00`, `2026-11-19 02:40`, `-2h`."""

from __future__ import annotations

from datetime import time

from spendtop.domain.clock import DAY
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


def _dated(day: str, clock: str, now: int, calendar: Calendar) -> str:
    """A day and a time of it as one text. Raises ValueError."""
    begin = calendar.local(parse_moment(day).span(now, calendar)[0])
    return f"{begin:%Y-%m-%d}T{time.fromisoformat(clock.zfill(5)):%H:%M:%S}"
