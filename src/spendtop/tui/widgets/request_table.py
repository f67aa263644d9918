"""The list of requests: what stands in its columns, and its marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace
from rich.style import Style

from spendtop.domain.cost_words import bounded, equivalent_words, within
from spendtop.domain.requests.marks import marks
from spendtop.domain.requests.request import ServiceLevel, Status
from spendtop.domain.untrusted import Untrusted
from spendtop.tui import formats
from spendtop.tui.listing import Listing
from spendtop.tui.widgets.canvas import Line, Piece, fit_middle, length
from spendtop.tui.widgets.columns import Column, Columns, Ink
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from spendtop.domain.money import Usd
    from spendtop.store.reads.rows import RequestRow
    from spendtop.tui.widgets.time_groups import TimeGroup


class RequestList(ListTable["RequestRow", int]):
    heads_from = 8

    def __init__(self, title: str, *, id: str, has_keys: Callable[[], bool] = lambda: True) -> None:
        """`has_keys` says whether keys move its cursor, where they may belong to another pane."""
        super().__init__(title, id=id)
        self._has_keys = has_keys
        self.nothing = "nothing yet"
        self.rows: Listing = Listing()
        self.order = "time"
        self.marks: set[int] = set()
        self.groups: Mapping[int, TimeGroup] = {}
        """By the position of their first row, over which their sums are written."""
        self._with_day = False
        """Whether times carry their day: where one in view is of another day, and from then on until the start is in
        view again, so that columns do not jump."""

    @property
    def lights_cursor(self) -> bool:
        return self._has_keys()

    def layouts(self) -> Sequence[Columns[RequestRow]]:
        first, last = self.in_view
        today = self.calendar.local(self.face.session.clock()).date()
        rows = (self.rows[position] for position in range(first, last + 1))
        other_days = any(self.calendar.local(row.occurred_at).date() != today for row in rows if row)
        self._with_day = other_days or (self._with_day and last >= 0 and not first <= self.start <= last)
        return WITH_DAY if self._with_day else LAYOUTS

    def key(self, row: RequestRow) -> int:
        return row.id

    def position_of(self, key: int) -> int | None:
        return self.rows.position_of(key)

    def mark(self, row: RequestRow, ink: Ink) -> Piece:
        return (ink.glyphs.marked if row.id in self.marks else " "), ink.palette.mark

    @property
    def start(self) -> int:
        return self.rows.start

    def has_divider(self, position: int) -> bool:
        return position in self.groups

    def divider(self, position: int, ink: Ink, width: int) -> Line:
        """The sums of the group that begins here."""
        group, across, edge = self.groups[position], ink.glyphs.across, ink.palette.line
        when = " ".join(([group.day] if self._with_day or not group.clock else []) + [group.clock])
        words = f" {ink.glyphs.between} ".join((when.strip(), *group.words))
        line: list[Piece] = [(f"{across} ", edge), (words, ink.palette.muted), (" ", edge)]
        return [*line, (across * max(width - length(line), 0), edge)]


def status_word(row: RequestRow) -> str:
    """The HTTP status, or the state's first letters; `!` marks a failure, `~` a cancelled request."""
    sign = {Status.OK: "", Status.ERROR: "!", Status.CANCELLED: "~"}[row.status]
    word = {Status.OK: "ok", Status.ERROR: "err", Status.CANCELLED: "can"}[row.status]
    return sign + (str(row.http_status) if row.http_status is not None else word)


def cost_word(row: RequestRow, write: Callable[[Usd], str] = str) -> str:
    """The cost, or why there is none; `>=` where not all output is known. A cost in parentheses is in no total, nor is
    what a plan's usage would cost."""
    amount, write = row.cost.amount, bounded(write, row.output_final)
    if row.is_plan:
        return equivalent_words(row.cost.api_equivalent, write)
    if row.cached and not (amount and amount.nano):
        return "cached"
    if amount is None:
        return "unpriced"
    return write(amount) if row.counted else f"({write(amount)})"


def signs(row: RequestRow) -> str:
    """What stands behind the cost in a list: `+` for a partial one."""
    return "".join(mark.sign for mark in marks(row.cost, row.probable_twin_of))


def _time(row: RequestRow, ink: Ink, width: int) -> Piece:
    if width < _CLOCK:
        text = formats.minute(row.occurred_at, ink.calendar)
    elif width < _DAY_CLOCK:
        text = formats.clock(row.occurred_at, ink.calendar)
    else:
        text = formats.day_clock(row.occurred_at, ink.calendar)
    return text, ink.palette.faint if row.time_suspect else ink.palette.muted


def _named(text: Untrusted | None, ink: Ink, style: Style, width: int) -> Piece:
    """Cut in its middle where it has to be."""
    return (fit_middle(str(text), width, ink.glyphs.cut), style) if text else ("-", ink.palette.faint)


def _who(row: RequestRow, ink: Ink, width: int) -> Piece:
    return _named(row.user_id, ink, ink.palette.who, width)


def _model(row: RequestRow, ink: Ink, width: int) -> Piece:
    """With the service level where it is not the standard one and there is room."""
    if not row.model:
        return "-", ink.palette.faint
    with_level = f"{row.model} ({row.service_level})"
    if row.service_level not in (None, ServiceLevel.STANDARD) and len(with_level) <= width:
        return with_level, ink.palette.model
    return fit_middle(formats.model(str(row.model), width), width, ink.glyphs.cut), ink.palette.model


def _input(row: RequestRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.usage.prompt), ink.palette.text


def _output(row: RequestRow, ink: Ink, width: int) -> Piece:
    """A lower bound says so where there is room; its cost always does."""
    count = formats.count(row.usage.completion)
    bound = bounded(formats.count, row.output_final)(row.usage.completion)
    return bound if row.usage.completion is not None and len(bound) <= width else count, ink.palette.text


def _tokens(row: RequestRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.usage.total), ink.palette.text


def _cache(row: RequestRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.usage.cache_read or None), ink.palette.muted


def _cost(row: RequestRow, ink: Ink, width: int) -> Piece:
    behind, palette = signs(row), ink.palette
    room = width - len(behind)
    room_for_amount = (room if row.counted else room - 2) - (0 if row.output_final else 2)
    word = cost_word(row, lambda amount: within(amount, room_for_amount))
    if word == "cached":
        return word, palette.cached
    if word == "unpriced":
        return f"{word if len(word) <= room else 'unpr'}{behind}", palette.unknown
    style = palette.warn if row.cost.doubtful else palette.money
    return f"{word}{behind}", style if row.counted else palette.muted


def _status(row: RequestRow, ink: Ink, width: int) -> Piece:
    styles = {Status.OK: ink.palette.good, Status.ERROR: ink.palette.bad, Status.CANCELLED: ink.palette.warn}
    return status_word(row), styles[row.status]


def _latency(row: RequestRow, ink: Ink, width: int) -> Piece:
    return formats.latency(row.latency_ms), ink.palette.muted


def _token(row: RequestRow, ink: Ink, width: int) -> Piece:
    return _named(row.token_label, ink, ink.palette.muted, width)


def _session(row: RequestRow, ink: Ink, width: int) -> Piece:
    return _named(row.session_id, ink, ink.palette.muted, width)


def _path(row: RequestRow, ink: Ink, width: int) -> Piece:
    return _named(row.session_path, ink, ink.palette.muted, width)


def _first_token(row: RequestRow, ink: Ink, width: int) -> Piece:
    return formats.latency(row.ttft_ms), ink.palette.muted


def _reasoning(row: RequestRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.usage.reasoning or None), ink.palette.muted


def _provider(row: RequestRow, ink: Ink, width: int) -> Piece:
    return _named(row.provider, ink, ink.palette.muted, width)


def _source(row: RequestRow, ink: Ink, width: int) -> Piece:
    return row.source, ink.palette.muted


def _properties(row: RequestRow, ink: Ink, width: int) -> Piece:
    pairs = " ".join(f"{name}={value}" for name, value in row.properties.items())
    return (str(Untrusted(pairs)), ink.palette.muted) if pairs else ("-", ink.palette.faint)


_CLOCK, _DAY_CLOCK = 8, 14
"""Widths of a time, and of one with its day."""
_TIME = Column("TIME", _CLOCK, _time, order="time")
_COST = Column("COST", 9, _cost, wished=10, right=True, order="cost")
_STATUS = Column("ST", 4, _status, right=True, order="status")
_LATENCY = Column("LAT", 5, _latency, right=True, order="latency")
_REST = (
    Column("USER", 9, _who, wished=14, order="user"),
    Column("MODEL", 15, _model, wished=26, order="model"),
    Column("IN", 5, _input, right=True, order="tokens"),
    Column("OUT", 5, _output, wished=7, right=True),
    Column("CACHE", 5, _cache, wished=6, rank=3, right=True),
    _COST,
    _STATUS,
    _LATENCY,
    Column("TOKEN", 6, _token, wished=12, rank=4),
    Column("SESSION", 8, _session, wished=18, rank=2),
    Column("PATH", 12, _path, wished=24, rank=1, grows=True),
)
_WIDE = (
    Column("USER", 12, _who, wished=14, order="user"),
    Column("MODEL", 22, _model, wished=26, order="model"),
    Column("IN", 5, _input, right=True, order="tokens"),
    Column("OUT", 7, _output, right=True),
    Column("CACHE", 6, _cache, right=True),
    Column("REASON", 6, _reasoning, rank=4, right=True),
    replace(_COST, least=10),
    _STATUS,
    _LATENCY,
    Column("TTFT", 5, _first_token, rank=1, right=True),
    Column("PROVIDER", 9, _provider, wished=12, rank=2),
    Column("TOKEN", 10, _token, wished=14),
    Column("SESSION", 14, _session, wished=20),
    Column("PATH", 15, _path, wished=30, grows=True),
    Column("SOURCE", 12, _source, wished=14, rank=3),
    Column("PROPERTIES", 16, _properties, wished=24, rank=5, grows=True),
)
"""Where there is more room than those need: how the time went, who bills, who reported it, and its properties."""
_TIGHT: Columns[RequestRow] = (
    Column("TIME", 5, _time, wished=_CLOCK, order="time"),
    Column("USER", 4, _who, wished=8, order="user"),
    Column("MODEL", 6, _model, wished=14, order="model"),
    Column("TOK", 5, _tokens, right=True, order="tokens"),
    Column("COST", 7, _cost, wished=9, right=True, order="cost"),
    _STATUS,
    _LATENCY,
)
"""Where not even the seven fit: input and output tokens are one figure."""
LAYOUTS: Sequence[Columns[RequestRow]] = ((_TIME, *_WIDE), (_TIME, *_REST), _TIGHT)
"""Time, who, model, tokens, cost, status and latency never disappear."""
_DAY_TIME = replace(_TIME, least=_DAY_CLOCK)
WITH_DAY: Sequence[Columns[RequestRow]] = ((_DAY_TIME, *_WIDE), (_DAY_TIME, *_REST), _TIGHT)
"""With the day of each time, because not all that are shown are of today."""
