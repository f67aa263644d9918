"""Screen 2: every request, followed, filtered and ordered, with its prompt and response beside it."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.actions import DETAIL, LIVE, MOVE, REQUESTS, Action, bindings
from spendtop.tui.browser import Browser
from spendtop.tui.screens.filter_prompt import FilterPrompt
from spendtop.tui.screens.live import Question
from spendtop.tui.screens.taking_away import TakingAway
from spendtop.tui.selection import ALL_TIME, ORDERS, TIME_CHOICES, Selection
from spendtop.tui.widgets.canvas import Line, Piece
from spendtop.tui.widgets.detail import DetailView
from spendtop.tui.widgets.requests import RequestList

if TYPE_CHECKING:
    from spendtop.tui.headline import Headline
    from spendtop.tui.reading import ListAnswer

_SPLIT_FROM = 120
_FAR = 1_000_000


class Layout(StrEnum):
    """List alone, both, or detail alone."""

    LIST = "list"
    SPLIT = "split"
    DETAIL = "detail"


class RequestsScreen(FilterPrompt, TakingAway):
    """The list, its filter, and the detail beside it or in its place."""

    NAME: ClassVar[str] = "requests"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *REQUESTS, *DETAIL, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, REQUESTS, DETAIL, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.browser = Browser()
        self.layout_shown = Layout.LIST
        self._detail_asked: int | None = None

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

    # Reading

    def question(self) -> Question:
        """The newest page while following, else the pages on screen."""
        return self.browser.question(self.rows.in_view, self.face.session.clock(), self._calendar, monotonic())

    def show(self, answer: ListAnswer) -> Headline:
        """Rows, sums and, where it is open, the detail."""
        if self.browser.take(answer, monotonic()):
            self._show_rows(answer.headline.calendar)
            self.show_filter_hint()
        self._ask_detail(again=True)
        return answer.headline

    def choose(self, selection: Selection) -> None:
        """List something else; the cursor stays on its request where that is listed too."""
        self.browser.choose(selection)
        self._begin()

    def _begin(self) -> None:
        self.rows.listing = self.browser.listing
        self.rows.position = 0
        self._title()
        self.news()

    def _show_rows(self, calendar: Calendar) -> None:
        rows, browser = self.rows, self.browser
        rows.listing, rows.calendar = browser.listing, calendar
        rows.order, rows.descending = browser.selection.order, browser.selection.descending
        self._title()
        rows.show(keep_selected=not browser.following)

    def _came_into_view(self) -> None:
        """Read what is in view and not here yet."""
        question = self.browser.more(self.rows.in_view, self.face.session.clock(), self._calendar)
        if question is not None:
            self.ask(question, self._take_more)

    def _take_more(self, answer: ListAnswer) -> None:
        if self.browser.take(answer, monotonic()):
            self.rows.show(keep_selected=True)

    @property
    def _calendar(self) -> Calendar:
        return self.face.headline.calendar if self.face.headline else self.face.session.calendar

    # Words

    def _title(self) -> None:
        palette, glyphs, chosen = self.face.palette, self.face.glyphs, self.browser.selection
        text = chosen.text.strip()
        when = "" if chosen.time == ALL_TIME else f" {glyphs.between} {chosen.time.name}"
        self.rows.subtitle = [(f" {text or 'all'}", palette.key if text else palette.muted), (when, palette.muted)]
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
        if needle and self.layout_shown is not Layout.LIST:
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
        total = self.browser.sums.requests if self.browser.sums else len(self.browser.listing)
        place = self.rows.position + 1
        if self.browser.listing.from_end:
            place = max(total - place + 1, 1)
        return f"row {formats.grouped(place)} of {formats.grouped(max(total, place))}"

    def works_now(self, action: Action) -> bool:
        """Keys of the detail need one on screen, and those of a row need a row."""
        if action in DETAIL:
            return self.layout_shown is not Layout.LIST
        if action.id == "clear-filter":
            return bool(self.browser.selection.text.strip())
        if action.id == "unmark":
            return bool(self.rows.marks)
        if action.id == "open":
            return self.rows.row is not None and self.layout_shown is not Layout.DETAIL
        return self.rows.row is not None or action.id not in ("mark", "copy", "export")

    # Layout

    def focus_target(self) -> Widget | None:
        """The list, or the detail in its place."""
        return self.detail if self.layout_shown is Layout.DETAIL else self.rows

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
        self._came_into_view()

    def action_layout(self) -> None:
        """The next layout that fits."""
        order = [Layout.LIST, Layout.SPLIT, Layout.DETAIL]
        if self.size.width < _SPLIT_FROM:
            order.remove(Layout.SPLIT)
        self.lay_out(order[(order.index(self.layout_shown) + 1) % len(order)])

    def action_open(self) -> None:
        """Detail beside the list where there is room, else (and the second time) in its place."""
        self.browser.follow(False)
        beside = self.size.width >= _SPLIT_FROM and self.layout_shown is Layout.LIST
        self.lay_out(Layout.SPLIT if beside else Layout.DETAIL)

    def go_back(self) -> bool:
        """From the detail to the list; False when the list is shown alone."""
        if self.layout_shown is Layout.LIST:
            return False
        self.lay_out(Layout.LIST)
        return True

    def open_request(self, request_id: int) -> None:
        """One request's detail, also when it is not in the list."""
        self.browser.follow(False)
        found = self.browser.listing.position_of(request_id)
        if found is not None:
            self.rows.to(found)
        self.rows.selected = request_id
        self.lay_out(Layout.SPLIT if self.size.width >= _SPLIT_FROM else Layout.DETAIL)

    # Detail

    def _ask_detail(self, again: bool) -> None:
        """Read the selected request if its detail is on screen."""
        wanted, shown = self.rows.selected, self.detail.detail
        if self.layout_shown is Layout.LIST or wanted is None:
            return
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
        if self.layout_shown is Layout.DETAIL:
            self.detail.scroll_lines(step)
        else:
            self._move_list(step)

    def action_move_page(self, halves: int) -> None:
        """By half pages."""
        height = self.detail.page_height if self.layout_shown is Layout.DETAIL else self.rows.rows_high
        self.action_move(halves * max(height // 2, 1))

    def action_move_top(self) -> None:
        """The first row."""
        self._jump(first=True)

    def action_move_end(self) -> None:
        """New rows if any were announced, else the last row."""
        if self.browser.pending and self.layout_shown is not Layout.DETAIL:
            self._newest()
        else:
            self._jump(first=False)

    def action_follow(self) -> None:
        """Keep the newest in view, or stand still."""
        if self.browser.following:
            self.browser.follow(False)
            self.tick()
        else:
            self.browser.selection = replace(self.browser.selection, order="time")
            self.browser.follow(True)
            self._newest()

    def _newest(self) -> None:
        self.browser.begin(self.browser.selection.newest_last)
        self.rows.selected = None
        self._begin()
        self.tick()

    def _jump(self, first: bool) -> None:
        if self.layout_shown is Layout.DETAIL:
            self.detail.scroll_lines(-_FAR if first else _FAR)
            return
        at_newest = first is not self.browser.selection.newest_last and self.browser.selection.order == "time"
        if at_newest and self.browser.pending:
            self._newest()
            return
        position = self.browser.jump(first)
        if position is not None:
            self._to(position)
        else:
            self.rows.selected = None
            self._begin()

    def _move_list(self, step: int) -> None:
        self._to(self.rows.position + (-step if self.browser.listing.from_end else step))

    def _to(self, position: int) -> None:
        self.rows.to(position)
        if self.rows.position > 0 and self.browser.following:
            self.browser.follow(False)
        self._came_into_view()
        self.refresh_notice()

    # Order, time, marks

    def action_order(self, step: int) -> None:
        """By another column."""
        self.browser.follow(False)
        self.choose(self.browser.selection.ordered(step))

    def action_order_menu(self) -> None:
        """By a column that is chosen from a list."""
        from spendtop.tui.modals.choose import ChooseScreen

        names = [(name[0], name) for name in ORDERS if name != "tokens"] + [("k", "tokens")]
        self.app.push_screen(ChooseScreen("Order by", names), self._take_order)

    def _take_order(self, chosen: str | None) -> None:
        order = next((name for name in ORDERS if chosen == ("k" if name == "tokens" else name[0])), None)
        if order is not None:
            self.browser.follow(order == "time")
            self.choose(replace(self.browser.selection, order=order, descending=True))

    def action_invert(self) -> None:
        """The other way round."""
        self.browser.invert()
        self._show_rows(self._calendar)
        self.news()

    def action_time(self) -> None:
        """Another window of time."""
        from spendtop.tui.modals.choose import ChooseScreen

        names = [(str(index), choice.name) for index, choice in enumerate(TIME_CHOICES)]
        self.app.push_screen(ChooseScreen("Window of time", names), self._take_time)

    def _take_time(self, chosen: str | None) -> None:
        if chosen is not None:
            self.choose(replace(self.browser.selection, time=TIME_CHOICES[int(chosen)]))

    def action_mark(self) -> None:
        """Mark the row, or take its mark away, and go on."""
        row = self.rows.row
        if row is not None:
            self.rows.marks ^= {row.id}
            self._move_list(1)
            self.rows.redraw()

    def action_unmark(self) -> None:
        """No marks."""
        self.rows.marks.clear()
        self.rows.redraw()
        self.tick()
