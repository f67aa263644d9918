"""Screen 2: every request, followed, filtered and ordered, with its prompt and response beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from spendtop.domain.clock import DAY
from spendtop.domain.filters.filters import EVERYTHING
from spendtop.domain.untrusted import clean_line
from spendtop.tui.actions import AMONG_PANES, DETAIL, LIVE, MOVE, REQUEST_LIST, REQUESTS, Action, bindings
from spendtop.tui.requests.browser import Browser
from spendtop.tui.requests.comparison import RequestComparison
from spendtop.tui.requests.detail import DetailView
from spendtop.tui.requests.detail_pane import DetailPane
from spendtop.tui.requests.exports import RequestCopy, RequestExport
from spendtop.tui.requests.list_pane import ListPane
from spendtop.tui.screens.arrangement import Arrangement, Layout
from spendtop.tui.screens.filter_prompt import FilterPrompt, check
from spendtop.tui.screens.helicone_fetch import HeliconeFetch
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import LongQuestion, Question
from spendtop.tui.selection import ALL_TIME, NOTHING, Selection
from spendtop.tui.widgets.canvas import Line
from spendtop.tui.widgets.prompt import Prompt, PromptKind
from spendtop.tui.widgets.request_table import RequestList
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from spendtop.tui.headline import Headline

_SPLIT_FROM = 120
_TYPING_SECONDS = 0.15
"""So long nothing is typed before the list follows."""


class RequestsScreen(LiveScreen):
    """Which side is shown, and where keys lead; the sides are parts of their own."""

    NAME: ClassVar[str] = "requests"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *REQUESTS, *DETAIL, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, REQUESTS, DETAIL, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.browser = Browser()
        self.list_pane = ListPane(self, self.browser)
        self.fetcher = HeliconeFetch(self)
        self.detail_pane = DetailPane(self, self.fetcher)
        self.filter_prompt = FilterPrompt(self, self.list_pane.matches, self.list_pane.filter_by)
        self.comparison = RequestComparison(self, self.list_pane)
        self.copier = RequestCopy(self, self.browser, self.list_pane)
        self.exporter = RequestExport(self, self.browser, self.list_pane)
        self.arrangement = Arrangement(
            self,
            lambda: self.rows,
            lambda: self.browser.selection.time,
            self.list_pane.limit_to,
            self.list_pane.order_by,
        )
        self.layout_shown = Layout.LIST
        self._led: tuple[str, Selection] | None = None

    def body(self) -> ComposeResult:
        with Horizontal(id="columns"):
            yield RequestList("Requests", id="list")
            yield DetailView()

    @property
    def rows(self) -> RequestList:
        return self.list_pane.rows

    @property
    def detail(self) -> DetailView:
        return self.detail_pane.view

    @property
    def request_selection(self) -> Selection:
        return self.browser.selection

    @property
    def chosen_selection(self) -> Selection:
        """What somebody chose to list here, and not where a door led."""
        selection = self.browser.selection
        return self._led[1] if self._led is not None and self._led[0] == selection.text else selection

    def question(self) -> Question | LongQuestion:
        return self.list_pane.question()

    def show(self, answer: Any) -> Headline:
        if self.list_pane.take(answer):
            self.filter_prompt.show_hint()
        if self.layout_shown is not Layout.LIST and self.rows.selected is not None:
            self.detail_pane.read(self.rows.selected)
        headline: Headline = answer.headline
        return headline

    def moved_in_time(self) -> None:
        """What is listed is another list, from its start."""
        self.list_pane.begin_newest()
        super().moved_in_time()

    @property
    def shift_length(self) -> int:
        """The length of the window that is listed, or a day."""
        now = self.face.session.clock()
        since, _ = self.browser.selection.time.span(now, self.calendar)
        return DAY if since is None else now - since

    def remarks(self) -> Line:
        search = self.detail_pane.remarks() if self.layout_shown is not Layout.LIST else ()
        return [*self.fetcher.remarks(), *(search or self.list_pane.remarks())]

    def works_now(self, action: Action) -> bool:
        """Keys of a side need it on screen, and those of a row need a row."""
        if action.id in AMONG_PANES:
            return self.layout_shown is not Layout.LIST or len(self.panes) > 1
        if action.id == "fetch":
            return self.can_fetch
        if action in DETAIL:
            return self.layout_shown is not Layout.LIST and self._works_in_detail(action)
        if action in REQUEST_LIST and self.layout_shown is Layout.DETAIL:
            return False
        if action.id == "open":
            return self.rows.row is not None and self.layout_shown is not Layout.DETAIL
        return self.list_pane.may(action.id)

    def _works_in_detail(self, action: Action) -> bool:
        """Beside the list `/` filters; alone the detail has the keyboard, and `/` finds a text in it."""
        if action.id == "find":
            return self.layout_shown is Layout.DETAIL
        if action.id in ("next-request", "previous-request"):
            return self.rows.row is not None
        return self.detail.may(action.id)

    @property
    def can_fetch(self) -> bool:
        """Whether Helicone can be asked for bodies of the marked requests or of the one that is shown."""
        if self.marks_are_meant:
            return self.fetcher.can_keep
        return self.layout_shown is not Layout.LIST and self.detail_pane.fetchable is not None

    @property
    def marks_are_meant(self) -> bool:
        """Whether what is done is done with the marked requests, and not with the one whose detail is alone."""
        return bool(self.rows.marks) and self.layout_shown is not Layout.DETAIL

    # Layout

    @property
    def panes(self) -> Sequence[Widget]:
        return [self.detail if self.layout_shown is Layout.DETAIL else self.rows]

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
            return self.list_pane.give_up()
        self.lay_out(Layout.LIST)
        return True

    def open_request(self, request_id: int) -> None:
        """One request's detail; where it is not in the list, all is listed anew."""
        self.browser.follow(False)
        if self.rows.position_of(request_id) is None:
            self.list_pane.choose(Selection())
        self.rows.select(request_id)
        self.lay_out(Layout.SPLIT if self.size.width >= _SPLIT_FROM else Layout.DETAIL)

    # What is listed

    def lead_to(self, text: str) -> None:
        """List what a door of another screen leads to, from its top and of any time, which is no filter that was
        chosen here."""
        self._led = text, self.chosen_selection
        self.rows.selected = None
        self.list_pane.limit_to(ALL_TIME)
        self.list_only(text)

    def list_only(self, text: str) -> None:
        """List what a filter selects. One that is not valid selects nothing, and what is wrong with it is said."""
        checked = check(text)
        if checked.error is not None:
            self.warn(f"The filter {clean_line(text, 60)} cannot be used: {clean_line(str(checked.error))}.")
        self.list_pane.filter_by(text, NOTHING if checked.filter is None else checked.filter)

    def action_filter(self) -> None:
        self.filter_prompt.open(self.browser.selection.text)

    def action_find(self) -> None:
        self.detail_pane.ask_needle()

    def action_clear_filter(self) -> None:
        """All that can be listed here."""
        self.list_pane.choose(replace(self.browser.selection, text="", filter=EVERYTHING, time=ALL_TIME))

    def on_prompt_edited(self, event: Prompt.Edited) -> None:
        if event.kind is PromptKind.FIND:
            self.detail_pane.find(event.text)
        elif event.kind is PromptKind.FILTER:
            self.filter_prompt.show_hint()
            self.set_timer(_TYPING_SECONDS, lambda: self._apply_typed(event.text))

    def _apply_typed(self, text: str) -> None:
        checked = check(text)
        if self.filter_prompt.holds(text) and checked.filter is not None:
            self.list_pane.filter_by(text, checked.filter)

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        if event.kind is PromptKind.FILTER:
            self.filter_prompt.submit(event.text)

    def on_prompt_cancelled(self, event: Prompt.Cancelled) -> None:
        if event.kind is PromptKind.FILTER:
            self.list_only(event.before)
        elif event.kind is PromptKind.FIND:
            self.detail.find("")

    def complete(self, kind: PromptKind, text: str, step: int) -> None:
        if kind is PromptKind.FILTER:
            self.filter_prompt.complete(text)
        else:
            super().complete(kind, text, step)

    def action_follow(self) -> None:
        self.list_pane.toggle_follow()

    # What is done with rows

    def action_mark(self) -> None:
        self.list_pane.toggle_mark()

    def action_unmark(self) -> None:
        self.list_pane.unmark()

    def action_copy(self) -> None:
        self.copier.ask()

    def action_diff(self) -> None:
        self.comparison.ask()

    def action_export(self) -> None:
        self.exporter.ask()

    def export(self, kind: str, path: str) -> None:
        """Write the marked rows, or all that are listed."""
        self.exporter.write(kind, self.face.session.folder / Path(path).expanduser())

    def action_fold(self) -> None:
        self.detail.toggle_fold()

    def action_wrap(self) -> None:
        self.detail.toggle_wrap()

    def action_fetch(self) -> None:
        if self.marks_are_meant:
            self.fetcher.bodies(self.rows.marks)
        else:
            self.detail_pane.fetch()

    def action_find_next(self, step: int) -> None:
        self.detail.find_next(step)
        self.refresh_notice()

    # Movement

    @on(ListTable.Moved, "#list")
    def row_moved(self) -> None:
        """The detail goes along."""
        self.list_pane.cursor_moved()
        self._show_detail()

    @on(ListTable.Opened, "#list")
    def row_opened(self) -> None:
        self.action_open()

    def action_pane(self, step: int) -> None:
        """Of the detail, where it is shown."""
        if self.layout_shown is Layout.LIST:
            super().action_pane(step)
        else:
            self.detail.turn(step)

    def action_neighbour(self, step: int) -> None:
        self.rows.move(step)

    def action_move_top(self) -> None:
        if self.pane is self.rows:
            self.list_pane.jump(first=True)
        else:
            super().action_move_top()

    def action_move_end(self) -> None:
        """New rows if any were announced, else the last row."""
        if self.pane is not self.rows:
            super().action_move_end()
        elif self.browser.pending:
            self.list_pane.begin_newest()
        else:
            self.list_pane.jump(first=False)
