"""A list of requests and the detail beside it: what is read and shown, without keys."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal

from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.requests.browser import Browser
from spendtop.tui.requests.detail import DetailView
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import LongQuestion, Question
from spendtop.tui.selection import ALL_TIME, Selection
from spendtop.tui.widgets.canvas import Line, Piece
from spendtop.tui.widgets.request_table import RequestList

if TYPE_CHECKING:
    from spendtop.tui.headline import Headline
    from spendtop.tui.reading import ListAnswer


class BrowsingScreen(LiveScreen):
    """What the parts of the screen of requests have in common."""

    def __init__(self) -> None:
        super().__init__()
        self.browser = Browser()
        self.whole = "all"
        """What the title calls the list while no filter is set."""

    def body(self) -> ComposeResult:
        """List and detail."""
        with Horizontal(id="columns"):
            yield RequestList("Requests", id="list")
            yield DetailView()

    @property
    def rows(self) -> RequestList:
        """The list."""
        return self.query_one(RequestList)

    @property
    def detail(self) -> DetailView:
        """The request beside or instead of the list."""
        return self.query_one(DetailView)

    @property
    def calendar(self) -> Calendar:
        """The one that the collector applies."""
        return self.face.headline.calendar if self.face.headline else self.face.session.calendar

    def question(self) -> Question | LongQuestion:
        """The newest page while following, else the pages on screen."""
        return self.browser.question(self.rows.in_view, self.face.session.clock(), self.calendar, monotonic())

    def show(self, answer: ListAnswer) -> Headline:
        """Rows, sums and, where it is open, the detail."""
        if self.browser.take(answer, monotonic()):
            self.show_rows(answer.headline.calendar)
            self.sums_changed()
        self.refresh_detail()
        return answer.headline

    def choose(self, selection: Selection) -> None:
        """List something else; the cursor stays on its request where that is listed too."""
        self.browser.choose(selection)
        self.begin()

    def begin(self) -> None:
        """Show the browser's new listing from its start."""
        self.rows.begin(self.browser.listing)
        self.title_rows()
        self.news()

    def show_rows(self, calendar: Calendar) -> None:
        """Show the browser's listing; the cursor stays on its request."""
        rows, browser = self.rows, self.browser
        rows.calendar, rows.following = calendar, browser.following
        self.title_rows()
        rows.show(browser.listing)

    def came_into_view(self) -> None:
        """Read what is in view and not here yet."""
        question = self.browser.more(self.rows.in_view, self.face.session.clock(), self.calendar)
        if question is not None:
            self.ask(question, self._take_more)

    def _take_more(self, answer: ListAnswer) -> None:
        if self.browser.take(answer, monotonic()):
            self.rows.show(self.browser.listing)

    def refresh_detail(self) -> None:
        """The store changed: the detail may be out of date."""

    def sums_changed(self) -> None:
        """How many are selected is known anew."""

    def title_rows(self) -> None:
        """What the list is of, in its frame and heads."""
        palette, glyphs, chosen = self.face.palette, self.face.glyphs, self.browser.selection
        self.rows.order, self.rows.descending = chosen.order, chosen.descending
        text = chosen.text.strip()
        when = "" if chosen.time == ALL_TIME else f" {glyphs.between} {chosen.time.name}"
        self.rows.subtitle = [(f" {text or self.whole}", palette.key if text else palette.muted), (when, palette.muted)]
        sums = self.browser.sums
        arrow = glyphs.down_arrow if chosen.descending else glyphs.up
        note: list[Piece] = [(f"{chosen.order} {arrow}", palette.muted)]
        if sums is not None:
            note.insert(0, (f"{formats.grouped(sums.requests)} {glyphs.between} ", palette.text))
            note.insert(1, (f"{formats.spend(sums)} ", palette.money))
            note.insert(2, (f"{glyphs.between} ", palette.text))
        self.rows.note = note
        narrowed = text or chosen.time != ALL_TIME
        self.rows.nothing = "nothing matches; backspace shows all again" if narrowed else "nothing yet"
        self.rows.redraw()

    def remarks(self) -> Line:
        """The search, new rows, whether the list follows, marks, and where the cursor is."""
        palette, browser = self.face.palette, self.browser
        needle, match, matches = self.detail.found
        if needle and (self.has_class("-split") or self.has_class("-detail")):
            word = f"find {needle[:30]}: " + (f"match {match}/{matches}" if matches else "not found")
            return [(word, palette.key if matches else palette.warn), ("   n/N next, previous", palette.muted)]
        parts: list[Piece] = []
        if browser.pending:
            parts.append((f"{formats.grouped(browser.pending)} new, G to go   ", palette.key))
        elif browser.following:
            parts.append((f"{self.face.glyphs.live} following   ", palette.good))
        if self.rows.marks:
            parts.append((f"{len(self.rows.marks)} marked   ", palette.mark))
        if len(browser.listing):
            parts.append((self._place(), palette.muted))
        return parts

    def _place(self) -> str:
        counted = self.browser.sums.requests if self.browser.sums else 0
        total = max(counted, len(self.browser.listing))
        place = self.rows.position + 1
        if self.browser.listing.from_end:
            place += total - len(self.browser.listing)
        return f"row {formats.grouped(place)} of {formats.grouped(max(total, place))}"
