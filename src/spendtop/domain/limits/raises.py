"""Limits that are raised for a while: an amount more until an instant, which then ends by itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.clock import DAY
from spendtop.domain.filters.values import Ago, ClockTime, parse_moment
from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.windows import Calendar, bounds, parse_duration, parse_window

LONGEST = 366 * DAY
"""For how long a limit can be raised, in µs."""

_DAY_ENDS = ("tonight", "tomorrow", "today")
_PERIOD_ENDS = ("week", "month")


class Raise(Struct, frozen=True, kw_only=True):
    """An amount by which a limit is raised for one entity, or for all of its entities."""

    id: int
    limit_name: str
    entity: str | None
    """Raw; None for every entity of the limit."""
    amount: Usd
    since: int
    """UTC µs, as `until`, which is the first instant at which it holds no more."""
    until: int
    by: str | None = None


class Raises(Struct, frozen=True):
    """Those that hold at one instant. Several of one limit add up."""

    all: tuple[Raise, ...] = ()

    def of(self, limit: Limit, entity: str) -> tuple[Raise, ...]:
        """The ones that raise a limit for an entity."""
        return tuple(one for one in self.all if one.limit_name == limit.name and one.entity in (None, entity))

    def raised(self, limit: Limit, entity: str) -> Limit:
        """The limit as it holds for an entity."""
        more = self.of(limit, entity)
        return replace(limit, amount=limit.amount + amount_of(more)) if more else limit


def amount_of(raises: Iterable[Raise]) -> Usd:
    """By how much they raise together."""
    return sum((one.amount for one in raises), ZERO)


def falls_of(amount: Usd, raises: Iterable[Raise]) -> tuple[tuple[int, Usd], ...]:
    """When a limit of so much falls back as its raises end (UTC µs), and what holds from then on."""
    falls = []
    for one in sorted(raises, key=lambda one: one.until):
        amount -= one.amount
        falls.append((one.until, amount))
    return tuple(falls)


def end_of(text: str, now: int, calendar: Calendar) -> int:
    """The instant (UTC µs) that `tomorrow`, `tonight`, `2h`, `18:00`, `2026-12-01` or `2026-12-01T14:00` names as an
    end: of `tomorrow` and of a date the begin, of a time of day the next one. Raises ValueError."""
    word = text.strip().lower()
    if word in _DAY_ENDS or word in _PERIOD_ENDS:
        end = bounds(parse_window("day" if word in _DAY_ENDS else word), now, calendar).end_us
        assert end is not None
        return end
    try:
        return now + parse_duration(word)
    except ValueError:
        pass
    try:
        moment = parse_moment(text.strip())
    except ValueError:
        moment = None
    if moment is None or isinstance(moment, Ago) or word == "yesterday":
        raise ValueError("an end is tonight, tomorrow, week, month, 2h, 18:00, 2026-12-01 or 2026-12-01T14:00")
    begin, _ = moment.span(now, calendar)
    if isinstance(moment, ClockTime) and begin <= now:
        next_day = calendar.local(now).date() + timedelta(days=1)
        return calendar.instant(datetime.combine(next_day, moment.at))
    return begin
