"""Sessions as rows: what each cost, how fast, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spendtop.tui import formats
from spendtop.tui.sessions.order import in_place, is_active, ordered, per_minute
from spendtop.tui.widgets.canvas import Piece
from spendtop.tui.widgets.columns import Column, Columns, Ink
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from spendtop.store.reads.sessions import SessionRow

_LEAST_RATE = 100_000
"""Nano-USD per minute that still have digits in a narrow column."""


class SessionTable(ListTable["SessionRow", str]):
    """While it follows, the order is always that of the newest figures and the cursor on top; else every row stays in
    its place."""

    def __init__(self) -> None:
        super().__init__("Sessions", id="session-table")
        self.rows: Sequence[SessionRow] = ()
        self.order = "last"
        self.following = True
        self.pending = 0
        """Sessions that began since the list stands still."""
        self._newest: Sequence[SessionRow] = ()

    def layouts(self) -> Sequence[Columns[SessionRow]]:
        return _LAYOUTS

    def key(self, row: SessionRow) -> str:
        return row.session.raw

    def mark(self, row: SessionRow, ink: Ink) -> Piece:
        return (ink.glyphs.live if is_active(row, ink.now) else " "), ink.palette.good

    def renew(self, rows: Sequence[SessionRow]) -> None:
        """Newer figures."""
        self._newest = rows
        if self.following:
            self.to_top()
        else:
            in_order, self.pending = in_place(self.rows, rows)
            self.show(in_order)

    def to_top(self) -> None:
        """All that is known in its order, and the cursor stays on top."""
        self.following, self.pending = True, 0
        self.show(ordered(self._newest, self.order, self.descending))
        self.post_message(self.Moved(self))

    def forget(self) -> None:
        """Another list is to come."""
        self.begin(())
        self._newest, self.pending, self.following = (), 0, True


def _name(row: SessionRow, ink: Ink, width: int) -> Piece:
    return str(row.session), ink.palette.strong if is_active(row, ink.now) else ink.palette.text


def _requests(row: SessionRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.spend.requests), ink.palette.text


def _cost(row: SessionRow, ink: Ink, width: int) -> Piece:
    if row.spend.requests and row.spend.requests == row.spend.unpriced:
        return "unpriced", ink.palette.unknown
    return formats.spend(row.spend), ink.palette.money


def _tokens(row: SessionRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.spend.tokens), ink.palette.text


def _rate(row: SessionRow, ink: Ink, width: int) -> Piece:
    if row.spend.requests == row.spend.unpriced:
        return formats.UNKNOWN, ink.palette.faint
    rate = per_minute(row)
    return "<$.0001" if 0 < rate.nano < _LEAST_RATE else str(rate), ink.palette.text


def _last(row: SessionRow, ink: Ink, width: int) -> Piece:
    style = ink.palette.good if is_active(row, ink.now) else ink.palette.muted
    return formats.age(max(ink.now - row.last_at, 0)), style


def _first(row: SessionRow, ink: Ink, width: int) -> Piece:
    return formats.age(max(ink.now - row.first_at, 0)), ink.palette.muted


def _first_time(row: SessionRow, ink: Ink, width: int) -> Piece:
    return formats.day_clock(row.first_at, ink.calendar), ink.palette.muted


def _last_time(row: SessionRow, ink: Ink, width: int) -> Piece:
    return formats.day_clock(row.last_at, ink.calendar), ink.palette.muted


def _models(row: SessionRow, ink: Ink, width: int) -> Piece:
    if not row.models:
        return formats.UNKNOWN, ink.palette.faint
    more = len(row.models) - 1
    return f"{formats.model(str(row.models[0]), 14)}{f' +{more}' if more else ''}", ink.palette.model


_NAME = Column("SESSION", 14, _name, wished=40, grows=True)
_REQUESTS = Column("REQ", 5, _requests, right=True, order="requests")
_COST = Column("COST", 11, _cost, right=True, order="cost")
_TOKENS = Column("TOKENS", 6, _tokens, rank=1, right=True, order="tokens")
_RATE = Column("$/MIN", 7, _rate, rank=2, right=True, order="$/min")
_MODELS = Column("MODELS", 13, _models, rank=4, grows=True)
_USUAL = (
    *(_NAME, _REQUESTS, _COST, _TOKENS, _RATE),
    Column("FIRST", 5, _first, rank=3, right=True, order="first"),
    Column("LAST", 5, _last, right=True, order="last"),
    _MODELS,
)
_WIDE = (
    *(_NAME, _REQUESTS, _COST, replace(_TOKENS, rank=0), replace(_RATE, rank=0)),
    Column("FIRST", 14, _first_time, right=True, order="first"),
    Column("LAST", 14, _last_time, right=True),
    Column("AGO", 5, _last, right=True, order="last"),
    replace(_MODELS, rank=0),
)
_LAYOUTS: Sequence[Columns[SessionRow]] = (_WIDE, _USUAL)
"""With whole times where there is room; else as many columns as leave room for the name."""
