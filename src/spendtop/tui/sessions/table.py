"""Sessions as rows: what each cost, how fast, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.sessions.order import in_place, is_active, ordered, per_minute
from spendtop.tui.widgets.canvas import Line, Piece, fit, fit_right, laid_over, length
from spendtop.tui.widgets.cursor_panel import CursorPanel

if TYPE_CHECKING:
    from spendtop.store.reads.sessions import SessionRow

_LEAST_NAME, _MOST_NAME = 14, 40
_LEAST_RATE = 100_000
"""Nano-USD per minute that still have digits in a narrow column."""


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    width: int
    cell: Callable[[SessionRow, SessionTable], Piece]
    rank: int = 0
    """Columns of rank 0 stay; others go, the highest rank first."""
    right: bool = True
    order: str = ""


class SessionTable(CursorPanel):
    """Rows with a cursor. While it follows, the order is always that of the newest figures and the cursor on top; else
    every row stays where it is."""

    rows_around = 2
    position = 0
    """Kept, and not found from a row: while the list follows, the cursor stays on top."""

    class Moved(Message):
        """The cursor is on another session."""

    class Opened(CursorPanel.Opened):
        """A session was clicked that had the cursor already."""

    def __init__(self) -> None:
        super().__init__(id="session-table")
        self.rows: list[SessionRow] = []
        self.calendar = Calendar()
        self.now = 0
        self.order, self.descending = "last", True
        self.following = True
        self.pending = 0
        """Sessions that began since the list stands still."""
        self.subtitle: Line = ()
        self.nothing = ""
        self._newest: Sequence[SessionRow] = ()

    @property
    def title_line(self) -> Line:
        """The title, then which ones."""
        return [("Sessions", self.palette.title), *self.subtitle]

    @property
    def row(self) -> SessionRow | None:
        """What the cursor is on."""
        return self.rows[self.position] if self.position < len(self.rows) else None

    @property
    def row_count(self) -> int:
        """All rows, in view or not."""
        return len(self.rows)

    def show(self, rows: Sequence[SessionRow]) -> None:
        """Newer figures."""
        self._newest = rows
        if self.following:
            self.rearrange()
            return
        here = self.row
        self.rows, self.pending = in_place(self.rows, rows)
        if here is not None:
            places = {row.session.raw: place for place, row in enumerate(self.rows)}
            moved = places.get(here.session.raw, self.position) - self.position
            self.position += moved
            self._top += moved
        self._settle()

    def rearrange(self) -> None:
        """All that is known in its order, the cursor where it is in the list."""
        self.rows, self.pending = ordered(self._newest, self.order, self.descending), 0
        self._settle()

    def forget(self) -> None:
        """Another list is to come."""
        self.rows, self._newest, self.position, self.pending, self.following = [], (), 0, 0, True

    def to(self, position: int) -> None:
        """Put the cursor there. Off the first row the list stands still."""
        self.position = position
        self._settle()
        self.following = self.following and self.position == 0

    def _settle(self) -> None:
        self.position = max(0, min(self.position, len(self.rows) - 1))
        self.post_message(self.Moved())
        super()._settle()

    def content(self, width: int, height: int) -> list[Line]:
        """Heads and the visible rows."""
        columns = _columns(width)
        name = width - 1 - sum(column.width + 1 for column in columns)
        spare = max(name - _MOST_NAME, 0) if columns[-1].title == _MODELS else 0
        widths = [column.width + (spare if column.title == _MODELS else 0) for column in columns]
        name -= spare
        lines: list[Line] = [self._heads(columns, widths, name)]
        if not self.rows:
            lines.append([(f"  {self.nothing}", self.palette.muted)])
        for place, row in list(enumerate(self.rows))[self._top : self._top + height - 1]:
            active = is_active(row, self.now)
            line: list[Piece] = [
                (self.glyphs.live if active else " ", self.palette.good),
                (fit(str(row.session), name, self.glyphs.cut), self.palette.strong if active else self.palette.text),
            ]
            for column, size in zip(columns, widths, strict=True):
                text, style = column.cell(row, self)
                text = fit_right(text, size) if column.right else fit(text, size, self.glyphs.cut)
                line.append((" " + text, style))
            if place == self.position:
                line[0] = (self.glyphs.live if active else self.glyphs.cursor, self.palette.mark)
                line = laid_over(line, self.palette.cursor, max(width, length(line)))
            lines.append(line)
        return lines

    def _heads(self, columns: Sequence[_Column], widths: Sequence[int], name: int) -> list[Piece]:
        heads: list[Piece] = [(" " + fit("SESSION", name, ""), self.palette.faint)]
        arrow = self.glyphs.down_arrow if self.descending else self.glyphs.up
        for column, size in zip(columns, widths, strict=True):
            orders = column.order == self.order
            title = column.title + arrow if orders else column.title
            title = fit_right(title, size, "") if column.right else fit(title, size, "")
            heads.append((" " + title, self.palette.title if orders else self.palette.faint))
        return heads


def _columns(width: int) -> list[_Column]:
    """With whole times where there is room; else as many as leave room for the name."""
    if _least(_WIDE) <= width:
        return list(_WIDE)
    fitting = list(_USUAL)
    while _least(fitting) > width and any(column.rank for column in fitting):
        fitting.remove(max(fitting, key=lambda column: column.rank))
    return fitting


def _least(columns: Sequence[_Column]) -> int:
    return sum(column.width + 1 for column in columns) + _LEAST_NAME + 1


def _requests(row: SessionRow, table: SessionTable) -> Piece:
    return formats.count(row.spend.requests), table.palette.text


def _cost(row: SessionRow, table: SessionTable) -> Piece:
    if row.spend.requests and row.spend.requests == row.spend.unpriced:
        return "unpriced", table.palette.unknown
    return formats.spend(row.spend), table.palette.money


def _tokens(row: SessionRow, table: SessionTable) -> Piece:
    return formats.count(row.spend.tokens), table.palette.text


def _rate(row: SessionRow, table: SessionTable) -> Piece:
    if row.spend.requests == row.spend.unpriced:
        return formats.UNKNOWN, table.palette.faint
    rate = per_minute(row)
    return "<$.0001" if 0 < rate.nano < _LEAST_RATE else str(rate), table.palette.text


def _last(row: SessionRow, table: SessionTable) -> Piece:
    style = table.palette.good if is_active(row, table.now) else table.palette.muted
    return formats.age(max(table.now - row.last_at, 0)), style


def _first(row: SessionRow, table: SessionTable) -> Piece:
    return formats.age(max(table.now - row.first_at, 0)), table.palette.muted


def _first_time(row: SessionRow, table: SessionTable) -> Piece:
    return formats.day_clock(row.first_at, table.calendar), table.palette.muted


def _last_time(row: SessionRow, table: SessionTable) -> Piece:
    return formats.day_clock(row.last_at, table.calendar), table.palette.muted


def _models(row: SessionRow, table: SessionTable) -> Piece:
    if not row.models:
        return formats.UNKNOWN, table.palette.faint
    more = len(row.models) - 1
    return f"{formats.model(str(row.models[0]), 14)}{f' +{more}' if more else ''}", table.palette.model


_MODELS = "MODELS"
_REQUESTS = _Column("REQ", 5, _requests, order="requests")
_COST = _Column("COST", 11, _cost, order="cost")
_TOKENS = _Column("TOKENS", 6, _tokens, rank=1, order="tokens")
_RATE = _Column("$/MIN", 7, _rate, rank=2, order="$/min")
_AGE = _Column("LAST", 5, _last, order="last")
_NAMES = _Column(_MODELS, 13, _models, rank=4, right=False)
_USUAL = (_REQUESTS, _COST, _TOKENS, _RATE, _Column("FIRST", 5, _first, rank=3, order="first"), _AGE, _NAMES)
_WIDE = (
    _REQUESTS,
    _COST,
    _TOKENS,
    _RATE,
    _Column("FIRST", 14, _first_time, order="first"),
    _Column("LAST", 14, _last_time),
    _Column("AGO", 5, _last, order="last"),
    _NAMES,
)
