"""What requests can be told apart by: who, which model, where from, when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta

from msgspec import Struct

from spendtop.domain.errors import UsageError, nearest
from spendtop.domain.filters.parser import quoted
from spendtop.domain.filters.tree import name_here
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Bounds, Calendar

PREFIX_ENDS = "-_/:."
"""A session's prefix goes up to the first of these, which belongs to it; a name without one is its own prefix."""
PROPERTY = "prop."
_PLAIN = re.compile(r"[\w.:][\w./:-]*", re.ASCII)
"""What a filter takes as it is, with an asterisk behind it."""
_NAME = re.compile(r"[^\s:<>=()&|\"]+")
"""A property's name that a filter can hold."""
_LONGEST = 800
"""Characters; a filter takes not many more, and the window of time comes with it."""


class Dimension(Struct, frozen=True):
    """One of them. A key of it is a text, empty where requests name none."""

    name: str
    """As commands write it; a property's is `prop.NAME`."""
    title: str
    """Over a column."""
    nobody: str
    """What stands for requests that name none."""

    @property
    def property(self) -> str | None:
        """The property's own name, where it is one."""
        return self.name.removeprefix(PROPERTY) if self.name.startswith(PROPERTY) else None


DIMENSIONS = {
    each.name: each
    for each in (
        Dimension("user", "USER", "(no user)"),
        Dimension("model_family", "MODEL", "(no model)"),
        Dimension("model", "EXACT MODEL", "(no model)"),
        Dimension("provider", "PROVIDER", "(no provider)"),
        Dimension("token", "TOKEN", "(no token)"),
        Dimension("session", "SESSION", "(no session)"),
        Dimension("session_prefix", "SESSIONS", "(no session)"),
        Dimension("source", "SOURCE", "(no source)"),
        Dimension("hour", "HOUR", "(no hour)"),
        Dimension("day", "DAY", "(no day)"),
    )
}
"""All but the properties, whose names are the users' own."""
USUAL = DIMENSIONS["user"], DIMENSIONS["model_family"]
"""Rows and columns while nobody has chosen."""


def dimension(text: str) -> Dimension:
    """The dimension that a word names: `user`, `prop.env`. Raises UsageError."""
    if text.startswith(PROPERTY) and len(text) > len(PROPERTY):
        name = text.removeprefix(PROPERTY)
        return Dimension(text, clean_line(name.upper()), f"(no {clean_line(name)})")
    wanted = name_here(text)
    if wanted not in DIMENSIONS:
        near = nearest(wanted, DIMENSIONS)
        hint = f"; did you mean '{near}'?" if near else "."
        raise UsageError(
            f"There is nothing called '{clean_line(text, 20)}' to break down by{hint}"
            f" Take {', '.join(DIMENSIONS)} or prop.NAME."
        )
    return DIMENSIONS[wanted]


def prefix_of(session: str) -> str:
    """The session's name up to the first of `PREFIX_ENDS`: `pr-` of `pr-88`."""
    at = min((place for end in PREFIX_ENDS if (place := session.find(end)) >= 0), default=len(session))
    return session[: at + 1]


def selecting(of: Dimension, key: str, models: Sequence[str], span: Bounds, calendar: Calendar) -> str:
    """A filter that selects the requests with this key. `models` are the exact names of a family in question, and
    `span`, which is bounded, is the time in question, for hours of the day.

    Raises UsageError where no filter can.
    """
    match of.name:
        case "model_family" if key:
            return _any_of([f"model:{quoted(name)}" for name in sorted(models)])
        case "session_prefix" if key[-1:] in tuple(PREFIX_ENDS):
            return _any_of([f"session:{key}*"] if _PLAIN.fullmatch(key) else [])
        case "hour":
            return _any_of(
                [f"t:{start:%Y-%m-%dT%H:%M}..{end:%Y-%m-%dT%H:%M}" for start, end in _hours(int(key), span, calendar)]
            )
        case "day":
            return f"t:{key}"
    if of.property is not None and not _NAME.fullmatch(of.property):
        return _any_of([])
    name = {"model_family": "model", "session_prefix": "session"}.get(of.name, of.name)
    return f"{name}:{quoted(key)}" if key else f"-{name}:*"


def _any_of(filters: Sequence[str]) -> str:
    text = filters[0] if len(filters) == 1 else f"({' | '.join(filters)})"
    if not filters or len(text) > _LONGEST:
        raise UsageError(
            "No filter can select these requests alone: take a shorter window of time, exact models or whole sessions."
        )
    return text


def _hours(hour: int, span: Bounds, calendar: Calendar) -> Iterator[tuple[datetime, datetime]]:
    """This hour of the local clock on each day of the span."""
    assert span.start_us is not None and span.end_us is not None
    day, last = calendar.local(span.start_us).date(), calendar.local(span.end_us - 1).date()
    while day <= last:
        start = datetime.combine(day, time(hour))
        yield start, start + timedelta(hours=1)
        day += timedelta(days=1)
