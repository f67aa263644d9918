"""A panel of rows that lead somewhere, under a cursor while the keys belong to it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from textual import events
from textual.message import Message

from spendtop.tui.widgets.canvas import Line, Panel, laid_over

_FRAME = 2


class DoorPanel(Panel):
    """The cursor stays on its row by the row's key, also where the rows change places."""

    can_focus = True

    class DoorOpened(Message):
        """A row was clicked that had the cursor already."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._place = 0
        self._key: Hashable = None

    @property
    def keys(self) -> Sequence[Hashable]:
        """Of the rows in view, which are the first lines of the panel."""
        raise NotImplementedError

    def lines(self, width: int, height: int) -> list[Line]:
        """What is inside the frame."""
        raise NotImplementedError

    @property
    def rows_high(self) -> int:
        return max(self.size.height - _FRAME, 1)

    @property
    def position(self) -> int:
        """Of the cursor, from the first row."""
        keys = self.keys
        place = keys.index(self._key) if self._key in keys else self._place
        return max(0, min(place, len(keys) - 1))

    def content(self, width: int, height: int) -> list[Line]:
        lines = self.lines(width, height)
        if self.has_focus and self.keys and self.position < len(lines):
            lines[self.position] = laid_over(lines[self.position], self.palette.cursor, width)
        return lines

    def move(self, step: int) -> None:
        self._to(self.position + step)

    def to_top(self) -> None:
        self._to(0)

    def to_end(self) -> None:
        self._to(len(self.keys) - 1)

    def on_click(self, event: events.Click) -> None:
        line = event.y - 1
        if not 0 <= line < len(self.keys):
            return
        if line == self.position:
            self.post_message(self.DoorOpened())
        else:
            self._to(line)

    def _to(self, place: int) -> None:
        keys = self.keys
        if keys:
            self._place = max(0, min(place, len(keys) - 1))
            self._key = keys[self._place]
            self.redraw()
