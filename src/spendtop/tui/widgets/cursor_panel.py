"""A framed list of rows under a cursor, for keys and mouse."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.message import Message

from spendtop.tui.widgets.canvas import Panel

_ABOVE = 2
"""Lines over the first row: the frame's edge and the heads."""
_SCROLLED = 3
"""Rows per turn of the wheel."""


class CursorPanel(Panel):
    """Rows below one line of heads. The cursor is always in view; those that inherit say where it is."""

    can_focus = True

    rows_around: ClassVar[int] = 1
    """How many rows stay in view on either side of the cursor, where there is room and the list goes on."""

    class Opened(Message):
        """A row was clicked that had the cursor already."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._top = 0
        """Position of the first row in view."""

    @property
    def row_count(self) -> int:
        """All rows, in view or not."""
        raise NotImplementedError

    @property
    def position(self) -> int:
        """Of the cursor, from the top."""
        raise NotImplementedError

    def to(self, position: int) -> None:
        """Put the cursor there, or on the nearest row that there is."""
        raise NotImplementedError

    @property
    def rows_high(self) -> int:
        """How many rows fit below the heads."""
        return max(self.size.height - _ABOVE - 1, 1)

    def _settle(self) -> None:
        """Scroll no further than the cursor needs, and draw."""
        at, high = self.position, self.rows_high
        lead = min(self.rows_around, (high - 1) // 2)
        self._top = max(min(self._top, at - lead), at - high + 1 + lead)
        self._top = max(0, min(self._top, self.row_count - high))
        self.redraw()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._settle()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Some rows down."""
        event.stop()
        self.to(self.position + _SCROLLED)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Some rows up."""
        event.stop()
        self.to(self.position - _SCROLLED)

    def on_click(self, event: events.Click) -> None:
        """The cursor to the clicked row, or open it."""
        position = self._top + event.y - _ABOVE
        if event.y < _ABOVE or position >= self.row_count:
            return
        if position == self.position:
            self.post_message(self.Opened())
        else:
            self.to(position)
