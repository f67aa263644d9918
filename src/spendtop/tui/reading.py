"""The questions that screens ask the store. Imported by reader threads only: it brings the whole store along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.filters import FilterContext
from spendtop.domain.windows import Calendar, bounds, parse_window
from spendtop.store.reads.applied import Applied, applied
from spendtop.store.reads.attention import attention
from spendtop.store.reads.limits import uses
from spendtop.store.reads.overview import Overview, overview
from spendtop.store.reads.requests import Page, RequestQuery, page, spend_of
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import spend
from spendtop.tui.headline import Headline


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewQuestion:
    """What an Overview of this size needs."""

    now: int
    calendar: Calendar
    feed_size: int
    chart_span: int
    chart_step: int
    top: int

    def ask(self, connection: Connection) -> tuple[Headline, Overview]:
        """The answer, with the status line's figures from the same view of the store."""
        known = applied(connection)
        calendar = known.calendar if known else self.calendar
        found = overview(
            connection,
            known.limits if known else (),
            calendar,
            self.now,
            feed_size=self.feed_size,
            chart_span=self.chart_span,
            chart_step=self.chart_step,
            top=self.top,
        )
        headline = Headline(
            at=self.now,
            today=found.today,
            last_hour=found.last_hour,
            baseline=found.baseline_hour,
            worst=found.limits[0] if found.limits else None,
            attention=found.attention,
            recorded=found.total.requests,
            day=found.day_bounds,
            calendar=calendar,
            applied=known,
        )
        return headline, found


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAnswer:
    """Pages of a list by their number, and the sums over all that the query selects."""

    headline: Headline
    pages: dict[int, Page]
    sums: Spend | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuestion:
    """Pages of one query: number and cursor of each."""

    now: int
    calendar: Calendar
    query: RequestQuery
    cursors: Sequence[tuple[int, str | None]]
    size: int
    with_sums: bool

    def ask(self, connection: Connection) -> ListAnswer:
        """The pages and sums from one view of the store."""
        headline = read_headline(connection, self.now, self.calendar)
        context = FilterContext(self.now, headline.calendar)
        pages = {number: page(connection, self.query, context, cursor, self.size) for number, cursor in self.cursors}
        sums = spend_of(connection, self.query, context) if self.with_sums else None
        return ListAnswer(headline=headline, pages=pages, sums=sums)


def read_headline(connection: Connection, now: int, fallback: Calendar) -> Headline:
    """The status line's figures at `now`."""
    known: Applied | None = applied(connection)
    calendar = known.calendar if known else fallback
    day = bounds(parse_window("day"), now, calendar)
    limits = uses(connection, known.limits, calendar, now, entities_per_limit=1) if known else ()
    baseline = spend(connection, now - DAY - HOUR, now - DAY)
    return Headline(
        at=now,
        today=spend(connection, day.start_us, None),
        last_hour=spend(connection, now - HOUR, None),
        baseline=baseline.cost if baseline.requests else None,
        worst=limits[0] if limits else None,
        attention=attention(connection),
        recorded=recorded(connection),
        day=day,
        calendar=calendar,
        applied=known,
    )


def recorded(connection: Connection) -> int:
    """How many counted requests the store holds."""
    return spend(connection, None, None).requests
