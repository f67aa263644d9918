"""Sessions as rows: what each cost, how fast and when; and the order, which stands still while somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.clock import MINUTE, age
from spendtop.domain.cost_words import bounded, within
from spendtop.domain.model_names import family
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import Piece, fit, fit_middle
from spendtop.tui.widgets.columns import Column, Columns, Ink, fitted
from spendtop.tui.widgets.gauge import gauge
from spendtop.tui.widgets.sparkline import spark
from spendtop.tui.widgets.spend_columns import cost_cell, plan_cell
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from spendtop.store.reads.sessions.sessions import SessionRow


def per_minute(row: SessionRow) -> Usd:
    """Cost per minute from its first to its last request; one shorter than a minute is taken as a minute long."""
    return per_minute_of(row.spend.cost + row.plan.cost, row.first_at, row.last_at)


def per_minute_of(cost: Usd, first_at: int, last_at: int) -> Usd:
    """The same of any cost between two instants (UTC µs)."""
    return Usd(cost.nano * MINUTE // max(last_at - first_at, MINUTE))


_TREND = "TREND"
_AROUND = 5
"""Frame, blanks and mark beside the columns."""

ORDERS: Mapping[str, Callable[[SessionRow], int]] = {
    "last": lambda row: row.last_at,
    "first": lambda row: row.first_at,
    "cost": lambda row: row.spend.cost.nano,
    "plan": lambda row: row.plan.cost.nano,
    "requests": lambda row: row.spend.requests + row.plan.requests,
    "tokens": lambda row: row.spend.tokens + row.plan.tokens,
    "$/min": lambda row: per_minute(row).nano,
}
"""What sessions can be ordered by."""


def ordered(rows: Sequence[SessionRow], order: str, descending: bool) -> list[SessionRow]:
    return sorted(rows, key=lambda row: (ORDERS[order](row), row.session.raw), reverse=descending)


def in_place(shown: Sequence[SessionRow], rows: Sequence[SessionRow]) -> tuple[list[SessionRow], int]:
    """Newer figures for the sessions that are shown, each in its place, older sessions after them, and how many have
    begun since and are left out."""
    newer = {row.session.raw: row for row in rows}
    kept = [newer.pop(row.session.raw) for row in shown if row.session.raw in newer]
    begun_from = max((row.first_at for row in kept), default=0)
    older = [row for row in newer.values() if row.first_at <= begun_from]
    return [*kept, *older], len(newer) - len(older)


class RowTrend(Struct, frozen=True):
    """What a row's session cost in the parts of its life, in nano-USD."""

    row: SessionRow
    costs: Sequence[int]


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
        self.looping: frozenset[str] = frozenset()
        """Ids of the sessions that look like loops."""
        self.trends: dict[str, RowTrend] = {}
        """By the session's id, as far as they were read."""

    def layouts(self) -> Sequence[Columns[SessionRow]]:
        state = Column("STATE", 7, self._state, rank=2)
        duration = Column("FOR", 5, self._duration, wished=14, rank=7, right=True)
        trend = Column(_TREND, 6, self._trend, wished=16, rank=6)
        return tuple((layout[0], state, *self._money(layout[1:-1]), duration, trend, layout[-1]) for layout in _LAYOUTS)

    @property
    def has_trends(self) -> bool:
        """Whether there is room for them."""
        return any(column.title == _TREND for column, _ in fitted(self.layouts(), self.size.width - _AROUND))

    def _money(self, columns: Columns[SessionRow]) -> Iterator[Column[SessionRow]]:
        """Beside the cost what calls under a plan would have cost, where there are some; alone where all are."""
        has_plan = any(row.plan.requests for row in self._newest)
        has_spend = not has_plan or any(row.spend.requests for row in self._newest)
        for column in columns:
            if column is not _COST or has_spend:
                yield column
            if column is _COST and has_plan:
                yield _PLAN

    def _state(self, row: SessionRow, ink: Ink, width: int) -> Piece:
        state, palette = row.state(ink.now, self.looping), ink.palette
        styles = {"running": palette.good, "idle": palette.faint}
        return ("loop?" if state.value == "loop" else state.value), styles.get(state.value, palette.bad)

    def _duration(self, row: SessionRow, ink: Ink, width: int) -> Piece:
        """With more room behind a bar, as long as it is beside the longest one."""
        words, room = formats.span(_length(row)), width - 6
        longest = max(map(_length, self._newest), default=0)
        if room < 1 or not longest:
            return words, ink.palette.muted
        style = ink.palette.chart
        (bar, _), *_ = gauge(_length(row) / longest, room, style, style, style, ink.glyphs)
        return f"{fit(bar, room)} {words:>5}", style

    def _trend(self, row: SessionRow, ink: Ink, width: int) -> Piece:
        """That of the row as it stood before, until its own is read."""
        known = self.trends.get(row.session.raw)
        if known is None:
            return ink.glyphs.wait, ink.palette.faint
        return spark(known.costs, width, ink.glyphs), ink.palette.chart

    def key(self, row: SessionRow) -> str:
        return row.session.raw

    def mark(self, row: SessionRow, ink: Ink) -> Piece:
        marks = {"loop": "!", "failed": ink.glyphs.bad, "running": ink.glyphs.live, "idle": " "}
        state = row.state(ink.now, self.looping).value
        return marks[state], ink.palette.good if state == "running" else ink.palette.bad

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
        self._newest, self.pending, self.following, self.trends = (), 0, True, {}


def _name(row: SessionRow, ink: Ink, width: int) -> Piece:
    name = fit_middle(str(row.session), width, ink.glyphs.cut)
    return name, ink.palette.strong if row.is_active(ink.now) else ink.palette.text


def _rate(row: SessionRow, ink: Ink, width: int) -> Piece:
    """At least that where not all costs are known."""
    whole, is_plan = row.spend + row.plan, bool(row.plan.requests)
    if whole.known_cost is None:
        return formats.UNKNOWN, ink.palette.faint
    room = width - is_plan - 2 * bool(whole.unpriced)
    pace = bounded(partial(within, width=room), not whole.unpriced)(per_minute(row))
    return f"{'~' * is_plan}{pace}", ink.palette.plan if is_plan else ink.palette.text


def _requests(row: SessionRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.spend.requests + row.plan.requests), ink.palette.text


def _tokens(row: SessionRow, ink: Ink, width: int) -> Piece:
    return formats.count(row.spend.tokens + row.plan.tokens), ink.palette.text


def _last(row: SessionRow, ink: Ink, width: int) -> Piece:
    style = ink.palette.good if row.is_active(ink.now) else ink.palette.muted
    return age(max(ink.now - row.last_at, 0)), style


def _first(row: SessionRow, ink: Ink, width: int) -> Piece:
    return age(max(ink.now - row.first_at, 0)), ink.palette.muted


def _first_time(row: SessionRow, ink: Ink, width: int) -> Piece:
    return formats.day_clock(row.first_at, ink.calendar), ink.palette.muted


def _last_time(row: SessionRow, ink: Ink, width: int) -> Piece:
    return formats.day_clock(row.last_at, ink.calendar), ink.palette.muted


def _models(row: SessionRow, ink: Ink, width: int) -> Piece:
    if not row.models:
        return formats.UNKNOWN, ink.palette.faint
    families = [Untrusted(name) for name in dict.fromkeys(family(model.raw) for model in row.models)]
    return f"{formats.model(str(families[0]), 14)}{_and_more(families)}", ink.palette.model


def _users(row: SessionRow, ink: Ink, width: int) -> Piece:
    """One of them, cut in its middle where it has to be, and how many more."""
    if not row.users:
        return formats.UNKNOWN, ink.palette.faint
    more = _and_more(row.users)
    return f"{fit_middle(str(row.users[0]), width - len(more), ink.glyphs.cut).rstrip()}{more}", ink.palette.who


def _and_more(names: Sequence[Untrusted]) -> str:
    return f" +{len(names) - 1}" if len(names) > 1 else ""


def _length(row: SessionRow) -> int:
    """µs from its first to its last request."""
    return row.last_at - row.first_at


_NAME = Column("SESSION", 12, _name, wished=40, grows=True)
_REQUESTS: Column[SessionRow] = Column("REQ", 5, _requests, right=True, order="requests")
_COST: Column[SessionRow] = Column("COST", 11, cost_cell, right=True, order="cost")
_PLAN: Column[SessionRow] = Column("PLAN", 10, plan_cell, right=True, order="plan")
_TOKENS: Column[SessionRow] = Column("TOKENS", 6, _tokens, rank=4, right=True, order="tokens")
_RATE = Column("$/MIN", 7, _rate, rank=3, right=True, order="$/min")
_MODELS = Column("MODELS", 13, _models, rank=8, grows=True)
_USER = Column("USER", 8, _users, wished=16, rank=1)
_USUAL = (
    *(_NAME, _USER, _REQUESTS, _COST, _TOKENS, _RATE),
    Column("FIRST", 5, _first, rank=5, right=True, order="first"),
    Column("LAST", 5, _last, right=True, order="last"),
    _MODELS,
)
_WIDE = (
    *(_NAME, _USER, _REQUESTS, _COST, replace(_TOKENS, rank=0), replace(_RATE, rank=0)),
    Column("FIRST", 14, _first_time, right=True, order="first"),
    Column("LAST", 14, _last_time, right=True),
    Column("AGO", 5, _last, right=True, order="last"),
    replace(_MODELS, rank=0),
)
_LAYOUTS: Sequence[Columns[SessionRow]] = (_WIDE, _USUAL)
"""With whole times where there is room; else as many columns as leave room for the name."""
