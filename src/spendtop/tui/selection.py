"""Which requests are listed: a filter, a window of time, and an order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.filters import EVERYTHING, And, Filter, Or
from spendtop.domain.windows import Calendar, bounds, parse_window

if TYPE_CHECKING:
    from spendtop.store.reads.requests import RequestQuery

NOTHING: Filter = Or(())
"""No request passes it."""


@dataclass(frozen=True, slots=True)
class TimeChoice:
    """A window of time by name: the last `length`, a calendar day counted back from today, or everything."""

    name: str
    length: int | None = None
    days_ago: int | None = None

    def span(self, now: int, calendar: Calendar) -> tuple[int | None, int | None]:
        """From and until in UTC µs; None is open."""
        if self.length is not None:
            return now - self.length, None
        if self.days_ago is None:
            return None, None
        day = bounds(parse_window("day"), now, calendar)
        for _ in range(self.days_ago):
            assert day.start_us is not None
            day = bounds(parse_window("day"), day.start_us - 1, calendar)
        return day.start_us, day.end_us


ALL_TIME = TimeChoice("all time")
TIME_CHOICES = (
    TimeChoice("last 15 minutes", 15 * MINUTE),
    TimeChoice("last hour", HOUR),
    TimeChoice("today", days_ago=0),
    TimeChoice("yesterday", days_ago=1),
    TimeChoice("last 24 hours", DAY),
    TimeChoice("last 7 days", 7 * DAY),
    TimeChoice("last 30 days", 30 * DAY),
    ALL_TIME,
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What the list is of. Immutable: a change is a new selection."""

    text: str = ""
    """The filter as typed."""
    filter: Filter = field(default=EVERYTHING)
    within: Filter = field(default=EVERYTHING)
    """What can be listed at all, whatever is typed."""
    time: TimeChoice = ALL_TIME
    order: str = "time"
    descending: bool = True

    @property
    def is_narrowed(self) -> bool:
        """Whether a filter or a window of time leaves something out."""
        return bool(self.text.strip()) or self.time != ALL_TIME

    @property
    def newest_last(self) -> bool:
        """Whether the newest request is at the bottom."""
        return self.order == "time" and not self.descending

    def query(self, now: int, calendar: Calendar, inverted: bool) -> RequestQuery:
        """For the store; `inverted` reads the list from its other end."""
        from spendtop.store.reads.requests import Order, RequestQuery

        since, until = self.time.span(now, calendar)
        parts = tuple(part for part in (self.within, self.filter) if part != EVERYTHING)
        return RequestQuery(
            filter=And(parts) if parts else None,
            since=since,
            until=until,
            order=Order(self.order),
            descending=self.descending is not inverted,
        )
