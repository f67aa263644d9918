"""The questions that screens ask the store. Imported by reader threads only: it brings the whole store along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import Connection

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.conversation import Conversation, parse_conversation
from spendtop.domain.filters import FilterContext
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Calendar, bounds, parse_window
from spendtop.services import tasks
from spendtop.services.tasks import Task, TaskKind
from spendtop.store.reads.applied_config import Applied, applied, config_news
from spendtop.store.reads.attention import QuarantineRow, attention, quarantined
from spendtop.store.reads.detail import RequestDetail, detail
from spendtop.store.reads.limits import uses
from spendtop.store.reads.overview import Overview, overview
from spendtop.store.reads.requests import RequestPage, RequestQuery, observed_values, page, spend_of
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.sources import Sources, sources
from spendtop.store.reads.spending import spend
from spendtop.tui.headline import Headline
from spendtop.tui.listing import Listing
from spendtop.tui.sources.polled_rows import PolledRow, polled_rows


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
            config_news=config_news(connection),
        )
        return headline, found


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesQuestion:
    """Where requests come from, and the newest events that were set aside."""

    now: int
    calendar: Calendar
    most_events: int = 30

    def ask(self, connection: Connection) -> SourcesAnswer:
        """From one view of the store."""
        headline = read_headline(connection, self.now, self.calendar)
        assert headline.day.start_us is not None
        found = sources(connection, headline.day.start_us, self.now)
        return SourcesAnswer(
            headline=headline,
            found=found,
            polled=polled_rows(headline.applied, found, self.now),
            set_aside=quarantined(connection, self.most_events),
            backfill=tasks.under_way(connection, TaskKind.BACKFILL),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesAnswer:
    """All sources, what is polled, and events that are not counted, the newest first."""

    headline: Headline
    found: Sources
    polled: tuple[PolledRow, ...]
    set_aside: tuple[QuarantineRow, ...]
    backfill: Task | None
    """The one that is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuestion:
    """Pages of one query: number and cursor of each."""

    now: int
    calendar: Calendar
    query: RequestQuery
    cursors: Sequence[tuple[int, str | None]]
    size: int
    sums: bool
    """Whether to sum over all that the query selects."""
    listing: Listing
    """What the pages are for."""
    restart: bool
    """Whether the listing begins anew with the first page."""

    def ask(self, connection: Connection) -> ListAnswer:
        """The pages and sums from one view of the store."""
        headline = read_headline(connection, self.now, self.calendar)
        context = FilterContext(self.now, headline.calendar)
        pages = {number: page(connection, self.query, context, cursor, self.size) for number, cursor in self.cursors}
        start = monotonic()
        sums = spend_of(connection, self.query, context) if self.sums else None
        return ListAnswer(question=self, headline=headline, pages=pages, sums=sums, seconds=monotonic() - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAnswer:
    """Pages of a list by their number, and the sums over all that the query selects."""

    question: ListQuestion
    headline: Headline
    pages: dict[int, RequestPage]
    sums: Spend | None
    seconds: float
    """What the sums took."""


@dataclass(frozen=True, slots=True)
class DetailQuestion:
    """One request with its bodies."""

    request_id: int

    def ask(self, connection: Connection) -> tuple[RequestDetail | None, Conversation]:
        """The request and its chat; None when the store does not have it."""
        found = detail(connection, self.request_id)
        return found, parse_conversation(found.request_body, found.response_body) if found else Conversation()


@dataclass(frozen=True, slots=True)
class ValuesQuestion:
    """Observed values of a field that begin with a prefix."""

    field: str
    prefix: str
    most: int = 8

    def ask(self, connection: Connection) -> list[Untrusted]:
        """The costliest first."""
        return observed_values(connection, self.field, self.prefix, self.most)


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
        config_news=config_news(connection),
    )


def recorded(connection: Connection) -> int:
    """How many counted requests the store holds."""
    return spend(connection, None, None).requests
