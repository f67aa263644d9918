"""What the screen of requests asks the store. Imported by reader threads only: it brings the whole store along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import Connection

from spendtop.domain.conversation import Conversation, parse_conversation
from spendtop.domain.filters import FilterContext
from spendtop.domain.windows import Calendar
from spendtop.store.reads.detail import RequestDetail, detail
from spendtop.store.reads.requests import ListedSpend, RequestPage, RequestQuery, listed_spend, page
from spendtop.tui.headline import Headline
from spendtop.tui.listing import Listing
from spendtop.tui.screens.questions import read_headline


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
        sums = listed_spend(connection, self.query, context) if self.sums else None
        return ListAnswer(question=self, headline=headline, pages=pages, sums=sums, seconds=monotonic() - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAnswer:
    """Pages of a list by their number, and the sums over all that the query selects."""

    question: ListQuestion
    headline: Headline
    pages: dict[int, RequestPage]
    sums: ListedSpend | None
    seconds: float
    """What the sums took."""


@dataclass(frozen=True, slots=True)
class DetailQuestion:
    request_id: int

    def ask(self, connection: Connection) -> tuple[RequestDetail | None, Conversation]:
        """The request and its chat; None when the store does not have it."""
        stored = detail(connection, self.request_id)
        return stored, parse_conversation(stored.request_body, stored.response_body) if stored else Conversation()
