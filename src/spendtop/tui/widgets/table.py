"""The list of all screens: a cursor that stays on its row, and only what is visible is ever drawn."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from textual import events
from textual.message import Message

from spendtop.domain.windows import Calendar
from spendtop.tui.widgets.canvas import Line, Panel, Piece, laid_over, length
from spendtop.tui.widgets.columns import Columns, Ink, Row, Sized, fitted, head_line, row_line

Key = TypeVar("Key", bound=Hashable)
Row_co = TypeVar("Row_co", covariant=True)

_AROUND = 2
"""How many rows stay in view on either side of the cursor, where there is room and the list goes on."""
_SCROLLED = 3
"""Rows per turn of the wheel."""


class TableRows(Protocol[Row_co]):
    """What a table shows, from top to bottom. A plain sequence is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Row_co | None:
        """None where the row is not in memory yet."""


@runtime_checkable
class Movable(Protocol):
    """What the movement keys move in: a table's cursor, or the lines of a text."""

    @property
    def rows_high(self) -> int: ...

    def move(self, step: int) -> None:
        """So many rows down, or up when negative."""

    def to_top(self) -> None: ...

    def to_end(self) -> None: ...


class TableMessage(Message):
    def __init__(self, table: ListTable[Any, Any]) -> None:
        super().__init__()
        self.table = table

    @property
    def control(self) -> ListTable[Any, Any]:
        """For `@on` with a selector, where a screen has several tables."""
        return self.table


class ListTable(Panel, Generic[Row, Key]):
    """Rows under a cursor, for keys and mouse. Those that inherit say which columns there are and what a row's key is.

    The cursor stays on its row by the row's key. While the table follows it stays at the start, whatever comes there.
    """

    can_focus = True
    DEFAULT_CSS = "ListTable { height: 1fr; width: 1fr; }"

    heads_from: ClassVar[int] = 0
    """The least height that leaves room for the columns' titles."""

    class Moved(TableMessage):
        """The cursor is on another row, or its row in another place."""

    class Opened(TableMessage):
        """A row was clicked that had the cursor already."""

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__(id=id)
        self.title = title
        self.subtitle: Line = ()
        self.nothing = ""
        """What an empty list says, once it is known to be empty."""
        self.rows: TableRows[Row] = ()
        self.order, self.descending = "", True
        self.calendar = Calendar()
        self.now = 0
        self.position = 0
        """Of the cursor, from the top."""
        self.selected: Key | None = None
        """Key of the row under the cursor."""
        self.following = False
        self._top = 0
        """Position of the first row in view."""
        self._read = False
        """Whether the present list was shown."""
        self._was_empty = True

    def layouts(self) -> Sequence[Columns[Row]]:
        """The columns, or several choices of columns, the widest first."""
        raise NotImplementedError

    def key(self, row: Row) -> Key:
        """What stays the same while the row's figures change."""
        raise NotImplementedError

    def position_of(self, key: Key) -> int | None:
        for position in range(len(self.rows)):
            row = self.rows[position]
            if row is not None and self.key(row) == key:
                return position
        return None

    def mark(self, row: Row, ink: Ink) -> Piece:
        """What stands before the row; a blank leaves room for the cursor."""
        return " ", ink.palette.text

    def has_divider(self, position: int) -> bool:
        """Whether a line that is no row stands over this row. The cursor never rests on it."""
        return False

    def divider(self, position: int, ink: Ink, width: int) -> Line:
        """That line."""
        raise NotImplementedError

    def above(self, width: int) -> Sequence[Line]:
        """What stands over the heads."""
        return ()

    @property
    def start(self) -> int:
        """Where the cursor begins, and stays while the table follows."""
        return 0

    @property
    def lights_cursor(self) -> bool:
        """Whether the cursor's row is lit over its whole width."""
        return True

    @property
    def title_line(self) -> Line:
        return [(self.title, self.palette.title), *self.subtitle]

    @property
    def row(self) -> Row | None:
        """What the cursor is on."""
        return self.rows[self.position] if self.position < len(self.rows) else None

    @property
    def is_empty(self) -> bool:
        """Whether the list is known to have no rows."""
        return self._read and not len(self.rows)

    @property
    def in_view(self) -> tuple[int, int]:
        """First and last position on screen."""
        last, lines = self._top, self._lines(self._top)
        while last + 1 < len(self.rows) and lines + self._lines(last + 1) <= self.rows_high:
            last += 1
            lines += self._lines(last)
        return self._top, min(last, len(self.rows) - 1)

    @property
    def orders(self) -> list[str]:
        """What the rows can be ordered by, as the columns stand; also by what they are, though its column be gone."""
        orders = [column.order for column in self.layouts()[0] if column.order]
        return orders if not self.order or self.order in orders else [*orders, self.order]

    @property
    def rows_high(self) -> int:
        return max(self.size.height - self._rows_from - self._framed, 1)

    def _lines(self, position: int) -> int:
        """How high a row is with the divider over it."""
        return 2 if self.has_divider(position) else 1

    def _first_before(self, last: int) -> int:
        """The first row in view where `last` is the lowest one."""
        first, lines = last, self._lines(last)
        while first > 0 and lines + self._lines(first - 1) <= self.rows_high:
            first -= 1
            lines += self._lines(first)
        return max(first, 0)

    @property
    def _framed(self) -> bool:
        return self.size.height >= 3 and self.size.width >= 4

    @property
    def _has_heads(self) -> bool:
        height = self.size.height
        return height >= self.heads_from and height - 2 * self._framed - len(self.above(self.size.width)) > 1

    @property
    def _rows_from(self) -> int:
        """Lines of the widget over its first row."""
        return self._framed + len(self.above(self.size.width)) + self._has_heads

    # What is shown

    def begin(self, rows: TableRows[Row]) -> None:
        """Another list is to come, which is shown from its start."""
        self.rows, self.position, self._top, self._read, self._was_empty = rows, 0, 0, False, True

    def show(self, rows: TableRows[Row]) -> None:
        """Newer rows. The cursor stays on its row, or in its place where the row has gone."""
        self.rows, self._read = rows, True
        place = None if self.following or self.selected is None else self.position_of(self.selected)
        if place is None:
            place = self.start if self.following or self._was_empty else self.position
        else:
            self._top += place - self.position
        self._settle(place)

    def to(self, position: int) -> None:
        """Put the cursor there, or on the nearest row that there is. Away from the start it follows no more."""
        self._settle(position)
        self.following = self.following and self.position == self.start

    def select(self, key: Key) -> None:
        """Put the cursor on this row, now or once it is shown."""
        place = self.position_of(key)
        if place is None:
            self.selected = key
        else:
            self.to(place)

    def _settle(self, position: int) -> None:
        """The cursor there, scrolled no further than it needs; says so when it moved."""
        before = self.position, self.selected
        count, high = len(self.rows), self.rows_high
        self.position = max(0, min(position, count - 1))
        lead = min(_AROUND, (high - 1) // 2)
        top = max(min(self._top, self.position - lead), self._first_before(min(self.position + lead, count - 1)))
        self._top = max(0, min(top, self.position, self._first_before(count - 1)))
        self._was_empty = not count
        row = self.row
        if row is not None:
            self.selected = self.key(row)
        elif not count:
            self.selected = None
        if before != (self.position, self.selected):
            self.post_message(self.Moved(self))
        self.redraw()

    # Movement

    def move(self, step: int) -> None:
        self.to(self.position + step)

    def to_top(self) -> None:
        self.to(0)

    def to_end(self) -> None:
        self.to(len(self.rows) - 1)

    def on_resize(self) -> None:
        self._settle(self.position)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(_SCROLLED)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-_SCROLLED)

    def on_click(self, event: events.Click) -> None:
        position = self._position_at(event.y - self._rows_from)
        if position is None:
            return
        if position == self.position:
            self.post_message(self.Opened(self))
        else:
            self.to(position)

    def _position_at(self, line: int) -> int | None:
        """The row that is drawn there; None on a divider, and where no row is."""
        first, last = self.in_view
        for position in range(first, last + 1):
            line -= self._lines(position)
            if line < 0:
                return position if line == -1 else None
        return None

    # Picture

    @property
    def ink(self) -> Ink:
        return Ink(self.palette, self.glyphs, self.calendar, self.now)

    def content(self, width: int, height: int) -> list[Line]:
        ink, columns = self.ink, fitted(self.layouts(), width - 1)
        lines: list[Line] = [*self.above(width)]
        if self._has_heads:
            lines.append([(" ", ink.palette.faint), *head_line(columns, self.order, self.descending, ink)])
        if not self._read and not len(self.rows):
            lines += [[("  ", ink.palette.text), *line] for line in self.unread]
        elif self.is_empty:
            words = textwrap.wrap(self.nothing, width, initial_indent="  ", subsequent_indent="  ")
            lines += [[(part, ink.palette.muted)] for part in words]
        return [*lines, *self._row_lines(columns, ink, width)]

    def _row_lines(self, columns: Sized[Row], ink: Ink, width: int) -> Iterable[Line]:
        first, last = self.in_view
        for position in range(first, last + 1):
            row = self.rows[position]
            if self.has_divider(position):
                yield self.divider(position, ink, width)
            if row is None:
                yield [(f"  {ink.glyphs.wait}", ink.palette.faint)]
                continue
            mark = self.mark(row, ink)
            line = [mark, *row_line(row, columns, ink, width - 1)]
            if position == self.position:
                line[0] = (mark[0] if mark[0].strip() else ink.glyphs.cursor, ink.palette.mark)
                if self.lights_cursor:
                    line = laid_over(line, ink.palette.cursor, max(width, length(line)))
            yield line
        if last + 1 < len(self.rows) and self.has_divider(last + 1):
            yield self.divider(last + 1, ink, width)
