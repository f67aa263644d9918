"""Columns of a table: which ones fit, how wide they are, and what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct
from rich.cells import set_cell_size

from spendtop.domain.windows import Calendar
from spendtop.tui.glyphs import Glyphs
from spendtop.tui.palette import Palette
from spendtop.tui.widgets.canvas import Line, Piece, clip, fit, fit_right, length

Row = TypeVar("Row")


class Ink(Struct, frozen=True):
    """What cells are drawn with."""

    palette: Palette
    glyphs: Glyphs
    calendar: Calendar
    now: int = 0
    """Of the figures, in UTC µs."""


class SpanningCell(Struct, frozen=True):
    """Words that run from their column to the edge, in place of all further cells."""

    line: Line


class Column(Struct, Generic[Row], frozen=True):
    """One column: what stands in it, how wide it is, and when it may go."""

    title: str
    least: int
    cell: Callable[[Row, Ink, int], Piece | SpanningCell]
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

    @property
    def narrowest(self) -> int:
        """The least, also with the arrow behind the title of one that may order."""
        return max(self.least, len(self.title) + 1) if self.order else self.least


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
    widths = [column.narrowest for column in columns]
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
    return sum(column.narrowest + 1 for column in columns) - 1


def row_line(row: Row, columns: Sized[Row], ink: Ink, room: int) -> list[Piece]:
    """One row in these columns, in at most `room` cells."""
    pieces: list[Piece] = []
    for index, (column, width) in enumerate(columns):
        if index:
            pieces.append((" ", ink.palette.text))
        cell = column.cell(row, ink, width)
        if isinstance(cell, SpanningCell):
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
        title = column.title + arrow
        blank = " " if index else ""
        pieces.append((blank + (fit_right(title, width) if column.right else set_cell_size(title, width)), style))
    return pieces
