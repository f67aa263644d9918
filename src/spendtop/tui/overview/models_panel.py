"""The families of models that cost most, under a cursor while the keys belong to them."""

from __future__ import annotations

from textual import events
from textual.message import Message

from spendtop.domain.untrusted import Untrusted
from spendtop.tui.overview.panels import TopPanel
from spendtop.tui.widgets.canvas import Line, laid_over

_FRAME = 2


class ModelsPanel(TopPanel):
    can_focus = True

    class FamilyOpened(Message):
        """A line was clicked that had the cursor already."""

    def __init__(self) -> None:
        super().__init__("Models", "(no model)", id="models")
        self._position = 0

    @property
    def family(self) -> Untrusted | None:
        """The family under the cursor, empty for requests that name no model; None on the line of all others."""
        rows = self.shown(self.rows_high)
        return rows[self.position].key if self.position < len(rows) else None

    @property
    def lines_shown(self) -> int:
        """How many lines the cursor can be on; 0 where nothing was spent."""
        if self.breakdown is None or not self.breakdown.rows:
            return 0
        keys, shown = len(self.breakdown.rows) + self.breakdown.other_keys, len(self.shown(self.rows_high))
        return shown + (keys > shown)

    @property
    def position(self) -> int:
        return max(0, min(self._position, self.lines_shown - 1))

    @property
    def rows_high(self) -> int:
        return max(self.size.height - _FRAME, 1)

    def content(self, width: int, height: int) -> list[Line]:
        lines = super().content(width, height)
        if self.has_focus and self.position < self.lines_shown <= len(lines):
            lines[self.position] = laid_over(lines[self.position], self.palette.cursor, width)
        return lines

    def move(self, step: int) -> None:
        self._to(self.position + step)

    def to_top(self) -> None:
        self._to(0)

    def to_end(self) -> None:
        self._to(self.lines_shown - 1)

    def on_click(self, event: events.Click) -> None:
        line = event.y - 1
        if not 0 <= line < self.lines_shown:
            return
        if line == self.position:
            self.post_message(self.FamilyOpened())
        else:
            self._to(line)

    def _to(self, position: int) -> None:
        self._position = max(0, min(position, self.lines_shown - 1))
        self.redraw()
