"""Order, window of time and marks of the list of requests."""

from __future__ import annotations

from dataclasses import replace

from spendtop.tui.arranging import Arranging
from spendtop.tui.requests.browsing import BrowsingScreen
from spendtop.tui.selection import TimeChoice


class Ordering(BrowsingScreen):
    """The part of the screen of requests that arranges the list."""

    def __init__(self) -> None:
        super().__init__()
        self.arranging = Arranging(self, lambda: self.rows, self.limit_to, self.order_by)

    def order_by(self, order: str, descending: bool) -> None:
        """The same list turned over, or another one from its start."""
        chosen = self.browser.selection
        if (chosen.order, chosen.descending) == (order, not descending):
            self.browser.invert()
            self.show_rows(self.calendar)
            self.news()
        else:
            self.browser.follow(self.browser.following and order == "time")
            self.choose(replace(chosen, order=order, descending=descending))

    def limit_to(self, time: TimeChoice) -> None:
        self.choose(replace(self.browser.selection, time=time))

    def action_mark(self) -> None:
        """Mark the row, or take its mark away, and go on."""
        row = self.rows.row
        if row is not None:
            self.rows.marks ^= {row.id}
            self.rows.move(1)
            self.rows.redraw()

    def action_unmark(self) -> None:
        """No marks."""
        self.rows.marks.clear()
        self.rows.redraw()
        self.tick()
