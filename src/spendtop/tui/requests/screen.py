"""Screen 2: every request, followed, filtered and ordered, with its prompt and response beside it."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar

from textual import events, on
from textual.binding import BindingType
from textual.widget import Widget

from spendtop.tui.actions import DETAIL, LIVE, MOVE, REQUESTS, Action, bindings
from spendtop.tui.requests.copy_export import TakingAway
from spendtop.tui.requests.fetch_bodies import Fetching
from spendtop.tui.requests.filter_prompt import FilterPrompt
from spendtop.tui.requests.ordering import Ordering
from spendtop.tui.widgets.table import Table

_SPLIT_FROM = 120


class Layout(StrEnum):
    """List alone, both, or detail alone."""

    LIST = "list"
    SPLIT = "split"
    DETAIL = "detail"


class RequestsScreen(FilterPrompt, Fetching, TakingAway, Ordering):
    """The whole: which side is shown, and where keys move."""

    NAME: ClassVar[str] = "requests"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *REQUESTS, *DETAIL, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, REQUESTS, DETAIL, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.layout_shown = Layout.LIST
        self._detail_asked: int | None = None

    def works_now(self, action: Action) -> bool:
        """Keys of the detail need one on screen, and those of a row need a row."""
        if action in DETAIL:
            shown = self.layout_shown is not Layout.LIST
            return shown and (action.id != "fetch" or self.fetchable is not None)
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
        self.came_into_view()

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
        self.rows.select(request_id)
        self.lay_out(Layout.SPLIT if self.size.width >= _SPLIT_FROM else Layout.DETAIL)

    # Detail

    def refresh_detail(self) -> None:
        """Read it again if it is on screen."""
        self._ask_detail(again=True)

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
            self.detail.calendar = self.calendar
            self.detail.show(*answer)
            self.tick()

    @on(Table.Moved, "#list")
    def row_moved(self) -> None:
        """The detail goes along; away from the newest the list follows no more."""
        if self.rows.position != self.rows.start:
            self.browser.follow(False)
        if not self.browser.following:
            self.came_into_view()
        self.refresh_notice()
        self._ask_detail(again=False)

    @on(Table.Opened, "#list")
    def row_opened(self) -> None:
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
        self.rows.move(step)

    # Movement

    def action_move_top(self) -> None:
        """The first row, which may have to be read first."""
        if self.layout_shown is Layout.DETAIL:
            super().action_move_top()
        else:
            self._jump(first=True)

    def action_move_end(self) -> None:
        """New rows if any were announced, else the last row."""
        if self.layout_shown is Layout.DETAIL:
            super().action_move_end()
        elif self.browser.pending:
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
        self.begin()
        self.tick()

    def _jump(self, first: bool) -> None:
        at_newest = first is not self.browser.selection.newest_last and self.browser.selection.order == "time"
        if at_newest and self.browser.pending:
            self._newest()
            return
        position = self.browser.jump(first)
        if position is not None:
            self.rows.to(position)
        else:
            self.rows.selected = None
            self.begin()
