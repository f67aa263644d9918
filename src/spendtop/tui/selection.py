"""Which requests are listed: a filter, a window of time, and an order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct, field

from spendtop.domain.filters.filters import EVERYTHING, And, Comparison, Filter, Or, TimeSpan
from spendtop.domain.filters.values import parse_time_span
from spendtop.domain.windows import Bounds, Calendar

if TYPE_CHECKING:
    from spendtop.store.reads.requests.lists import RequestQuery

NOTHING: Filter = Or(())
"""No request passes it."""


class TimeChoice(Struct, frozen=True):
    """A window of time by name."""

    key: str
    """Chooses it in a menu."""
    name: str
    text: str
    """As the filter language has it; empty for everything."""

    def span(self, now: int, calendar: Calendar) -> tuple[int | None, int | None]:
        """From and until in UTC µs; None is open."""
        if not self.text:
            return None, None
        bounds = parse_time_span(self.text).resolve(now, calendar)
        return bounds.start_us, bounds.end_us

    @property
    def filter(self) -> str:
        """What a filter says of it."""
        return f"t:{self.text}" if self.text else ""


_BLOCK_KEYS = "bcdef"
TODAY = TimeChoice("2", "today", "today")
ALL_TIME = TimeChoice("a", "all time", "")
ROLLING = (
    TimeChoice("0", "last 15 minutes", "-15m"),
    TimeChoice("1", "last hour", "-1h"),
    TimeChoice("4", "last 6 hours", "-6h"),
    TimeChoice("5", "last 24 hours", "-24h"),
    TimeChoice("6", "last 7 days", "-7d"),
    TimeChoice("8", "last 30 days", "-30d"),
    TimeChoice("n", "last 90 days", "-90d"),
    TimeChoice("y", "last 365 days", "-365d"),
)
"""From the shortest to the longest."""
BOUNDED = tuple(
    sorted(
        (
            *ROLLING,
            TODAY,
            TimeChoice("3", "yesterday", "yesterday"),
            TimeChoice("7", "this week", "week"),
            TimeChoice("9", "this month", "month"),
        ),
        key=lambda choice: choice.key,
    )
)
TIME_CHOICES = (*BOUNDED, ALL_TIME)


def zoomed(time: TimeChoice, step: int, least: int, now: int, calendar: Calendar) -> TimeChoice | None:
    """The next longer window that ends now, or where `step` is negative the next shorter one, of at least so many µs;
    None where there is none."""
    length = now - (time.span(now, calendar)[0] or 0)
    lengths = {now - (choice.span(now, calendar)[0] or 0): choice for choice in ROLLING}
    others = [each for each in lengths if each >= least and (each > length if step > 0 else each < length)]
    return lengths[min(others) if step > 0 else max(others)] if others else None


def time_choice(text: str) -> TimeChoice:
    """The window that the filter language calls so; all time where it is none."""
    try:
        parse_time_span(text)
    except ValueError:
        return ALL_TIME
    return next((choice for choice in TIME_CHOICES if choice.text == text), TimeChoice("", text, text))


def block_choices(blocks: Iterable[Bounds], calendar: Calendar) -> tuple[TimeChoice, ...]:
    """Blocks of five hours as windows, from their begin to their end, and said to be a guess."""
    spans: dict[str, str] = {}
    for block in blocks:
        assert block.start_us is not None and block.end_us is not None
        begin, end = calendar.local(block.start_us), calendar.local(block.end_us)
        spans[f"{begin:%Y-%m-%dT%H:%M}..{end:%Y-%m-%dT%H:%M}"] = f"{begin:%H:%M} to {end:%H:%M}"
    named = zip(_BLOCK_KEYS, spans.items(), strict=False)
    return tuple(TimeChoice(key, f"5h block {span} (guess)", text) for key, (text, span) in named)


class Selection(Struct, frozen=True):
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

    def is_over(self, now: int, calendar: Calendar) -> bool:
        """Whether nothing that happens from now on can be selected."""
        parts = self.filter.parts if isinstance(self.filter, And) else (self.filter,)
        spans = [each.value for each in parts if isinstance(each, Comparison) and isinstance(each.value, TimeSpan)]
        ends = [self.time.span(now, calendar)[1], *(span.resolve(now, calendar).end_us for span in spans)]
        return any(end is not None and end <= now for end in ends)

    def query(self, now: int, calendar: Calendar, inverted: bool) -> RequestQuery:
        """For the store; `inverted` reads the list from its other end."""
        from spendtop.store.reads.requests.lists import Order, RequestQuery

        since, until = self.time.span(now, calendar)
        parts = tuple(part for part in (self.within, self.filter) if part != EVERYTHING)
        return RequestQuery(
            filter=And(parts) if parts else None,
            since=since,
            until=until,
            order=Order(self.order),
            descending=self.descending is not inverted,
        )
