"""The list of requests: only what is visible is ever drawn, however many rows there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

from spendtop.domain.windows import Calendar
from spendtop.tui.listing import Listing
from spendtop.tui.widgets.canvas import Line, Panel, Piece, laid_over, length
from spendtop.tui.widgets.request_columns import Ink, columns_for, head_line, row_line

if TYPE_CHECKING:
    from spendtop.store.reads.rows import RequestRow

_MARGIN = 2


class RequestList(Panel):
    """Rows of a listing with a cursor that stays on its request."""

    can_focus = True

    class Moved(Message):
        """The cursor is on another request."""

    class Opened(Message):
        """A request was clicked that had the cursor already."""

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__(id=id)
        self.title = title
        self.subtitle: Line = ()
        self.nothing = "nothing yet"
        """What an empty list says."""
        self.listing = Listing()
        self.marks: set[int] = set()
        self.calendar = Calendar()
        self.order = "time"
        self.descending = True
        self.position = 0
        """Of the cursor, in reading order."""
        self.selected: int | None = None
        """Id of the request under the cursor."""
        self._top = 0
        self._with_day = False
        """Whether times carry their day: where one in view is of another day, and from then on until the top is in view
        again, so that columns do not jump."""

    @property
    def title_line(self) -> Line:
        """The title, then what the list is of."""
        return [(self.title, self.palette.title), *self.subtitle]

    @property
    def row(self) -> RequestRow | None:
        """The request under the cursor."""
        return self.listing.row(self.position)

    @property
    def in_view(self) -> tuple[int, int]:
        """First and last position on screen."""
        return self._top, min(self._top + self.rows_high, len(self.listing)) - 1

    @property
    def rows_high(self) -> int:
        """How many rows fit."""
        height = self.size.height
        framed = height >= 3 and self.size.width >= 4
        return max(height - (2 if framed else 0) - self._head_height, 1)

    @property
    def _head_height(self) -> int:
        return 1 if self.size.height >= 8 else 0

    def show(self, keep_selected: bool) -> None:
        """The listing changed. The cursor stays on its request, or stays in its place where the request has gone."""
        if keep_selected and self.selected is not None:
            found = self.listing.position_of(self.selected)
            if found is not None:
                self._top += found - self.position
                self.position = found
        self._settle()
        self.redraw()

    def begin(self, listing: Listing) -> None:
        """Show another listing from its start."""
        self.listing, self.position, self._with_day = listing, 0, False

    def to(self, position: int) -> None:
        """Put the cursor there."""
        self.position = position
        self._settle()
        self.redraw()

    def _settle(self) -> None:
        """Cursor and scroll within what there is; says so when the cursor is on another request."""
        last = len(self.listing) - 1
        self.position = max(0, min(self.position, last))
        high = self.rows_high
        lead = min(_MARGIN, (high - 1) // 2)
        self._top = min(self._top, self.position - lead)
        self._top = max(self._top, self.position - high + 1 + lead)
        self._top = max(0, min(self._top, len(self.listing) - high))
        row = self.row
        now_selected = row.id if row else self.selected if len(self.listing) else None
        if now_selected != self.selected:
            self.selected = now_selected
            self.post_message(self.Moved())

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._settle()
        self.redraw()

    def content(self, width: int, height: int) -> list[Line]:
        """Titles and the visible rows."""
        first, last = self.in_view
        positions = range(first, last + 1)
        if self.listing.from_end:
            positions = positions[::-1]
        rows = [(position, self.listing.row(position)) for position in positions]
        ink = self._ink([row for _, row in rows if row])
        columns = columns_for(width - 1, ink.with_day)
        lines: list[Line] = []
        if self._head_height:
            lines.append([(" ", ink.palette.faint), *head_line(columns, self.order, self.descending, ink)])
        if not rows:
            lines.append([(f"  {self.nothing}" if self.listing.read else "", ink.palette.muted)])
        for position, row in rows:
            if row is None:
                lines.append([(f"  {ink.glyphs.wait}", ink.palette.faint)])
                continue
            marked = row.id in self.marks
            line: list[Piece] = [(ink.glyphs.marked if marked else " ", ink.palette.mark)]
            line += row_line(row, columns, ink)
            if position == self.position and self.shows_cursor:
                line[0] = (ink.glyphs.marked if marked else ink.glyphs.cursor, ink.palette.mark)
                line = laid_over(line, ink.palette.cursor, max(width, length(line)))
            lines.append(line)
        return lines

    @property
    def shows_cursor(self) -> bool:
        """Whether a row is lit."""
        return True

    def _ink(self, rows: list[RequestRow]) -> Ink:
        today = self.calendar.local(self.face.session.clock()).date()
        other_days = any(self.calendar.local(row.occurred_at).date() != today for row in rows)
        self._with_day = other_days or (self._with_day and self._top > 0)
        return Ink(self.palette, self.glyphs, self.calendar, self._with_day)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three rows down."""
        event.stop()
        self.to(self.position + (-3 if self.listing.from_end else 3))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three rows up."""
        event.stop()
        self.to(self.position + (3 if self.listing.from_end else -3))

    def on_click(self, event: events.Click) -> None:
        """The cursor to the clicked row, or open it."""
        line = event.y - 1 - self._head_height
        first, last = self.in_view
        position = last - line if self.listing.from_end else first + line
        if not first <= position <= last:
            return
        if position == self.position:
            self.post_message(self.Opened())
        else:
            self.to(position)
