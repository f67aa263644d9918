"""What the screen of requests asks the store. Imported by reader threads only: it brings the whole store along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from spendtop.domain.bodies.conversation import Conversation, parse_conversation
from spendtop.domain.filters.filters import EVERYTHING, FilterContext
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.requests.detail import RequestDetail, detail
from spendtop.store.reads.requests.lists import ListedSpend, Order, RequestPage, RequestQuery, listed_spend, page
from spendtop.store.reads.requests.search import search
from spendtop.tui.headline import Headline
from spendtop.tui.listing import Listing
from spendtop.tui.screens.questions import read_headline

_TOLD_EVERY = 0.1
"""Seconds."""


class ListQuestion(Struct, frozen=True, kw_only=True):
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
    goes_on: Callable[[ListAnswer], bool]
    """Told now and then what is found up to now, in a thread; False ends the reading."""

    def ask_in(self, store: Store) -> ListAnswer:
        """Without a filter from one view of the store; what a filter selects is looked for slice by slice of time."""
        if self.query.order is Order.TIME and (self.query.filter or EVERYTHING) != EVERYTHING:
            return self._search(store)
        with store.reading() as connection:
            headline = read_headline(connection, self.now, self.calendar)
            context = FilterContext(self.now, headline.calendar)
            pages = {
                number: page(connection, self.query, context, cursor, self.size) for number, cursor in self.cursors
            }
            start = monotonic()
            sums = listed_spend(connection, self.query, context) if self.sums else None
        return ListAnswer(question=self, headline=headline, pages=pages, sums=sums, seconds=monotonic() - start)

    def _search(self, store: Store) -> ListAnswer:
        with store.reading() as connection:
            headline = read_headline(connection, self.now, self.calendar)
        answer = ListAnswer(question=self, headline=headline, pages={}, sums=None, seconds=0.0)
        cursors = dict(self.cursors)
        if self.sums:
            cursors = {0: None, **cursors}
        for number, cursor in sorted(cursors.items()):
            answer = self._look(store, answer, number, cursor)
            if answer.share < 1:
                break
        return answer

    def _look(self, store: Store, answer: ListAnswer, number: int, cursor: str | None) -> ListAnswer:
        """One more page, and behind the first one the sums."""
        began = told = monotonic()
        wants_all = self.sums and number == 0
        for finding in search(store, self.query, FilterContext(self.now, answer.headline.calendar), cursor, self.size):
            is_full = finding.page.next_cursor is not None
            answer = replace(answer, pages={**answer.pages, number: finding.page}, share=finding.share)
            if is_full and not wants_all:
                return replace(answer, share=1.0)
            if finding.share < 1 and monotonic() - told > _TOLD_EVERY:
                told = monotonic()
                if not self.goes_on(answer):
                    return answer
            elif wants_all and finding.share >= 1:
                answer = replace(answer, sums=finding.sums, seconds=monotonic() - began)
        return answer


class ListAnswer(Struct, frozen=True, kw_only=True):
    """Pages of a list by their number, and the sums over all that the query selects."""

    question: ListQuestion
    headline: Headline
    pages: dict[int, RequestPage]
    sums: ListedSpend | None
    seconds: float
    """What the sums took."""
    share: float = 1.0
    """How much of the time was looked through; below 1 there may be more."""


class DetailQuestion(Struct, frozen=True):
    request_id: int

    def ask(self, connection: Connection) -> tuple[RequestDetail | None, Conversation]:
        """The request and its chat; None when the store does not have it."""
        stored = detail(connection, self.request_id)
        return stored, parse_conversation(stored.request_body, stored.response_body) if stored else Conversation()


class PairQuestion(Struct, frozen=True):
    """Two requests with their chats, the one that happened first before the other; None for one that is gone."""

    one: int
    other: int

    def ask(self, connection: Connection) -> list[tuple[RequestDetail, Conversation] | None]:
        pair = [DetailQuestion(each).ask(connection) for each in (self.one, self.other)]
        present = [(stored, chat) for stored, chat in pair if stored is not None]
        present.sort(key=lambda each: (each[0].row.occurred_at, each[0].row.id))
        return [*present, *([None] * (2 - len(present)))]
