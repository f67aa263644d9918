"""Screen 2: every request, followed, filtered and ordered, with its prompt and response beside it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from spendtop.tui import formats
from spendtop.tui.actions import DETAIL, LIVE, MOVE, REQUESTS, Action, bindings
from spendtop.tui.listing import PAGE, Listing
from spendtop.tui.screens.live import LiveScreen, Question
from spendtop.tui.selection import ORDERS, Selection
from spendtop.tui.widgets.canvas import Line
from spendtop.tui.widgets.detail import DetailView
from spendtop.tui.widgets.prompt import Asking, Prompt
from spendtop.tui.widgets.requests import RequestList

if TYPE_CHECKING:
    from spendtop.store.reads.requests import RequestQuery
    from spendtop.store.reads.rows import RequestRow, Spend
    from spendtop.tui.headline import Headline
    from spendtop.tui.reading import ListAnswer

_SPLIT_FROM = 120
_SUMS_REST = 8
"""Sums are asked again after so many times the seconds that the last answer took."""


class Layout(StrEnum):
    """List alone, both, or detail alone."""

    LIST = "list"
    SPLIT = "split"
    DETAIL = "detail"


class RequestsScreen(LiveScreen):
    """The list, its filter and the detail beside it or in its place."""

    NAME: ClassVar[str] = "requests"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *REQUESTS, *DETAIL, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, REQUESTS, DETAIL, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.selection = Selection()
        self.following = True
        self.layout_shown = Layout.LIST
        self.sums: Spend | None = None
        self._sums_at_start: int | None = None
        """How many requests were selected when the list was read anew."""
        self._sums_due = 0.0
        self._detail_asked: int | None = None

    def body(self) -> ComposeResult:
        """List and detail."""
        with Horizontal(id="columns"):
            yield RequestList("Requests", id="list")
            yield DetailView()

    @property
    def list(self) -> RequestList:
        """The list."""
        return self.query_one(RequestList)

    @property
    def detail(self) -> DetailView:
        """The request beside or instead of the list."""
        return self.query_one(DetailView)

    @property
    def pending(self) -> int:
        """How many selected requests came since the list was read."""
        if self.following or self.sums is None or self._sums_at_start is None:
            return 0
        return max(self.sums.requests - self._sums_at_start, 0)

    @property
    def in_detail(self) -> bool:
        """Whether keys move within the detail."""
        return self.layout_shown is Layout.DETAIL

    # Reading

    def question(self) -> Question:
        """The newest page while following, else the pages on screen."""
        listing = self.list.listing
        first, last = self.list.visible
        again = self.following or not listing.read
        cursors = [(0, None)] if again else [*listing.shown(first, last), *listing.wanted(first, last)]
        return self._question(listing, dict(cursors), with_sums=monotonic() >= self._sums_due or again)

    def _question(self, listing: Listing, cursors: dict[int, str | None], with_sums: bool) -> Question:
        from spendtop.tui.reading import ListQuestion

        now, calendar = self.face.session.clock(), self._calendar
        return ListQuestion(
            now=now,
            calendar=calendar,
            query=self.selection.query(now, calendar, listing.from_end),
            cursors=tuple(cursors.items()),
            size=PAGE,
            with_sums=with_sums,
            listing=listing,
            restart=self.following or not listing.read,
        )

    def show(self, answer: ListAnswer) -> Headline:
        """Rows, sums and, where it is open, the detail."""
        listing = self.list.listing
        if answer.question.listing is listing:
            self._take_sums(answer)
            self._take_pages(answer)
        self._ask_detail(again=True)
        return answer.headline

    def _take_pages(self, answer: ListAnswer) -> None:
        listing = self.list.listing
        if answer.question.restart:
            listing.restart(answer.pages[0])
        else:
            known = range(-(-len(listing) // PAGE))
            listing.put({number: page for number, page in answer.pages.items() if listing.lacks(number)})
            listing.renew(page for number, page in answer.pages.items() if number in known)
        self.list.calendar = answer.headline.calendar
        self.list.order, self.list.descending = self.selection.order, self.selection.descending
        self.list.show(keep_selected=not self.following)

    def _take_sums(self, answer: ListAnswer) -> None:
        if answer.sums is None:
            return
        self.sums = answer.sums
        self._sums_due = monotonic() + _SUMS_REST * answer.sums_took
        if answer.question.restart or self._sums_at_start is None:
            self._sums_at_start = answer.sums.requests
        self._title()

    def start_anew(self) -> None:
        """Read the list from its beginning: it is of something else, or new rows are wanted."""
        from_end = self.selection.newest_last
        self.list.listing = Listing(from_end)
        self.list.position = 0
        self._sums_at_start = None
        self._sums_due = 0.0
        self.news()

    def _scrolled(self) -> None:
        """Read what came into view and is not here yet."""
        listing = self.list.listing
        wanted = dict(listing.wanted(*self.list.visible))
        if listing.read and wanted:
            take = partial(self._take_more, listing)
            self.ask(self._question(listing, wanted, with_sums=False), take)

    def _take_more(self, listing: Listing, answer: ListAnswer) -> None:
        if listing is self.list.listing:
            listing.put({number: page for number, page in answer.pages.items() if listing.lacks(number)})
            self.list.show(keep_selected=True)

    @property
    def _calendar(self) -> Any:
        return self.face.headline.calendar if self.face.headline else self.face.session.calendar

    # Words

    def _title(self) -> None:
        palette, glyphs, sums = self.face.dress.palette, self.face.glyphs, self.sums
        chosen = self.selection
        what = f" {chosen.text.strip()}" if chosen.text.strip() else " all"
        when = f" {glyphs.between} {chosen.time.name}" if chosen.time.name != "all time" else ""
        self.list.subtitle = [(what, palette.key if chosen.text.strip() else palette.muted), (when, palette.muted)]
        if sums is not None:
            arrow = glyphs.down_arrow if chosen.descending else glyphs.up
            count = f"{formats.grouped(sums.requests)} {glyphs.between} {formats.spend(sums)} {glyphs.between} "
            self.list.note = [(count, palette.text), (f"{chosen.order}{arrow}", palette.muted)]
        self.list.redraw()

    def remarks(self) -> Line:
        """New rows, marks, the search, whether the list follows."""
        palette = self.face.dress.palette
        needle, match, matches = self.detail.found
        if needle and self.layout_shown is not Layout.LIST:
            word = f"find {needle[:30]}: " + (f"match {match}/{matches}" if matches else "not found")
            return [(word, palette.key if matches else palette.warn), ("   n/N next, previous", palette.muted)]
        parts: list[tuple[str, Any]] = []
        if self.pending:
            parts.append((f"{formats.grouped(self.pending)} new, G to go   ", palette.key))
        elif self.following:
            parts.append((f"{self.face.glyphs.live} following   ", palette.good))
        if self.list.marks:
            parts.append((f"{len(self.list.marks)} marked   ", palette.mark))
        if len(self.list.listing):
            parts.append((self._where(), palette.muted))
        return parts

    def _where(self) -> str:
        total = self.sums.requests if self.sums else len(self.list.listing)
        place = self.list.position + 1
        place = max(total - place + 1, 1) if self.list.listing.from_end else place
        return f"row {formats.grouped(place)} of {formats.grouped(max(total, place))}"

    def works_now(self, action: Action) -> bool:
        """Keys of the detail need one on screen, and those of a row need a row."""
        if action in DETAIL:
            return self.layout_shown is not Layout.LIST
        if action.id == "clear-filter":
            return bool(self.selection.text.strip())
        if action.id == "unmark":
            return bool(self.list.marks)
        if action.id in ("open", "mark", "copy", "export"):
            return self.list.row is not None and not (action.id == "open" and self.in_detail)
        return True

    # Layout

    def focus_target(self) -> Widget | None:
        """The list, or the detail in its place."""
        return self.detail if self.in_detail else self.list

    def lay_out(self, layout: Layout) -> None:
        """Show list, both, or the detail."""
        self.layout_shown = layout
        self.set_class(layout is Layout.SPLIT, "-split")
        self.set_class(layout is Layout.DETAIL, "-detail")
        self._ask_detail(again=False)
        self.rest_focus()
        self.tick()

    def on_resize(self, event: events.Resize) -> None:
        """A split needs room."""
        if event.size.width < _SPLIT_FROM and self.layout_shown is Layout.SPLIT:
            self.lay_out(Layout.LIST)
        self._scrolled()

    def action_layout(self) -> None:
        """The next layout that fits."""
        wide = self.size.width >= _SPLIT_FROM
        order = [Layout.LIST, Layout.SPLIT, Layout.DETAIL] if wide else [Layout.LIST, Layout.DETAIL]
        self.lay_out(order[(order.index(self.layout_shown) + 1) % len(order)] if self.layout_shown in order else order[0])

    def action_open(self) -> None:
        """Detail beside the list where there is room, else (and the second time) in its place."""
        split = self.size.width >= _SPLIT_FROM and self.layout_shown is Layout.LIST
        self.following = False
        self.lay_out(Layout.SPLIT if split else Layout.DETAIL)

    def go_back(self) -> bool:
        """From the detail to the list, then from a filter to everything; False at the root."""
        if self.layout_shown is not Layout.LIST:
            self.lay_out(Layout.LIST)
            return True
        return False

    def open_request(self, request_id: int) -> None:
        """One request's detail, also when it is not in the list."""
        self.following = False
        found = self.list.listing.position_of(request_id)
        if found is not None:
            self.list.to(found)
        else:
            self.list.selected = request_id
        self.lay_out(Layout.SPLIT if self.size.width >= _SPLIT_FROM else Layout.DETAIL)

    # Detail

    def _ask_detail(self, again: bool) -> None:
        """Read the selected request if its detail is on screen."""
        wanted = self.list.selected
        if self.layout_shown is Layout.LIST or wanted is None:
            return
        shown = self.detail.detail
        if again or shown is None or shown.row.id != wanted:
            from spendtop.tui.reading import DetailQuestion

            self._detail_asked = wanted
            self.ask(DetailQuestion(wanted), partial(self._take_detail, wanted))

    def _take_detail(self, wanted: int, answer: Any) -> None:
        if wanted == self._detail_asked:
            self.detail.calendar = self._calendar
            self.detail.show(*answer)

    def on_request_list_moved(self) -> None:
        """The detail goes along."""
        self._ask_detail(again=False)

    def on_request_list_opened(self) -> None:
        """A click on the selected row."""
        self.action_open()

    def action_pane(self, step: int) -> None:
        """Another pane."""
        self.detail.turn(step)

    def action_wrap(self) -> None:
        """Wrap or cut."""
        self.detail.toggle_wrap()

    def action_find_next(self, step: int) -> None:
        """Another match."""
        self.detail.find_next(step)
        self.refresh_notice()

    def action_neighbour(self, step: int) -> None:
        """The next or previous request."""
        self._move_list(step)

    # Movement

    def action_move(self, step: int) -> None:
        """Rows, or lines of the detail."""
        if self.in_detail:
            self.detail.scroll_lines(step)
        else:
            self._move_list(step)

    def action_move_page(self, halves: int) -> None:
        """By half pages."""
        height = self.detail.page_height if self.in_detail else self.list.rows_high
        self.action_move(halves * max(height // 2, 1))

    def action_move_top(self) -> None:
        """The first row; on top of the newest also what is new."""
        if self.in_detail:
            self.detail.scroll_lines(-1_000_000)
        elif self.list.listing.from_end and not self.selection.newest_last:
            self._go_to_beginning()
        elif self.pending and self.selection.order == "time" and self.selection.descending:
            self._go_to_beginning()
        else:
            self._jump(first=True)

    def action_move_end(self) -> None:
        """New rows if any were announced, else the last row."""
        if self.in_detail:
            self.detail.scroll_lines(1_000_000)
        elif self.pending:
            self._go_to_beginning()
        else:
            self._jump(first=False)

    def _go_to_beginning(self) -> None:
        self.list.selected = None
        self.start_anew()

    def _jump(self, first: bool) -> None:
        """To an end of the list; the far end is read from there."""
        listing = self.list.listing
        near = first is not listing.from_end
        if near:
            self._to(0)
        elif listing.complete:
            self._to(len(listing) - 1)
        else:
            self.following = False
            self.list.listing = Listing(not listing.from_end)
            self.list.position = 0
            self.list.selected = None
            self.news()

    def _move_list(self, step: int) -> None:
        self._to(self.list.position + (-step if self.list.listing.from_end else step))

    def _to(self, position: int) -> None:
        self.list.to(position)
        if self.list.position > 0:
            self.following = False
        self._scrolled()
        self.refresh_notice()
