"""What the breakdown asks the store. Imported by reader threads only: it brings the whole store along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic

from msgspec.structs import replace

from spendtop.domain.breakdown.baseline import Baseline, earlier
from spendtop.domain.breakdown.measures import COST
from spendtop.domain.breakdown.spend_change import SpendChange
from spendtop.domain.windows import Bounds, Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.breakdown.breakdown import BreakdownReading, Times, unstored
from spendtop.store.reads.breakdown.grid import Grid, GridSize
from spendtop.store.reads.breakdown.spend_changes import ChangeReading
from spendtop.store.reads.requests.property_names import property_names
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.daily import from_the_oldest
from spendtop.tui.breakdown.view import View
from spendtop.tui.headline import Headline
from spendtop.tui.screens.questions import read_headline
from spendtop.tui.selection import TimeChoice

_OFTEN = 0.25
"""Seconds between two pictures of what is read so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakdownFigures:
    """What is shown; a part of it while `share` is under 1."""

    view: View
    headline: Headline
    grid: Grid | None
    """None where another view was wanted before this one was read."""
    times: Times
    share: float
    models: Mapping[str, set[str]]
    """Exact names by family."""
    change: SpendChange | None
    """Why the cost is another one; None while that is not known."""
    properties: tuple[str, ...]
    """Names of properties that requests lately had."""
    unstored: int
    """How many requests of the time are not in it, as only totals know them any more."""
    took: float
    """Seconds of reading."""

    @property
    def is_partial(self) -> bool:
        """Whether the window of time has a part to come, so that it is held against as much of the earlier one."""
        until = self.times.span.until
        return until is not None and until > self.times.now

    @property
    def compared(self) -> str:
        """What is held against what, and up to when: `this week so far vs last week to Mon 02:10`."""
        view, earlier = self.view, self.times.earlier
        if earlier is None or earlier.until is None:
            return view.time.name
        if not self.is_partial:
            return f"{view.time.name} vs {view.compared}"
        calendar = self.headline.calendar
        start, end = calendar.local(earlier.since or 0), calendar.local(earlier.until)
        upto = {"today": f" to {end:%H:%M}", "week": f" to {end:%a %H:%M}"}
        dates = f", {start:%m-%d} to {end:%m-%d %H:%M}"
        return f"{view.time.name} so far vs {view.compared}{upto.get(view.time.text, dates)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakdownQuestion:
    now: int
    calendar: Calendar
    view: View
    size: GridSize
    reading: BreakdownReading
    changes: ChangeReading
    goes_on: Callable[[BreakdownFigures | None], bool]
    """Told what is read so far, now and then; False when it is not wanted any more."""

    def ask_in(self, store: Store) -> BreakdownFigures:
        """First what is quick, then all."""
        began = told = monotonic()
        with store.reading() as connection:
            headline = read_headline(connection, self.now, self.calendar)
            properties = property_names(connection)
        times = times_of(store, self.view.time, self.view.baseline, self.now, headline.calendar)

        with store.reading() as connection:
            missing = unstored(connection, times.span) if self.reading.is_of_requests(times) else 0

        def figures(grid: Grid | None, share: float, change: SpendChange | None) -> BreakdownFigures:
            return BreakdownFigures(
                view=self.view,
                headline=headline,
                grid=grid,
                times=times,
                share=share,
                models=self.reading.models,
                change=change,
                properties=properties,
                unstored=missing,
                took=monotonic() - began,
            )

        def progress(so_far: Callable[[], Grid], share: float) -> bool:
            nonlocal told
            is_due = share < 1 and monotonic() - told > _OFTEN
            if is_due:
                told = monotonic()
            return self.goes_on(figures(so_far(), share, None) if is_due else None)

        # No day is one of those before.
        of_rows = replace(times, earlier=None) if self.view.rows.name == "day" else times
        grid = self.reading.read(store, of_rows, self.size, progress)
        change = None
        if grid is not None and self.view.measure is COST:
            if not self.changes.was_read and not self.goes_on(figures(grid, 1.0, None)):
                return figures(None, 1.0, None)
            change = self.changes.read(store, times, lambda: self.goes_on(None))
        return figures(grid, 1.0, change)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """Why one row costs something else than before."""

    view: View
    key: str
    change: SpendChange | None
    """None where the reading was ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChangeQuestion:
    """Of one row of a breakdown that was read."""

    view: View
    times: Times
    key: str
    reading: ChangeReading
    goes_on: Callable[[], bool]
    ended: Callable[[], None]
    """Told when the reading is free again, also after a failure."""

    def ask_in(self, store: Store) -> RowChange:
        try:
            change = self.reading.read(store, self.times, self.goes_on)
        finally:
            self.ended()
        return RowChange(view=self.view, key=self.key, change=change)


def times_of(store: Store, time: TimeChoice, baseline: Baseline, now: int, calendar: Calendar) -> Times:
    """A window of time as it is at `now`, and what it is compared with; all time begins with the oldest request."""
    since, until = time.span(now, calendar)
    compared = earlier(Bounds(since, until), baseline, now, calendar)
    span = from_the_oldest(store, Span(since, until))
    begun = Span(now if span.since is None else span.since, span.until)
    return Times(begun, None if compared is None else Span(compared.start_us, compared.end_us), now)
