"""What the screens of sessions ask the store. Imported by reader threads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection

from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.loops import looping_sessions
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.reads.sessions.paths import Branch, branches, path_plans, path_spends
from spendtop.store.reads.sessions.sessions import SessionCosts, SessionRow, extent_of, session_costs, sessions
from spendtop.store.reads.sessions.trends import session_trends
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.tui.headline import Headline
from spendtop.tui.requests.questions import ListAnswer, ListQuestion
from spendtop.tui.screens.questions import read_headline
from spendtop.tui.sessions.table import RowTrend

_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsQuestion:
    """The sessions that were active last, among those with requests that a query selects."""

    now: int
    calendar: Calendar
    query: RequestQuery
    size: int

    def ask_in(self, store: Store) -> SessionsFigures:
        """Status line and sessions, each from a view of its own."""
        with store.reading() as connection:
            headline = read_headline(connection, self.now, self.calendar)
        context = FilterContext(self.now, headline.calendar)
        page = sessions(store, self.query, context, None, self.size)
        with store.reading() as connection:
            looping = looping_sessions(connection)
        return SessionsFigures(
            question=self, headline=headline, rows=page.rows, is_whole=page.next_cursor is None, looping=looping
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsFigures:
    """Sessions, the one that was active last first, and whether these are all."""

    question: SessionsQuestion
    headline: Headline
    rows: tuple[SessionRow, ...]
    is_whole: bool
    looping: frozenset[str]
    """Those that look like loops."""


SessionTrends: TypeAlias = dict[str, RowTrend]
"""By the session's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendsQuestion:
    """How the cost of some sessions of a list is spread over their lives."""

    listed: SessionsQuestion
    rows: Sequence[SessionRow]

    def ask(self, connection: Connection) -> SessionTrends:
        """All at once."""
        listed = self.listed
        context = FilterContext(listed.now, listed.calendar)
        trends = session_trends(connection, self.rows, listed.query, context)
        return {row.session.raw: RowTrend(row, trends[row.session.raw]) for row in self.rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSessionQuestion:
    """What one session cost, and some pages of its requests."""

    session: str
    listed: ListQuestion

    def ask_in(self, store: Store) -> OneSessionAnswer:
        """Requests first, so that the costs are never older."""
        listed = self.listed.ask_in(store)
        with store.reading() as connection:
            span = extent_of(connection, self.session)
        if span is None:
            return OneSessionAnswer(listed=listed, costs=None, span=None, branches=())
        costs = session_costs(store, self.session)
        paths = path_plans if costs is not None and costs.is_plan else path_spends
        return OneSessionAnswer(
            listed=listed, costs=costs, span=span, branches=branches(paths(store, self.session, span))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSessionAnswer:
    """A session's requests and costs; None where no request names it any more."""

    listed: ListAnswer
    costs: SessionCosts | None
    span: Span | None
    branches: tuple[Branch, ...]
    """Of what was spent; where all of it was under a plan, of what that would have cost."""


def all_sessions(store: Store, query: RequestQuery, context: FilterContext) -> Iterator[SessionRow]:
    """Every session with requests that the query selects, the one that was active last first."""
    cursor = None
    while True:
        page = sessions(store, query, context, cursor, _PAGE)
        yield from page.rows
        cursor = page.next_cursor
        if cursor is None:
            return
