"""The windows that limits and totals are counted in, and when each begins and ends.

Calendar windows follow a local zone. A boundary that the clocks skip is the first valid instant after it; one that they
show twice is the first of the two, except that every strike of an hour begins an `hour`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from msgspec import Struct

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND, to_datetime, to_micros
from spendtop.domain.errors import nearest

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LONGEST_DURATION = 36_500 * DAY

_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d|w)", re.ASCII)
_UNITS = {"ms": SECOND // 1000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


class WindowKind(StrEnum):
    """What sort of window: the last N, a calendar unit, or the life of one thing."""

    ROLLING = "rolling"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    REQUEST = "request"
    SESSION = "session"
    LIFETIME = "lifetime"
    BLOCK = "5h-block"
    """Five hours of a coding agent, by which plans are commonly told to count (see `domain.agents.blocks`)."""


_DateKind = Literal[WindowKind.DAY, WindowKind.WEEK, WindowKind.MONTH]
"""Those that begin on a date."""
_CalendarKind = Literal[WindowKind.HOUR, WindowKind.DAY, WindowKind.WEEK, WindowKind.MONTH]
CALENDAR_KINDS: frozenset[WindowKind] = frozenset(get_args(_CalendarKind))
ENDING_KINDS = CALENDAR_KINDS | {WindowKind.BLOCK}
"""Those that end at an instant that is known, and after which another one begins."""
BLOCK_LENGTH = 5 * HOUR


@dataclass(frozen=True, slots=True)
class Window:
    """A window as the configuration names it. Equal windows mean the same span, however they are spelled."""

    kind: WindowKind
    text: str = field(compare=False)
    length_us: int | None = None
    """Microseconds of a rolling window; None for every other kind."""

    def __str__(self) -> str:
        return self.text


class Calendar(Struct, frozen=True):
    """Where local days, weeks and months begin. Months start on the 1st.

    Raises ValueError for an unknown zone, a `day_starts` that is not HH:MM, or an unknown weekday.
    """

    zone: str = "UTC"
    day_starts: str = "00:00"
    week_starts: str = "monday"

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            hint = _hint(self.zone, available_timezones()) or "; zones have names such as 'Europe/Berlin' or 'UTC'"
            raise ValueError(f"unknown time zone {self.zone!r}{hint}") from None
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", self.day_starts, re.ASCII):
            raise ValueError(f"{self.day_starts!r} is not a time of day such as '00:00' or '04:30'")
        if self.week_starts not in WEEKDAYS:
            raise ValueError(f"unknown weekday {self.week_starts!r}{_hint(self.week_starts, WEEKDAYS)}")

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def local(self, micros: int) -> datetime:
        """UTC microseconds as an aware local datetime."""
        return to_datetime(micros).astimezone(self.tz)

    def instant(self, wall: datetime, fold: int = 0) -> int:
        """The UTC microsecond at which local clocks show the naive `wall`, or first pass it where they skip it."""
        shown = wall.replace(tzinfo=self.tz, fold=fold)
        micros = to_micros(shown)
        if self.local(micros).replace(tzinfo=None) == wall:
            return micros
        return self._end_of_gap(to_micros(shown.replace(fold=1)), to_micros(shown.replace(fold=0)))

    def _end_of_gap(self, before: int, after: int) -> int:
        """The second within (before, after] at which the zone's offset changes."""
        old = self.local(before).utcoffset()
        before, after = before // SECOND, -(-after // SECOND)
        while after - before > 1:
            middle = (before + after) // 2
            if self.local(middle * SECOND).utcoffset() == old:
                before = middle
            else:
                after = middle
        return after * SECOND


class Bounds(Struct, frozen=True):
    """UTC microseconds from `start_us` inclusive to `end_us` exclusive; None is open."""

    start_us: int | None
    end_us: int | None

    def __contains__(self, micros: int) -> bool:
        after_start = self.start_us is None or self.start_us <= micros
        return after_start and (self.end_us is None or micros < self.end_us)


def parse_duration(text: str) -> int:
    """Microseconds of `250ms`, `90s`, `5m`, `1.5h`, `7d` or `2w`. Raises ValueError otherwise."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 90s, 5m, 1h or 7d")
    micros = int(Decimal(match[1]) * _UNITS[match[2]])
    if micros > LONGEST_DURATION:
        raise ValueError(f"{text!r} is longer than {LONGEST_DURATION // DAY} days")
    return micros


def parse_window(text: str) -> Window:
    """The window that `text` names: `90s`, `1h`, `7d`, or hour, day, week, month, request, session, lifetime, 5h-block.

    Raises ValueError with the valid forms and the nearest name.
    """
    name = text.strip().lower()
    named = [kind for kind in WindowKind if kind is not WindowKind.ROLLING]
    if name in named:
        return Window(WindowKind(name), name)
    if not _DURATION.fullmatch(name):
        forms = f"a duration such as 90s, 1h or 7d, or one of {', '.join(named)}"
        raise ValueError(f"unknown window {text!r}{_hint(name, named) or f'; a window is {forms}'}")
    length = parse_duration(name)
    if length < SECOND:
        raise ValueError(f"window {text!r} is shorter than one second")
    return Window(WindowKind.ROLLING, name, length)


def bounds(window: Window, now_us: int, calendar: Calendar) -> Bounds:
    """The span of `window` that `now_us` lies in.

    A rolling window starts its length before now and has no end; a session or lifetime has neither start nor end.
    Raises ValueError for `request`, which spans no time, and for `5h-block`, which begins with a call.
    """
    match window.kind:
        case WindowKind.REQUEST:
            raise ValueError("the window 'request' spans no time")
        case WindowKind.BLOCK:
            raise ValueError("the window '5h-block' begins with a call")
        case WindowKind.SESSION | WindowKind.LIFETIME:
            return Bounds(None, None)
        case WindowKind.ROLLING:
            assert window.length_us is not None
            return Bounds(now_us - window.length_us, None)
        case WindowKind.HOUR | WindowKind.DAY | WindowKind.WEEK | WindowKind.MONTH as kind:
            instants = sorted(_boundaries(kind, now_us, calendar))
    return Bounds(
        max(instant for instant in instants if instant <= now_us),
        min(instant for instant in instants if instant > now_us),
    )


def widest(window: Window, now_us: int, calendar: Calendar) -> Bounds:
    """The span that the window of `now_us` lies within, whoever's it is."""
    if window.kind is WindowKind.BLOCK:
        return Bounds(now_us - BLOCK_LENGTH, None)
    return bounds(window, now_us, calendar)


def _boundaries(kind: _CalendarKind, now_us: int, calendar: Calendar) -> Iterator[int]:
    """Every instant near now at which a window of this kind begins."""
    wall = calendar.local(now_us).replace(tzinfo=None)
    steps = range(-2, 3)
    if kind is WindowKind.HOUR:
        hour = wall.replace(minute=0, second=0, microsecond=0)
        for step in steps:
            for fold in (0, 1):
                yield calendar.instant(hour + timedelta(hours=step), fold)
        return
    today, opening = wall.date(), time.fromisoformat(calendar.day_starts)
    for step in steps:
        yield calendar.instant(datetime.combine(_start_date(kind, today, step, calendar), opening))


def _start_date(kind: _DateKind, today: date, step: int, calendar: Calendar) -> date:
    """The first date of today's day, week or month, moved by `step` of them."""
    match kind:
        case WindowKind.DAY:
            return today + timedelta(days=step)
        case WindowKind.WEEK:
            into_week = (today.weekday() - WEEKDAYS.index(calendar.week_starts)) % 7
            return today + timedelta(days=7 * step - into_week)
        case WindowKind.MONTH:
            years, month = divmod(today.month - 1 + step, 12)
            return date(today.year + years, month + 1, 1)


def _hint(name: str, names: Iterable[str]) -> str:
    near = nearest(name, names)
    return f"; did you mean '{near}'?" if near else ""
