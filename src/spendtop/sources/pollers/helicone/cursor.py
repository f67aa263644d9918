"""Where reading from Helicone stands: the cursor, and which spans of time come next. Instants are UTC µs."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.percent import percent_of

SETTLING = MINUTE
"""What is younger may still be on its way into Helicone's tables, and is left for the next poll."""
OVERLAP = 15 * MINUTE
"""How much of what was read is read again at each poll, for requests that Helicone shows late."""
TRAILING = 48 * HOUR
"""How far back totals are compared each time."""
COMPARE_EVERY = 6 * HOUR
FAR_TRAILING = 8 * DAY
"""How far back they are compared once a day: after an outage Helicone shows requests days late."""
COMPARED_AT_ONCE = 6 * HOUR
"""The span of one comparison."""


class ReadSpan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A span of time that is read or compared from its begin to its end."""

    since: int
    until: int
    """Exclusive."""
    at: int
    """What lies before it is done; a whole second."""
    offset: int = 0
    """How many rows from `at` on were read already, where one second has more than a page holds."""

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.at >= self.until


class Following(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="following"):
    """Keeping up with Helicone."""

    since: int
    """What lies before it is never read."""
    seen: int
    """All before it was read."""
    compared_at: int
    """When the last comparison began."""
    compared_far_at: int = 0
    """When the last one of FAR_TRAILING began."""
    reading: ReadSpan | None = None
    comparing: ReadSpan | None = None
    """While it is there, `reading` is a part of it whose totals differ."""

    @property
    def complete_until(self) -> int:
        """Up to when nothing is known to be missing."""
        if self.reading is None:
            return self.seen
        return min(self.seen, self.reading.at) if self.comparing else max(self.seen, self.reading.at)

    @property
    def idle(self) -> bool:
        """Whether the next poll begins something new."""
        return self.reading is None and self.comparing is None


class Ranging(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="range"):
    """Reading one span that was asked for."""

    reading: ReadSpan


Place: TypeAlias = Following | Ranging


class Progress(Struct, frozen=True, kw_only=True):
    """How far reading a span has come."""

    since: int
    until: int
    at: int

    @property
    def percent(self) -> str:
        """By time."""
        length = self.until - self.since
        return percent_of(min(max(self.at - self.since, 0), length), length) if length > 0 else "100%"


def range_cursor(since: int, until: int) -> str:
    """Where reading just one span begins."""
    return written(Ranging(reading=span(since, until)))


def resumed(cursor: str, since: int, until: int) -> str | None:
    """Where reading a span goes on that begins in what was read to reach a cursor; None where it does not."""
    place, wanted = placed(cursor), span(since, until)
    if not isinstance(place, Ranging):
        return None
    read = place.reading
    if not read.since <= wanted.since < read.at < wanted.until:
        return None
    return written(Ranging(reading=replace(wanted, at=read.at, offset=read.offset)))


def progress(cursor: str | None) -> Progress | None:
    """What is being read at a cursor and how far; None where nothing is under way."""
    place = placed(cursor)
    reading = None if place is None else place.reading
    return None if reading is None else Progress(since=reading.since, until=reading.until, at=reading.at)


def placed(cursor: str | None) -> Place | None:
    """What a cursor says; None at the very beginning, and for one that another version wrote."""
    if cursor is None:
        return None
    try:
        return msgspec.json.decode(cursor, type=Following | Ranging)
    except (ValueError, RecursionError):
        return None


def written(place: Place) -> str:
    """A place as a cursor."""
    return msgspec.json.encode(place).decode()


def span(since: int, until: int) -> ReadSpan:
    """A whole span from its begin, in whole seconds."""
    first = _second(since)
    return ReadSpan(since=first, until=_second(until), at=first)


def first_run(now: int, backfill: int) -> Following:
    """Begins with all from `backfill` µs ago."""
    reading = span(now - backfill, now - SETTLING)
    return Following(since=reading.since, seen=reading.since, compared_at=now, compared_far_at=now, reading=reading)


def next_run(place: Following, now: int) -> Following:
    """Begins with what came since the last one, and a little before."""
    reading = span(max(place.since, place.seen - OVERLAP), now - SETTLING)
    return place if reading.ended else replace(place, reading=reading)


def after_reading(place: Following, reading: ReadSpan, now: int) -> Following:
    """One page further; behind the last one it may be time to compare."""
    if not reading.ended:
        return replace(place, reading=reading)
    if place.comparing is not None:
        return after_comparing(replace(place, reading=None), reading.until)
    place = replace(place, reading=None, seen=max(place.seen, reading.until))
    if now - place.compared_at < COMPARE_EVERY:
        return place
    is_far = now - place.compared_far_at >= DAY
    comparing = span(max(place.since, now - (FAR_TRAILING if is_far else TRAILING)), place.seen - OVERLAP)
    compared_far_at = now if is_far else place.compared_far_at
    return replace(
        place, compared_at=now, compared_far_at=compared_far_at, comparing=None if comparing.ended else comparing
    )


def to_compare(comparing: ReadSpan) -> ReadSpan:
    """The next part whose totals are compared."""
    return span(comparing.at, min(comparing.at + COMPARED_AT_ONCE, comparing.until))


def after_comparing(place: Following, until: int) -> Following:
    """All before `until` is as Helicone has it."""
    assert place.comparing is not None
    comparing = replace(place.comparing, at=until)
    return replace(place, comparing=None if comparing.ended else comparing)


def compare_later(place: Following, now: int) -> Following:
    """Gives up comparing for an hour."""
    return replace(place, comparing=None, compared_at=now - COMPARE_EVERY + HOUR)


def read_again(place: Following, part: ReadSpan) -> Following:
    """A part whose totals differ is read."""
    return replace(place, reading=part)


class ReadWindow(NamedTuple):
    """What one question was about, from where reading stands."""

    until: int
    """Exclusive."""
    limit: int


def after_page(reading: ReadSpan, newest: int | None, window: ReadWindow) -> ReadSpan:
    """Where the next page begins. `newest` is the instant of a page's last request, None for an empty page.

    It begins within the second of that request, as more may share it: the page was cut somewhere in there.
    """
    if newest is None:
        return replace(reading, at=window.until, offset=0)
    second = _second(newest)
    if second > reading.at:
        return replace(reading, at=second, offset=0)
    return replace(reading, offset=reading.offset + window.limit)


def _second(micros: int) -> int:
    return micros - micros % SECOND
