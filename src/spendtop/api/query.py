"""The parameters that lists take, and what they select."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from spendtop.domain.clock import HOUR
from spendtop.domain.filters.filters import And, Comparison, Filter, FilterContext, FilterError, Op, parse_filter
from spendtop.domain.filters.tree import name_here
from spendtop.domain.filters.values import Pattern, PatternKind, parse_time_span
from spendtop.domain.windows import Calendar
from spendtop.store.reads.requests.lists import RequestQuery

_SPACE_FOR_PLUS = re.compile(r" (?=\d\d:?\d\d$)")
_A_TIME = "must be a time such as 2026-11-20, 2026-11-20T14:00:00Z, today or -30m"

Time = Annotated[str, Field(max_length=64)]
Name = Annotated[str, Field(min_length=1, max_length=256)]


class InvalidField(Exception):
    """A parameter that cannot be used, and why; never its value."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


def wrong_search(cursor: str | None = None) -> InvalidField:
    """What is wrong with a list that the store refuses to read."""
    if cursor:
        return InvalidField("cursor", "is none of this list")
    return InvalidField("q", "cannot be searched for")


@dataclass(frozen=True, slots=True)
class Range:
    """UTC µs, half-open; None is open."""

    since: int | None
    until: int | None


class TimeParameters(BaseModel):
    """A span of time: the last `hours`, or from `since` to `until`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, use_attribute_docstrings=True)

    hours: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = None
    """The last so many hours."""
    since: Time | None = None
    """Beginning, inclusive: RFC 3339, a local date, today, yesterday, week, month or -30m."""
    from_: Time | None = Field(default=None, alias="from")
    """The same as `since`."""
    until: Time | None = None
    """End, exclusive; a date includes its whole day."""
    to: Time | None = None
    """The same as `until`."""

    def range(self, now: int, calendar: Calendar, default_hours: float | None = None) -> Range:
        """The span meant. Raises InvalidField."""
        since, until = _one("since", self.since, "from", self.from_), _one("until", self.until, "to", self.to)
        hours = self.hours
        if hours is not None and since is not None:
            raise InvalidField("hours", "cannot be combined with since")
        if since is None and until is None:
            hours = hours or default_hours
        end = _resolve(until[0], f"..{_plus(until[1])}", now, calendar)[1] if until else None
        if hours is not None:
            return Range((end or now) - round(hours * HOUR), end)
        start = _resolve(since[0], f"{_plus(since[1])}..", now, calendar)[0] if since else None
        if since and until and start is not None and end is not None and start >= end:
            raise InvalidField(until[0], "must lie after the beginning")
        return Range(start, end)


def _dimensions(by: object) -> object:
    """What is asked for, by the names that requests have it under as well: `user_id` is `user`."""
    return ",".join(map(name_here, by.split(","))) if isinstance(by, str) else by


class SummaryParameters(TimeParameters):
    """What /spending/summary takes; 24 hours without a span."""

    by: Annotated[
        Literal[
            "user",
            "model",
            "model_family",
            "provider",
            "session",
            "token",
            "source",
            "day",
            "day,user",
            "day,model",
            "day,model_family",
            "day,provider",
            "day,session",
            "day,token",
            "day,source",
        ]
        | None,
        BeforeValidator(_dimensions),
    ] = None
    """Adds the spend per value of this dimension, or per local day, or per value on each day; a model's family is its
    name without seller and release."""


class FilterParameters(TimeParameters):
    """Which requests an answer is about; all that are kept unless a span is given."""

    q: Annotated[str, Field(max_length=2_000)] | None = None
    """A filter as the Requests screen takes it, such as `user:alice cost>0.05`."""
    model: Name | None = None
    """Exactly this model, ignoring case."""
    token: Name | None = None
    """Exactly this tracking token, by its name or its value."""
    user: Name | None = None
    """Exactly this user, ignoring case."""
    user_id: Name | None = None
    """The same as `user`."""
    session: Name | None = None
    """Exactly this session, ignoring case."""
    session_id: Name | None = None
    """The same as `session`."""

    def query(self, context: FilterContext) -> RequestQuery:
        """What the list consists of. Raises InvalidField."""
        span = self.range(context.now_us, context.calendar)
        return RequestQuery(self._filter(), span.since, span.until)

    def _filter(self) -> Filter | None:
        parts: list[Filter] = [
            Comparison(name, Op.EQ, Pattern(PatternKind.EXACT, value))
            for name, value in (
                ("model", self.model),
                ("token", self.token),
                ("user", _value_of("user", self.user, "user_id", self.user_id)),
                ("session", _value_of("session", self.session, "session_id", self.session_id)),
            )
            if value is not None
        ]
        if self.q:
            try:
                parts.append(parse_filter(self.q))
            except FilterError as error:
                problem = f"is no filter: it cannot be read at character {error.position + 1}"
                hint = f"; did you mean '{error.suggestion}'?" if error.suggestion else ""
                raise InvalidField("q", problem + hint) from None
        return And(tuple(parts)) if parts else None


class ListParameters(FilterParameters):
    """What lists take."""

    cursor: Annotated[str, Field(max_length=256)] | None = None
    """`next_cursor` of the page before."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """Rows per page."""


class AlertParameters(BaseModel):
    """What /alerts takes."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    open: bool = True
    """Only those that are not resolved."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """At most so many, the newest first."""


def _one(name: str, value: str | None, other_name: str, other: str | None) -> tuple[str, str] | None:
    """The parameter that was given under either name, with its name."""
    if value is not None and other is not None:
        raise InvalidField(other_name, f"cannot be combined with {name}")
    if value is not None:
        return name, value
    return None if other is None else (other_name, other)


def _value_of(name: str, value: str | None, other_name: str, other: str | None) -> str | None:
    given = _one(name, value, other_name, other)
    return None if given is None else given[1]


def _resolve(name: str, span: str, now: int, calendar: Calendar) -> tuple[int | None, int | None]:
    try:
        bounds = parse_time_span(span).resolve(now, calendar)
    except (ValueError, OverflowError):
        raise InvalidField(name, _A_TIME) from None
    return bounds.start_us, bounds.end_us


def _plus(text: str) -> str:
    """A time whose `+` a URL turned into a space."""
    return _SPACE_FOR_PLUS.sub("+", text.strip())
