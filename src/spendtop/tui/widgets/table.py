"""The list of all screens: columns that fit, a cursor that stays on its row, and only what is visible is ever drawn."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from rich.cells import set_cell_size
from textual import events
from textual.message import Message

from spendtop.domain.windows import Calendar
from spendtop.tui.glyphs import Glyphs
from spendtop.tui.palette import Palette
from spendtop.tui.widgets.canvas import Line, Panel, Piece, clip, fit, fit_right, laid_over, length

Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)
RowAny_co = TypeVar("RowAny_co", covariant=True)

_AROUND = 2
"""How many rows stay in view on either side of the cursor, where there is room and the list goes on."""
_SCROLLED = 3
"""Rows per turn of the wheel."""


class Rows(Protocol[RowAny_co]):
    """What a table shows, from top to bottom. A plain sequence is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> RowAny_co | None:
        """None where the row is not in memory yet."""


@runtime_checkable
class Movable(Protocol):
    """What the movement keys move in: a table's cursor, or the lines of a text."""

    @property
    def rows_high(self) -> int:
        """Rows in view."""

    def move(self, step: int) -> None:
        """So many rows down, or up when negative."""

    def to_top(self) -> None: ...

    def to_end(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Ink:
    """What cells are drawn with."""

    palette: Palette
    glyphs: Glyphs
    calendar: Calendar
    now: int = 0
    """Of the figures, in UTC µs."""


@dataclass(frozen=True, slots=True)
class Span:
    """Words that run from their column to the edge, in place of all further cells."""

    line: Line


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: what stands in it, how wide it is, and when it may go."""

    title: str
    least: int
    cell: Callable[[Row, Ink, int], Piece | Span]
    """Of a row, given the width."""
    wished: int = 0
    """The width it takes where there is room, if more than the least."""
    rank: int = 0
    """Columns of rank 0 stay; others go, the highest rank first."""
    right: bool = False
    order: str = ""
    """The order that it stands for."""
    grows: bool = False
    """Whether it takes the room that is left. Of several the last one that is shown does."""


Columns = Sequence[Column[Row]]
Sized = Sequence[tuple[Column[Row], int]]


def fitted(layouts: Sequence[Columns[Row]], width: int) -> Sized[Row]:
    """The columns that fit into `width` cells with one blank between, and their widths: of the first layout whose
    columns of rank 0 fit, or else of the last one.

    What the rows hold does not matter, so that columns stay where they are while rows change.
    """
    for layout in layouts:
        columns = _without_ranks(layout, width)
        if _least(columns) <= width:
            break
    widths = [column.least for column in columns]
    spare = width - _least(columns)
    while spare > 0 and any(size < column.wished for size, column in zip(widths, columns, strict=True)):
        for index, column in enumerate(columns):
            if spare > 0 and widths[index] < column.wished:
                widths[index] += 1
                spare -= 1
    growing = [index for index, column in enumerate(columns) if column.grows]
    if spare > 0 and growing:
        widths[growing[-1]] += spare
    return list(zip(columns, widths, strict=True))


def _without_ranks(columns: Columns[Row], width: int) -> Columns[Row]:
    for rank in sorted({column.rank for column in columns if column.rank}, reverse=True):
        if _least(columns) <= width:
            break
        columns = [column for column in columns if column.rank != rank]
    return columns


def _least(columns: Columns[Row]) -> int:
    return sum(column.least + 1 for column in columns) - 1


def row_line(row: Row, columns: Sized[Row], ink: Ink, room: int) -> list[Piece]:
    """One row in these columns, in at most `room` cells."""
    pieces: list[Piece] = []
    for index, (column, width) in enumerate(columns):
        if index:
            pieces.append((" ", ink.palette.text))
        cell = column.cell(row, ink, width)
        if isinstance(cell, Span):
            return [*pieces, *clip(cell.line, room - length(pieces), ink.glyphs.cut)]
        text, style = cell
        pieces.append(((fit_right if column.right else fit)(text, width, ink.glyphs.cut), style))
    return pieces


def head_line(columns: Sized[Row], order: str, descending: bool, ink: Ink) -> list[Piece]:
    """The columns' titles; the one that orders the list carries an arrow."""
    pieces: list[Piece] = []
    for index, (column, width) in enumerate(columns):
        orders = bool(order) and column.order == order
        arrow = (ink.glyphs.down_arrow if descending else ink.glyphs.up) if orders else ""
        style = ink.palette.title if orders else ink.palette.faint
        title = column.title[: width - len(arrow)] + arrow
        blank = " " if index else ""
        pieces.append((blank + (fit_right(title, width) if column.right else set_cell_size(title, width)), style))
    return pieces


class TableMessage(Message):
    """Something happened in a table."""

    def __init__(self, table: Table[Any, Any]) -> None:
        super().__init__()
        self.table = table

    @property
    def control(self) -> Table[Any, Any]:
        """For `@on` with a selector, where a screen has several tables."""
        return self.table


class Table(Panel, Generic[Row, Key]):
    """Rows under a cursor, for keys and mouse. Those that inherit say which columns there are and what a row's key is.

    The cursor stays on its row by the row's key. While the table follows it stays at the start, whatever comes there.
    """

    can_focus = True

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
        self.rows: Rows[Row] = ()
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
        """Where the row with this key is."""
        for position in range(len(self.rows)):
            row = self.rows[position]
            if row is not None and self.key(row) == key:
                return position
        return None

    def mark(self, row: Row, ink: Ink) -> Piece:
        """What stands before the row; a blank leaves room for the cursor."""
        return " ", ink.palette.text

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
        return self._top, min(self._top + self.rows_high, len(self.rows)) - 1

    @property
    def orders(self) -> list[str]:
        """What the rows can be ordered by, as the columns stand."""
        return [column.order for column in self.layouts()[0] if column.order]

    @property
    def rows_high(self) -> int:
        """How many rows fit."""
        return max(self.size.height - self._rows_from - self._framed, 1)

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

    def begin(self, rows: Rows[Row]) -> None:
        """Another list is to come, which is shown from its start."""
        self.rows, self.position, self._top, self._read, self._was_empty = rows, 0, 0, False, True

    def show(self, rows: Rows[Row]) -> None:
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
        self._top = max(min(self._top, self.position - lead), self.position - high + 1 + lead)
        self._top = max(0, min(self._top, count - high))
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
        """Keep the cursor in view."""
        self._settle(self.position)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(_SCROLLED)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-_SCROLLED)

    def on_click(self, event: events.Click) -> None:
        """The cursor to the clicked row, or open it."""
        line = event.y - self._rows_from
        if not 0 <= line <= self.in_view[1] - self._top:
            return
        if self._top + line == self.position:
            self.post_message(self.Opened(self))
        else:
            self.to(self._top + line)

    # Picture

    @property
    def ink(self) -> Ink:
        return Ink(self.palette, self.glyphs, self.calendar, self.now)

    def content(self, width: int, height: int) -> list[Line]:
        """Heads and the visible rows."""
        ink, columns = self.ink, fitted(self.layouts(), width - 1)
        lines: list[Line] = [*self.above(width)]
        if self._has_heads:
            lines.append([(" ", ink.palette.faint), *head_line(columns, self.order, self.descending, ink)])
        if self.is_empty:
            lines.append([(f"  {self.nothing}", ink.palette.muted)])
        return [*lines, *self._row_lines(columns, ink, width)]

    def _row_lines(self, columns: Sized[Row], ink: Ink, width: int) -> Iterable[Line]:
        first, last = self.in_view
        for position in range(first, last + 1):
            row = self.rows[position]
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
