"""Screen 2: every request, followed, filtered and ordered, with its prompt and response beside it."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from spendtop.domain.filters import Filter
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.actions import DETAIL, LIVE, MOVE, REQUEST_LIST, REQUESTS, Action, bindings
from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.requests.browser import Browser
from spendtop.tui.requests.detail import DetailView
from spendtop.tui.requests.detail_pane import DetailPane
from spendtop.tui.requests.exports import RequestCopy, RequestExport
from spendtop.tui.requests.list_pane import ListPane
from spendtop.tui.screens.filter_prompt import FilterPrompt, check
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import LongQuestion, Question
from spendtop.tui.selection import NOTHING, ORDERS, TIME_CHOICES, Selection
from spendtop.tui.widgets.canvas import Line
from spendtop.tui.widgets.prompt import Prompt, PromptKind
from spendtop.tui.widgets.request_table import RequestList

if TYPE_CHECKING:
    from spendtop.tui.headline import Headline

_SPLIT_FROM = 120
_FAR = 1_000_000
_TYPING_SECONDS = 0.15
"""So long nothing is typed before the list follows."""


class Layout(StrEnum):
    """List alone, both, or detail alone."""

    LIST = "list"
    SPLIT = "split"
    DETAIL = "detail"


class RequestsScreen(LiveScreen):
    """Which side is shown, and where keys lead; the sides are parts of their own."""

    NAME: ClassVar[str] = "requests"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *REQUESTS, *DETAIL, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, REQUESTS, DETAIL, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.browser = Browser()
        self.list_pane = ListPane(self, self.browser)
        self.detail_pane = DetailPane(self)
        self.filter_prompt = FilterPrompt(self, self._matches, self._filter_by)
        self.copying = RequestCopy(self, self.browser, self.list_pane)
        self.exporting = RequestExport(self, self.browser, self.list_pane)
        self.layout_shown = Layout.LIST

    def body(self) -> ComposeResult:
        """List and detail."""
        with Horizontal(id="columns"):
            yield RequestList("Requests", id="list")
            yield DetailView()

    @property
    def rows(self) -> RequestList:
        return self.list_pane.rows

    @property
    def detail(self) -> DetailView:
        return self.detail_pane.view

    def question(self) -> Question | LongQuestion:
        return self.list_pane.question()

    def show(self, answer: Any) -> Headline:
        """Rows, sums and, where it is open, the detail."""
        self.list_pane.take(answer)
        self.filter_prompt.show_hint()
        if self.layout_shown is not Layout.LIST and self.rows.selected is not None:
            self.detail_pane.read(self.rows.selected)
        headline: Headline = answer.headline
        return headline

    def remarks(self) -> Line:
        found = self.detail_pane.remarks() if self.layout_shown is not Layout.LIST else ()
        return found or self.list_pane.remarks()

    def works_now(self, action: Action) -> bool:
        """Keys of a side need it on screen, and those of a row need a row."""
        if action in DETAIL:
            return self.layout_shown is not Layout.LIST and self._works_in_detail(action)
        if action in REQUEST_LIST and self.layout_shown is Layout.DETAIL:
            return False
        if action.id == "clear-filter":
            return bool(self.browser.selection.text.strip())
        if action.id == "unmark":
            return bool(self.rows.marks)
        if action.id == "open":
            return self.rows.row is not None and self.layout_shown is not Layout.DETAIL
        return self.rows.row is not None or action.id not in ("mark", "copy", "export")

    def _works_in_detail(self, action: Action) -> bool:
        """Beside the list `/` filters; alone the detail has the keyboard, and `/` finds a text in it."""
        if action.id == "find":
            return self.layout_shown is Layout.DETAIL
        if action.id in ("find-next", "find-previous"):
            return self.detail.match_count > 0
        return action.id != "fetch" or self.detail_pane.fetchable is not None

    # Layout

    def focus_target(self) -> Widget | None:
        """The list, or the detail in its place."""
        return self.detail if self.layout_shown is Layout.DETAIL else self.rows

    def lay_out(self, layout: Layout) -> None:
        """Show list, both, or the detail."""
        self.layout_shown = layout
        self.set_class(layout is Layout.SPLIT, "-split")
        self.set_class(layout is Layout.DETAIL, "-detail")
        self._show_detail()
        self.rest_focus()
        self.tick()

    def _show_detail(self) -> None:
        if self.layout_shown is not Layout.LIST and self.rows.selected is not None:
            self.detail_pane.show(self.rows.selected)

    def on_resize(self, event: events.Resize) -> None:
        """A split needs room."""
        if event.size.width < _SPLIT_FROM and self.layout_shown is Layout.SPLIT:
            self.lay_out(Layout.LIST)
        self.list_pane.came_into_view()

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
        if self.layout_shown is Layout.LIST:
            return False
        self.lay_out(Layout.LIST)
        return True

    def open_request(self, request_id: int) -> None:
        """One request's detail, also when it is not in the list."""
        self.browser.follow(False)
        position = self.browser.listing.position_of(request_id)
        if position is not None:
            self.rows.to(position)
        self.rows.selected = request_id
        self.lay_out(Layout.SPLIT if self.size.width >= _SPLIT_FROM else Layout.DETAIL)

    # What is listed

    def list_only(self, text: str) -> None:
        """List what a filter selects. One that is not valid selects nothing, and what is wrong with it is said."""
        checked = check(text)
        if checked.error is not None:
            self.warn(f"The filter {clean_line(text, 60)} cannot be used: {clean_line(str(checked.error))}.")
        self._filter_by(text, NOTHING if checked.filter is None else checked.filter)

    def _filter_by(self, text: str, selected: Filter) -> None:
        if text != self.browser.selection.text:
            self.list_pane.choose(replace(self.browser.selection, text=text, filter=selected))

    def _matches(self, text: str) -> str:
        sums = self.browser.sums
        waiting = self.browser.selection.text != text
        return "searching" if waiting or sums is None else formats.requests(sums.requests)

    def action_filter(self) -> None:
        self.filter_prompt.open(self.browser.selection.text)

    def action_find(self) -> None:
        self.detail_pane.ask_needle()

    def action_clear_filter(self) -> None:
        self.list_only("")

    def on_prompt_edited(self, event: Prompt.Edited) -> None:
        """Apply what is valid, and point at what is not."""
        if event.kind is PromptKind.FIND:
            self.detail_pane.find(event.text)
        elif event.kind is PromptKind.FILTER:
            self.filter_prompt.show_hint()
            self.set_timer(_TYPING_SECONDS, lambda: self._apply_typed(event.text))

    def _apply_typed(self, text: str) -> None:
        checked = check(text)
        if self.filter_prompt.holds(text) and checked.filter is not None:
            self._filter_by(text, checked.filter)

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        if event.kind is PromptKind.FILTER:
            self.filter_prompt.submit(event.text)

    def on_prompt_cancelled(self, event: Prompt.Cancelled) -> None:
        """The filter of before."""
        if event.kind is PromptKind.FILTER:
            self.list_only(event.before)
        elif event.kind is PromptKind.FIND:
            self.detail.find("")

    def complete(self, kind: PromptKind, text: str) -> None:
        if kind is PromptKind.FILTER:
            self.filter_prompt.complete(text)
        else:
            super().complete(kind, text)

    def choose(self, selection: Selection) -> None:
        """List something else."""
        self.list_pane.choose(selection)

    def action_order(self, step: int) -> None:
        """By another column."""
        self.browser.follow(False)
        self.choose(self.browser.selection.ordered(step))

    def action_order_menu(self) -> None:
        """By a column that is chosen from a list."""
        names = [(name[0], name) for name in ORDERS if name != "tokens"] + [("n", "tokens")]
        self.app.push_screen(ChooseScreen("Order by", names), self._take_order)

    def _take_order(self, chosen: str | None) -> None:
        order = next((name for name in ORDERS if chosen == ("n" if name == "tokens" else name[0])), None)
        if order is not None:
            self.browser.follow(order == "time")
            self.choose(replace(self.browser.selection, order=order, descending=True))

    def action_invert(self) -> None:
        """The other way round."""
        self.browser.invert()
        self.list_pane.show(self.calendar)
        self.news()

    def action_time(self) -> None:
        """Another window of time."""
        names = [(str(index), choice.name) for index, choice in enumerate(TIME_CHOICES)]
        self.app.push_screen(ChooseScreen("Window of time", names), self._take_time)

    def _take_time(self, chosen: str | None) -> None:
        if chosen is not None:
            self.choose(replace(self.browser.selection, time=TIME_CHOICES[int(chosen)]))

    def action_follow(self) -> None:
        """Keep the newest in view, or stand still."""
        if self.browser.following:
            self.browser.follow(False)
            self.tick()
        else:
            self.browser.selection = replace(self.browser.selection, order="time")
            self.browser.follow(True)
            self.list_pane.begin_newest()

    # What is done with rows

    def action_mark(self) -> None:
        self.list_pane.toggle_mark()

    def action_unmark(self) -> None:
        self.list_pane.unmark()

    def action_copy(self) -> None:
        self.copying.ask()

    def action_export(self) -> None:
        self.exporting.ask()

    def export(self, kind: str, path: str) -> None:
        """Write the marked rows, or all that are listed."""
        self.exporting.write(kind, self.face.session.folder / Path(path).expanduser())

    def action_pane(self, step: int) -> None:
        self.detail.turn(step)

    def action_wrap(self) -> None:
        self.detail.toggle_wrap()

    def action_fetch(self) -> None:
        self.detail_pane.fetch()

    def action_find_next(self, step: int) -> None:
        self.detail.find_next(step)
        self.refresh_notice()

    def action_neighbour(self, step: int) -> None:
        self.list_pane.move(step)

    # Movement

    def on_request_list_moved(self) -> None:
        """The detail goes along."""
        self._show_detail()

    def on_request_list_opened(self) -> None:
        self.action_open()

    def action_move(self, step: int) -> None:
        """Rows, or lines of the detail."""
        if self.layout_shown is Layout.DETAIL:
            self.detail.scroll_lines(step)
        else:
            self.list_pane.move(step)

    def action_move_page(self, halves: int) -> None:
        height = self.detail.page_height if self.layout_shown is Layout.DETAIL else self.rows.rows_high
        self.action_move(halves * max(height // 2, 1))

    def action_move_top(self) -> None:
        if self.layout_shown is Layout.DETAIL:
            self.detail.scroll_lines(-_FAR)
        else:
            self.list_pane.jump(first=True)

    def action_move_end(self) -> None:
        """New rows if any were announced, else the last row."""
        if self.layout_shown is Layout.DETAIL:
            self.detail.scroll_lines(_FAR)
        elif self.browser.pending:
            self.list_pane.begin_newest()
        else:
            self.list_pane.jump(first=False)
