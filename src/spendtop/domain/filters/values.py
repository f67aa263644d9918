"""What stands on the right-hand side of a filter's comparison: text patterns, amounts and spans of time."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from spendtop.domain.clock import MINUTE, SECOND, to_micros
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds, Calendar, bounds, parse_duration, parse_window

_NUMBER = re.compile(r"(\d{1,15}(?:\.\d{0,9})?|\.\d{1,9})([km]?)", re.ASCII | re.IGNORECASE)
_SUFFIXES = {"": 1, "k": 1_000, "m": 1_000_000}
_MAX_COUNT = 2**63 - 1
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_YEARS = range(1970, 2200)
_REGEX_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d*,?\d*\}|.", re.DOTALL)
_REPETITION = re.compile(r"[*+?]|\{.+\}")
_MAX_REPETITIONS = 8
_MAX_UNBOUNDED = 3


class PatternKind(StrEnum):
    """How a pattern's text is compared. Every kind ignores case."""

    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    CONTAINS = "contains"
    GLOB = "glob"
    REGEX = "regex"


class Pattern(Struct, frozen=True):
    """A text to look for. Only a `GLOB`'s text keeps its `*`, only a `REGEX`'s is an expression."""

    kind: PatternKind
    text: str

    @property
    def like(self) -> str:
        """The pattern for SQL's LIKE with the escape character `\\`. Raises ValueError for a regular expression."""
        if self.kind is PatternKind.REGEX:
            raise ValueError("a regular expression has no LIKE form")
        escaped = re.sub(r"([\\%_])", r"\\\1", self.text)
        match self.kind:
            case PatternKind.PREFIX:
                return escaped + "%"
            case PatternKind.SUFFIX:
                return "%" + escaped
            case PatternKind.CONTAINS:
                return f"%{escaped}%"
            case PatternKind.GLOB:
                return escaped.replace("*", "%")
        return escaped

    def matches(self, value: str) -> bool:
        """Whether `value` fits, ignoring case."""
        folded, text = value.casefold(), self.text.casefold()
        match self.kind:
            case PatternKind.PREFIX:
                return folded.startswith(text)
            case PatternKind.SUFFIX:
                return folded.endswith(text)
            case PatternKind.CONTAINS:
                return text in folded
            case PatternKind.GLOB:
                return _glob_matches(text.split("*"), folded)
            case PatternKind.REGEX:
                return re.search(self.text, value, re.IGNORECASE) is not None
        return folded == text


def glob(text: str) -> Pattern:
    """The whole value, in which `*` stands for any characters; `**` means the same."""
    text = re.sub(r"\*+", "*", text)
    inner = text.strip("*")
    if "*" in inner:
        return Pattern(PatternKind.GLOB, text)
    match text.startswith("*"), text.endswith("*"):
        case True, True if inner:
            return Pattern(PatternKind.CONTAINS, inner)
        case True, False:
            return Pattern(PatternKind.SUFFIX, inner)
        case _, True:
            return Pattern(PatternKind.PREFIX, inner)
    return Pattern(PatternKind.EXACT, inner)


def regex(text: str) -> Pattern:
    """A regular expression found anywhere in the value.

    Raises ValueError when it does not compile, or when it could take for ever: a repeated group that itself repeats or
    branches, or too many repetitions.
    """
    try:
        re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"this regular expression is not valid: {error}") from None
    _refuse_endless(text)
    return Pattern(PatternKind.REGEX, text)


def parse_usd(text: str) -> Usd:
    """`0.05`, `$2`, `1.5k` as an amount. Raises ValueError."""
    return Usd.of(_number(text.removeprefix("$"), f"{text!r} is not an amount such as 0.05, $2 or 1.5k"))


def parse_count(text: str) -> int:
    """`800`, `10k`, `1.5M` as a whole number. Raises ValueError."""
    problem = f"{text!r} is not a whole number such as 800, 10k or 1.5M"
    value = _number(text, problem)
    if value != value.to_integral_value() or value > _MAX_COUNT:
        raise ValueError(problem)
    return int(value)


def parse_milliseconds(text: str) -> int:
    """`800ms`, `5s`, `2m` as milliseconds; a number alone is of milliseconds, as in `latency_ms`. Raises ValueError."""
    return parse_count(text) if text.isascii() and text.isdigit() else parse_duration(text) // 1000


class Ago(Struct, frozen=True):
    """An instant relative to now: `-30m`."""

    length_us: int

    def span(self, now_us: int, calendar: Calendar) -> tuple[int, int]:
        return now_us - self.length_us, now_us - self.length_us


class CalendarPeriod(Struct, frozen=True):
    """The local day, week or month that now is in, or one before it: `today`, `yesterday`, `week`, `month`."""

    window: str
    """day, week or month, as the calendar has them begin."""
    ago: int = 0

    def span(self, now_us: int, calendar: Calendar) -> tuple[int, int]:
        window = parse_window(self.window)
        found = bounds(window, now_us, calendar)
        for _ in range(self.ago):
            assert found.start_us is not None
            found = bounds(window, found.start_us - 1, calendar)
        assert found.start_us is not None
        assert found.end_us is not None
        return found.start_us, found.end_us


_RECENT = {
    "today": CalendarPeriod("day"),
    "yesterday": CalendarPeriod("day", 1),
    "week": CalendarPeriod("week"),
    "month": CalendarPeriod("month"),
}


class ClockTime(Struct, frozen=True):
    """A minute or second of today's local date: `14:00`, `14:00:05`."""

    at: time
    length_us: int

    def span(self, now_us: int, calendar: Calendar) -> tuple[int, int]:
        start = calendar.instant(datetime.combine(calendar.local(now_us).date(), self.at))
        return start, start + self.length_us


class LocalDate(Struct, frozen=True):
    """A local date: `2026-11-20`."""

    day: date

    def span(self, now_us: int, calendar: Calendar) -> tuple[int, int]:
        opening = time.fromisoformat(calendar.day_starts)
        next_day = self.day + timedelta(days=1)
        return (
            calendar.instant(datetime.combine(self.day, opening)),
            calendar.instant(datetime.combine(next_day, opening)),
        )


class DateTime(Struct, frozen=True):
    """An instant: `2026-11-20T14:03`, local unless it names its offset."""

    at: datetime

    def span(self, now_us: int, calendar: Calendar) -> tuple[int, int]:
        start = calendar.instant(self.at) if self.at.tzinfo is None else to_micros(self.at)
        return start, start + (SECOND if self.at.second else MINUTE)


Moment = Ago | CalendarPeriod | ClockTime | LocalDate | DateTime
"""A point or short span of time, as it was written; it becomes instants once now and the calendar are known."""


class TimeSpan(Struct, frozen=True):
    """From the beginning of `start` to the beginning or end of `end`; None is open."""

    start: Moment | None
    end: Moment | None
    from_end_of_start: bool = False
    through_end: bool = False

    def resolve(self, now_us: int, calendar: Calendar) -> Bounds:
        """The UTC microseconds meant. A span of clock times that ends before it starts began the day before."""
        start = self.start.span(now_us, calendar)[self.from_end_of_start] if self.start else None
        end = self.end.span(now_us, calendar)[self.through_end] if self.end else None
        both_clock = isinstance(self.start, ClockTime) and isinstance(self.end, ClockTime)
        if both_clock and start is not None and end is not None and end < start:
            wall = calendar.local(start).replace(tzinfo=None)
            start = calendar.instant(wall - timedelta(days=1))
        return Bounds(start, end)


def parse_time_span(text: str) -> TimeSpan:
    """`14:00..14:10`, `-30m`, `yesterday`, `2026-11-01..2026-11-07`, `2026-11-20T14:00Z..`. Raises ValueError.

    A range includes the whole of its last date, but ends at the beginning of its last clock time.
    """
    if ".." not in text:
        moment = parse_moment(text)
        if isinstance(moment, Ago):
            return TimeSpan(moment, None)
        return TimeSpan(moment, moment, through_end=True)
    first, last = text.split("..", 1)
    if not first and not last:
        raise ValueError("a range needs a beginning or an end, for example 14:00..14:10")
    end = parse_moment(last) if last else None
    return TimeSpan(
        parse_moment(first) if first else None,
        end,
        through_end=isinstance(end, LocalDate | CalendarPeriod),
    )


def parse_since_until(since: str, until: str) -> TimeSpan:
    """A span whose begin and end are typed apart, where `24h` means 24 hours ago; empty is open. Raises ValueError."""
    return parse_time_span(f"{_as_moment(since)}..{_as_moment(until)}")


def _as_moment(text: str) -> str:
    """A time as this language writes it: `24h` is `-24h` here, which no shell option may look like."""
    try:
        parse_duration(text)
    except ValueError:
        return text.replace("..", "")
    return f"-{text}"


def parse_moment(text: str) -> Moment:
    """One point of time. Raises ValueError."""
    word = text.lower()
    if word in _RECENT:
        return _RECENT[word]
    if word.startswith("-"):
        return Ago(parse_duration(word[1:]))
    if clock := _CLOCK.fullmatch(word):
        return ClockTime(
            time(int(clock[1]), int(clock[2]), int(clock[3] or 0)),
            SECOND if clock[3] else MINUTE,
        )
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.year not in _YEARS:
        raise ValueError(
            f"{text!r} is not a time such as 14:00..14:10, -30m, today, yesterday, week, month or 2026-11-20"
        )
    return DateTime(moment) if "t" in word else LocalDate(moment.date())


def _number(text: str, problem: str) -> Decimal:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(problem)
    return Decimal(match[1]) * _SUFFIXES[match[2].lower()]


def _glob_matches(parts: list[str], value: str) -> bool:
    first, *middle, last = parts
    if len(value) < len(first) + len(last) or not (value.startswith(first) and value.endswith(last)):
        return False
    at, end = len(first), len(value) - len(last)
    for part in middle:
        place = value.find(part, at, end)
        if place < 0:
            return False
        at = place + len(part)
    return True


def _refuse_endless(text: str) -> None:
    """Raises ValueError for expressions whose search can take exponential time or a high power of the length."""
    repetitions = unbounded = 0
    branching: list[bool] = []
    closed_branching, previous = False, ""
    for token in _REGEX_TOKEN.findall(text):
        if _REPETITION.fullmatch(token) and previous != "(":
            if closed_branching and token != "?":
                raise ValueError("a repeated group of a regular expression may not itself repeat or branch")
            repetitions += 1
            unbounded += token != "?"
            branching = [True] * len(branching)
        elif token == "(":
            branching.append(False)
        elif token == "|" and branching:
            branching[-1] = True
        closed_branching = token == ")" and bool(branching) and branching.pop()
        if closed_branching and branching:
            branching[-1] = True
        previous = token
    if repetitions > _MAX_REPETITIONS or unbounded > _MAX_UNBOUNDED:
        raise ValueError(
            f"a regular expression may repeat at most {_MAX_REPETITIONS} times,"
            f" of these {_MAX_UNBOUNDED} times by *, + or {{}}"
        )
