"""Order, window of time and marks of the list of requests."""

from __future__ import annotations

from dataclasses import replace

from spendtop.tui.modals.choose import ChooseScreen
from spendtop.tui.requests.browsing import BrowsingScreen
from spendtop.tui.selection import ORDERS, TIME_CHOICES


class Ordering(BrowsingScreen):
    """The part of the screen of requests that arranges the list."""

    def action_order(self, step: int) -> None:
        """By another column."""
        self.browser.follow(False)
        self.choose(self.browser.selection.ordered(step))

    def action_order_menu(self) -> None:
        """By a column that is chosen from a list."""
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
        self.show_rows(self.calendar)
        self.news()

    def action_time(self) -> None:
        """Another window of time."""
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
            self.move_list(1)
            self.rows.redraw()

    def action_unmark(self) -> None:
        """No marks."""
        self.rows.marks.clear()
        self.rows.redraw()
        self.tick()
