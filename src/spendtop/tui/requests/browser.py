"""The state of a list of requests: what is selected, what is read of it, whether it follows what arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from spendtop.domain.windows import Calendar
from spendtop.tui.listing import PAGE, Listing
from spendtop.tui.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spendtop.store.reads.requests.lists import ListedSpend
    from spendtop.tui.requests.questions import ListAnswer, ListQuestion

    GoesOn = Callable[[ListAnswer], bool]

_SUMS_REST = 8
"""Sums are asked again after so many times the seconds that their last answer took."""


class Browser:
    """Knows no widgets. Positions and pages are those of its `listing`."""

    def __init__(self) -> None:
        self.selection = Selection()
        self.listing = Listing()
        self.following = True
        self.sums: ListedSpend | None = None
        """Over all that is selected, as last asked."""
        self._sums_at_start: int | None = None
        """How many requests were selected when the listing began."""
        self._sums_due = 0.0
        self.share: float | None = None
        """How much of the time is looked through, while what a filter selects is looked for."""
        self._given_up: Listing | None = None

    @property
    def pending(self) -> int:
        """How many selected requests came since the listing began."""
        if self.following or self.sums is None or self._sums_at_start is None:
            return 0
        return max(self.sums.requests - self._sums_at_start, 0)

    def choose(self, selection: Selection) -> None:
        """List something else, from its beginning."""
        self.selection = selection
        self.sums = None
        self.begin(selection.newest_last)

    def begin(self, from_end: bool) -> None:
        """Read anew, from one of the two ends."""
        self.listing = Listing(from_end)
        self.share = None
        self._sums_at_start = None
        self._sums_due = 0.0

    def invert(self) -> None:
        """Turn the list over: the same rows, read in the same order, from the other side."""
        self.selection = replace(self.selection, descending=not self.selection.descending)
        self.listing.from_end = not self.listing.from_end

    def follow(self, on: bool) -> None:
        """Keep the newest in view, or stand still."""
        if on and not self.following:
            self.begin(self.selection.newest_last)
        self.following = on

    def question(
        self, visible: tuple[int, int], now: int, calendar: Calendar, clock: float, goes_on: GoesOn
    ) -> ListQuestion:
        """The first page while following, else the pages in view. `clock` is monotonic seconds."""
        listing = self.listing
        restart = self.following or not listing.read
        cursors = [(0, None)] if restart else [*listing.shown(*visible), *listing.wanted(*visible)]
        sums = (restart or clock >= self._sums_due) and not self.is_given_up
        if self.is_given_up or (restart and listing.read and clock < self._sums_due and self.selection.is_narrowed):
            cursors, restart, sums = [], False, False
        return self._ask(dict(cursors), now, calendar, goes_on, restart=restart, sums=sums)

    def rest(self, clock: float) -> float:
        """Seconds until sums are asked for again; 0 where nothing waits for that."""
        return 0.0 if self.is_given_up else max(self._sums_due - clock, 0.0)

    @property
    def is_given_up(self) -> bool:
        """Whether somebody ended the search for this list."""
        return self._given_up is self.listing

    @property
    def nothing(self) -> str:
        """What an empty list says."""
        if self.is_given_up and self.share is not None:
            return f"nothing in the {int(self.share * 100)} % that were searched; backspace shows all again"
        if self.share is not None or not self.listing.read:
            return "nothing found yet"
        return "nothing matches; backspace shows all again" if self.selection.is_narrowed else "nothing yet"

    def give_up(self) -> bool:
        """End the search that is on, and stay with what it found; False where none is."""
        if self.share is None or self.is_given_up:
            return False
        self._given_up, self.following = self.listing, False
        return True

    def take_part(self, answer: ListAnswer) -> bool:
        """Take in what is found up to now; False where nobody waits for the rest."""
        if answer.question.listing is not self.listing or self.is_given_up:
            return False
        if self._begins_anew(answer):
            self.listing.restart(answer.pages[0])
        self.share = answer.share
        return True

    def _begins_anew(self, answer: ListAnswer) -> bool:
        """Whether its first page is all that is listed now; not where more was scrolled to meanwhile."""
        return answer.question.restart and 0 in answer.pages and (self.following or len(self.listing) <= PAGE)

    def more(self, visible: tuple[int, int], now: int, calendar: Calendar) -> ListQuestion | None:
        """What came into view and is not here yet."""
        wanted = dict(self.listing.wanted(*visible)) if self.listing.read else None
        return self._ask(wanted, now, calendar, lambda _: True, restart=False, sums=False) if wanted else None

    def take(self, answer: ListAnswer, clock: float) -> bool:
        """Take in an answer; False when it is about a listing of before."""
        question, listing = answer.question, self.listing
        if question.listing is not listing:
            return False
        if not self.is_given_up:
            self.share = None
        if self._begins_anew(answer):
            listing.restart(answer.pages[0])
        else:
            listing.renew(answer.pages.values())
            listing.put({number: page for number, page in answer.pages.items() if listing.lacks(number)})
        if answer.sums is not None:
            self.sums = answer.sums
            self._sums_due = clock + _SUMS_REST * answer.seconds
            if question.restart or self._sums_at_start is None:
                self._sums_at_start = answer.sums.requests
        return True

    def jump(self, first: bool) -> int | None:
        """The position of the first or last row; None when its end has to be read, which began."""
        listing = self.listing
        if first is not listing.from_end or listing.complete:
            return 0 if first else len(listing) - 1
        self.following = False
        self.begin(not listing.from_end)
        return None

    def _ask(
        self,
        cursors: Mapping[int, str | None],
        now: int,
        calendar: Calendar,
        goes_on: GoesOn,
        *,
        restart: bool,
        sums: bool,
    ) -> ListQuestion:
        from spendtop.tui.requests.questions import ListQuestion

        return ListQuestion(
            now=now,
            calendar=calendar,
            query=self.selection.query(now, calendar, self.listing.from_end),
            cursors=tuple(cursors.items()),
            size=PAGE,
            sums=sums,
            listing=self.listing,
            restart=restart,
            goes_on=goes_on,
        )
