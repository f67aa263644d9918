"""Which columns of a request fit, how wide they are, and what stands in them.

Seven never disappear: time, who, model, tokens, cost, status, latency.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.style import Style

from spendtop.domain.request import Status
from spendtop.tui import formats
from spendtop.tui.glyphs import Glyphs
from spendtop.tui.palette import Palette
from spendtop.tui.widgets.canvas import Line, Piece, fit, fit_right

if TYPE_CHECKING:
    from spendtop.domain.untrusted import Untrusted
    from spendtop.domain.windows import Calendar
    from spendtop.store.reads.rows import RequestRow


@dataclass(frozen=True, slots=True)
class Ink:
    """What cells are drawn with."""

    palette: Palette
    glyphs: Glyphs
    calendar: Calendar
    with_day: bool = False
    """Whether times carry their day, because not all shown are of today."""


Cell = Callable[["RequestRow", Ink, int], Piece]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its least and its wished width, and when it may go."""

    name: str
    title: str
    least: int
    wished: int
    cell: Cell
    rank: int = 0
    """Columns of rank 0 stay; others go, the highest rank first."""
    right: bool = False
    order: str | None = None
    """The order that it stands for."""


def columns_for(width: int, with_day: bool) -> list[tuple[Column, int]]:
    """The columns that fit into `width` cells with one blank between, and their widths.

    What the requests hold does not matter, so that columns stay where they are while requests arrive.
    """
    columns = [DAY_TIME if column is TIME and with_day else column for column in COLUMNS]
    for rank in range(max(column.rank for column in columns), 0, -1):
        if _least(columns) <= width:
            break
        columns = [column for column in columns if column.rank != rank]
    if _least(columns) > width:
        columns = list(TIGHT)
    widths = [column.least for column in columns]
    spare = width - _least(columns)
    while spare > 0 and any(have < column.wished for have, column in zip(widths, columns, strict=True)):
        for index, column in enumerate(columns):
            if spare > 0 and widths[index] < column.wished:
                widths[index] += 1
                spare -= 1
    if spare > 0 and columns[-1].rank:
        widths[-1] += spare
    return list(zip(columns, widths, strict=True))


def _least(columns: Sequence[Column]) -> int:
    return sum(column.least + 1 for column in columns) - 1


def row_line(row: RequestRow, columns: list[tuple[Column, int]], ink: Ink) -> list[Piece]:
    """One request in these columns."""
    pieces: list[Piece] = []
    for index, (column, width) in enumerate(columns):
        text, style = column.cell(row, ink, width)
        if index:
            pieces.append((" ", ink.palette.text))
        pieces.append((fit_right(text, width) if column.right else fit(text, width), style))
    return pieces


def head_line(columns: list[tuple[Column, int]], order: str, descending: bool, ink: Ink) -> Line:
    """The columns' titles; the one that orders the list carries an arrow."""
    pieces: list[Piece] = []
    arrow = ink.glyphs.down_arrow if descending else ink.glyphs.up
    for index, (column, width) in enumerate(columns):
        orders = column.order == order
        title = column.title + arrow if orders else column.title
        style = ink.palette.title if orders else ink.palette.faint
        if index:
            pieces.append((" ", style))
        pieces.append((fit_right(title, width, "") if column.right else fit(title, width, ""), style))
    return pieces


def status_word(row: RequestRow) -> str:
    """The HTTP status, or the state's first letters; `!` marks a failure, `~` a cancelled request."""
    sign = {Status.OK: "", Status.ERROR: "!", Status.CANCELLED: "~"}[row.status]
    word = {Status.OK: "ok", Status.ERROR: "err", Status.CANCELLED: "can"}[row.status]
    return sign + (str(row.http_status) if row.http_status is not None else word)


def cost_word(row: RequestRow) -> str:
    """The cost, or why there is none. A cost in parentheses is in no total."""
    amount = row.cost.amount
    if row.cached and not (amount and amount.nano):
        return "cached"
    if amount is None:
        return "unpriced"
    return str(amount) if row.counted else f"({amount})"


def _time(row: RequestRow, ink: Ink, width: int) -> Piece:
    if width < 8:
        text = formats.minute(row.occurred_at, ink.calendar)
    elif ink.with_day:
        text = formats.day_clock(row.occurred_at, ink.calendar)
    else:
        text = formats.clock(row.occurred_at, ink.calendar)
    return text, ink.palette.faint if row.time_suspect else ink.palette.muted


def _named(text: Untrusted | None, ink: Ink, style: Style) -> Piece:
    return (str(text), style) if text else ("-", ink.palette.faint)


def _who(row: RequestRow, ink: Ink, width: int) -> Piece:
    return _named(row.user_id, ink, ink.palette.who)


def _model(row: RequestRow, ink: Ink, width: int) -> Piece:
    text, style = _named(row.model, ink, ink.palette.model)
    return formats.model(text, width), style


def _input(row: RequestRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.usage.prompt), ink.palette.text


def _output(row: RequestRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.usage.completion), ink.palette.text


def _tokens(row: RequestRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.usage.total), ink.palette.text


def _cache(row: RequestRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.usage.cache_read or None), ink.palette.muted


def _cost(row: RequestRow, ink: Ink, width: int) -> Piece:
    word, palette = cost_word(row), ink.palette
    if word == "cached":
        return word, palette.cached
    if word == "unpriced":
        return (word if width >= 8 else "unpr"), palette.unknown
    return word, palette.money if row.counted else palette.muted


def _status(row: RequestRow, ink: Ink, width: int) -> Piece:
    styles = {Status.OK: ink.palette.good, Status.ERROR: ink.palette.bad, Status.CANCELLED: ink.palette.warn}
    return status_word(row), styles[row.status]


def _latency(row: RequestRow, ink: Ink, width: int) -> Piece:
    return formats.latency(row.latency_ms), ink.palette.muted


def _token(row: RequestRow, ink: Ink, width: int) -> Piece:
    return _named(row.token, ink, ink.palette.muted)


def _session(row: RequestRow, ink: Ink, width: int) -> Piece:
    return _named(row.session_id, ink, ink.palette.muted)


def _path(row: RequestRow, ink: Ink, width: int) -> Piece:
    return _named(row.session_path, ink, ink.palette.muted)


TIME = Column("time", "TIME", 8, 8, _time, order="time")
DAY_TIME = Column("time", "TIME", 14, 14, _time, order="time")
COLUMNS = (
    TIME,
    Column("who", "USER", 9, 14, _who),
    Column("model", "MODEL", 15, 26, _model),
    Column("in", "IN", 5, 5, _input, right=True, order="tokens"),
    Column("out", "OUT", 5, 5, _output, right=True),
    Column("cache", "CACHE", 5, 6, _cache, rank=3, right=True),
    Column("cost", "COST", 9, 10, _cost, right=True, order="cost"),
    Column("status", "ST", 4, 4, _status, right=True),
    Column("latency", "LAT", 5, 5, _latency, right=True, order="latency"),
    Column("token", "TOKEN", 6, 12, _token, rank=4),
    Column("session", "SESSION", 8, 18, _session, rank=2),
    Column("path", "PATH", 12, 24, _path, rank=1),
)
TIGHT = (
    Column("time", "TIME", 5, 8, _time, order="time"),
    Column("who", "USER", 4, 8, _who),
    Column("model", "MODEL", 6, 14, _model),
    Column("tokens", "TOK", 5, 5, _tokens, right=True, order="tokens"),
    Column("cost", "COST", 7, 9, _cost, right=True, order="cost"),
    Column("status", "ST", 4, 4, _status, right=True),
    Column("latency", "LAT", 5, 5, _latency, right=True, order="latency"),
)
"""Where not even the seven fit: input and output tokens are one figure."""
