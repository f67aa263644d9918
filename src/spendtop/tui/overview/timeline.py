"""A window of time cut into the steps that a chart shows one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.windows import Calendar
from spendtop.tui.selection import TimeChoice

if TYPE_CHECKING:
    from spendtop.store.reads.spending.bucket_spans import Span

_STEPS = ((6 * HOUR, MINUTE, "min"), (25 * HOUR, 10 * MINUTE, "10 min"), (8 * DAY, HOUR, "h"))
"""The longest window, its step, and how that is called; longer ones are shown by local day."""


class Timeline(Struct, frozen=True):
    """What is shown of a window at one instant."""

    name: str
    window: Span
    """All that the window holds; open where it ends with now."""
    steps: tuple[Span, ...]
    step: int | None
    """µs; None for local days."""
    unit: str

    @property
    def shown(self) -> Span:
        """From the first step to the last."""
        from spendtop.store.reads.spending.bucket_spans import Span

        return Span(self.steps[0].since, self.steps[-1].until)


def timeline(choice: TimeChoice, now: int, calendar: Calendar) -> Timeline:
    """The steps of a bounded window as far as it has come; the last one may still run."""
    from spendtop.store.reads.spending.bucket_spans import Span
    from spendtop.store.reads.spending.daily import days_of, last_days

    since, until = choice.span(now, calendar)
    assert since is not None
    end = now + 1 if until is None else min(until, now + 1)
    found = next(((step, unit) for longest, step, unit in _STEPS if end - 1 - since <= longest), None)
    if found is None:
        first = since if until is not None else last_days(max((now - since) // DAY, 1), now, calendar).since
        days = tuple(days_of(Span(first, last_days(1, now, calendar).until if until is None else until), calendar))
        kept = tuple(day for day in days if day.since is not None and day.since < end)
        return Timeline(choice.name, Span(first, until), kept, None, "day")
    step, unit = found
    if until is None:
        since = (now // step + 1) * step - (end - 1 - since) // step * step
    starts = range(since, end, step)
    steps = tuple(Span(start, start + step if until is None else min(start + step, until)) for start in starts)
    return Timeline(choice.name, Span(since, until), steps, step, unit)
