"""Every source, the tracking tokens below the one that they belong to, and what is polled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING

from rich.style import Style
from textual.message import Message

from spendtop.domain.sources import HELICONE, INGEST, PushedSource
from spendtop.domain.windows import Calendar
from spendtop.tui import formats
from spendtop.tui.palette import Palette
from spendtop.tui.sources.state import State, is_open, poller_state, source_state, token_state
from spendtop.tui.widgets.canvas import Line, Piece, fit, fit_right, laid_over, length
from spendtop.tui.widgets.cursor_panel import CursorPanel

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from spendtop.services.tasks import Task
    from spendtop.store.reads.applied_config import Doors
    from spendtop.store.reads.sources import SourceRow, Sources, TokenRow
    from spendtop.tui.sources.polled_rows import PolledRow
    from spendtop.tui.sources.questions import SourcesAnswer

    Row = SourceRow | TokenRow | PolledRow

RowKey = tuple[str, str]
"""`source`, `token` or `poller`, and which one."""


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    width: int
    cell: Callable[[SourceRow | TokenRow, SourceTable], Piece]
    rank: int = 0
    """Columns of rank 0 stay; others go, the highest rank first."""


class SourceTable(CursorPanel):
    """Rows with a cursor that stays on its source or token."""

    class Moved(Message):
        """The cursor is on another row."""

    class Opened(CursorPanel.Opened):
        """A row was clicked that had the cursor already."""

    def __init__(self) -> None:
        super().__init__(id="source-table")
        self.found: Sources | None = None
        self.doors: Doors | None = None
        self.backfill: Task | None = None
        """The one that is under way."""
        self.calendar = Calendar()
        self.recording = True
        """Whether a collector hears the sources."""
        self.rows: list[Row] = []
        self.selected: RowKey = ("source", HELICONE.name)

    @property
    def title_line(self) -> Line:
        """The title."""
        return [("Sources", self.palette.title), (", tracking tokens, polls", self.palette.muted)]

    @property
    def row(self) -> Row | None:
        """What the cursor is on."""
        return self.rows[self.position] if self.rows else None

    @property
    def position(self) -> int:
        """Of the cursor, from the top."""
        return next((at for at, row in enumerate(self.rows) if key_of(row) == self.selected), 0)

    @property
    def row_count(self) -> int:
        """All rows, in view or not."""
        return len(self.rows)

    def show(self, answer: SourcesAnswer) -> None:
        """Newer figures; the order of rows never depends on them."""
        place, applied = self.position, answer.headline.applied
        self.found, self.doors = answer.found, applied.doors if applied else None
        self.backfill, self.calendar = answer.backfill, answer.headline.calendar
        self.note = self._note(asks_helicone=applied is not None and applied.asks_helicone)
        self.rows = [*_tree(answer.found), *answer.polled]
        if all(key_of(row) != self.selected for row in self.rows):
            self.selected = key_of(self.rows[min(place, len(self.rows) - 1)])
        self._settle()

    def _note(self, asks_helicone: bool) -> Line:
        """That webhooks are open to all, or which share of requests they brought."""
        assert self.found is not None
        doors, share = self.doors, self.found.share_pushed
        if doors is not None and doors.unsigned:
            return [("! anybody can post webhooks", self.palette.bad)]
        if share is None or not asks_helicone or doors is None or not doors.webhook_secret:
            return ()
        style = self.palette.muted if share == 1 else self.palette.warn
        return [(f"webhooks cover {floor(share * 100)} %", style)]

    def to(self, position: int) -> None:
        """Put the cursor there."""
        if self.rows:
            self.select(key_of(self.rows[max(0, min(position, len(self.rows) - 1))]))

    def select(self, key: RowKey) -> None:
        """Put the cursor on this row, now or once it is there."""
        if key != self.selected:
            self.selected = key
            self.post_message(self.Moved())
        self._settle()

    def state(self, row: Row) -> State:
        """How it stands."""
        assert self.found is not None
        if is_polled(row):
            return poller_state(row, self.recording)
        if is_token(row):
            return token_state(row, self.recording and is_open(INGEST, self.doors), self.found.now)
        return source_state(row, self.doors, self.recording, self.found.now)

    def content(self, width: int, height: int) -> list[Line]:
        """Heads and the visible rows."""
        if self.found is None:
            return []
        columns = [column for column in _COLUMNS if not column.rank or column.rank <= _rank(width)]
        name = width - 1 - sum(column.width + 1 for column in columns)
        faint = self.palette.faint
        head: list[Piece] = [(" " + fit("SOURCE", name, ""), faint)]
        for column in columns:
            head.append((" " + _aligned(column, column.title), faint))
        lines: list[Line] = [head]
        last = self._top + height - 1
        for place, row in list(enumerate(self.rows))[self._top : last]:
            line = self._polled(row, name, width) if is_polled(row) else self._line(row, place, columns, name, width)
            if place == self.position:
                line[0] = (self.glyphs.cursor, self.palette.mark)
                line = laid_over(line, self.palette.cursor, max(width, length(line)))
            lines.append(line)
        return lines

    def _line(
        self, row: SourceRow | TokenRow, place: int, columns: Sequence[_Column], name: int, width: int
    ) -> list[Piece]:
        line: list[Piece] = [(" ", self.palette.text), self._named(row, place, name)]
        if row.last_at is None and not is_token(row) and not row.refused:
            return [*line, (" ", self.palette.text), *self._silent(row, width - name - 2)]
        for column in columns:
            text, style = column.cell(row, self)
            line.append((" " + _aligned(column, text), style))
        return line

    def _polled(self, row: PolledRow, name: int, width: int) -> list[Piece]:
        """State and last success in their columns, then words instead of figures."""
        assert self.found is not None
        state, palette = self.state(row), self.palette
        age = formats.UNKNOWN if row.last_at is None else formats.age(max(self.found.now - row.last_at, 0))
        words, style = self._of_polled(row, state)
        return [
            (" ", palette.text),
            (fit(row.title, name, self.glyphs.cut), palette.strong),
            (" " + fit(state, 9), _style(state, palette)),
            (" " + fit_right(age, 4), palette.faint if row.last_at is None else palette.text),
            ("  " + fit(words, width - name - 18, self.glyphs.cut), style),
        ]

    def _of_polled(self, row: PolledRow, state: State) -> Piece:
        palette, poller = self.palette, row.poller
        if self.backfill is not None and row.source is not None:
            return f"back-fill {self.backfill.progress or 'begins'}; b stops it", palette.key
        if row.setting:
            return f"for key: {row.setting}", palette.muted
        if poller is None:
            return "has not been asked yet", palette.muted
        if state is State.FAILING:
            return str(poller.failure), palette.bad
        if poller.complete_until is None:
            return "its figures are on the Ledger screen", palette.muted
        today = f", {formats.grouped(row.source.today)} today" if row.source else ""
        return f"complete until {self._instant(poller.complete_until)}{today}", palette.text

    def _instant(self, at: int) -> str:
        """To the minute, with its day where that is another one."""
        assert self.found is not None
        is_today = self.calendar.local(at).date() == self.calendar.local(self.found.now).date()
        return formats.minute(at, self.calendar) if is_today else formats.day_clock(at, self.calendar)[:-3]

    def _silent(self, row: SourceRow, width: int) -> list[Piece]:
        """Nothing ever came: what to do about that, instead of dashes."""
        state, source = self.state(row), row.source
        words = f"set {source.setting}"
        if state is not State.OFF and isinstance(source, PushedSource):
            words = f"POST {source.path}"
        if row.source is INGEST and state is not State.OFF and not any(map(is_token, self.rows)):
            words += " under a tracking token: n makes one"
        return [(fit(state, 9), _style(state, self.palette)), (" " + fit(words, width - 10), self.palette.muted)]

    def _named(self, row: SourceRow | TokenRow, place: int, width: int) -> Piece:
        if not is_token(row):
            return fit(row.source.title, width, self.glyphs.cut), self.palette.strong
        more = is_token(self.rows[place + 1])
        branch = self.glyphs.branch if more else self.glyphs.last_branch
        style = self.palette.text if row.active else self.palette.muted
        return fit(f" {branch} {row.name}", width, self.glyphs.cut), style


def is_token(row: Row) -> TypeIs[TokenRow]:
    """Whether the row is a tracking token, and not a source."""
    return hasattr(row, "shadow")


def is_polled(row: Row) -> TypeIs[PolledRow]:
    """Whether the row is a provider that is asked."""
    return hasattr(row, "poller")


def key_of(row: Row) -> RowKey:
    """What stays the same while figures change."""
    if is_polled(row):
        return "poller", row.name
    return ("token", str(row.id)) if is_token(row) else ("source", row.source.name)


def _tree(found: Sources) -> list[Row]:
    """Sources that push, and tokens below the one that needs them."""
    rows: list[Row] = []
    for row in (row for row in found.sources if isinstance(row.source, PushedSource)):
        rows.append(row)
        if row.source is INGEST:
            rows.extend(found.tokens)
    return rows


def _rank(width: int) -> int:
    """The highest rank of columns for which there is room."""
    for rank in range(max(column.rank for column in _COLUMNS), 0, -1):
        if sum(column.width + 1 for column in _COLUMNS if column.rank <= rank) + _LEAST_NAME + 1 <= width:
            return rank
    return 0


def _aligned(column: _Column, text: str) -> str:
    return fit(text, column.width, "") if column.title in ("STATE", _TREND) else fit_right(text, column.width)


def _style(state: State, palette: Palette) -> Style:
    if state in (State.LIVE, State.SHADOW):
        return palette.good
    if state is State.STALE:
        return palette.warn
    return palette.bad if state in (State.UNSIGNED, State.FAILING) else palette.muted


def _state(row: SourceRow | TokenRow, table: SourceTable) -> Piece:
    state = table.state(row)
    return state, _style(state, table.palette)


def _last(row: SourceRow | TokenRow, table: SourceTable) -> Piece:
    assert table.found is not None
    if row.last_at is None:
        return formats.UNKNOWN, table.palette.faint
    return formats.age(max(table.found.now - row.last_at, 0)), table.palette.text


def _per_minute(row: SourceRow | TokenRow, table: SourceTable) -> Piece:
    return _count(row.last_minute, table)


def _today(row: SourceRow | TokenRow, table: SourceTable) -> Piece:
    text, style = _count(row.today, table)
    return (f"({text})", table.palette.muted) if is_token(row) and row.shadow and row.today else (text, style)


def _repeats(row: SourceRow | TokenRow, table: SourceTable) -> Piece:
    if is_token(row):
        return "", table.palette.faint
    text, style = _count(row.repeats, table)
    return (f"{text} ~{formats.count(row.assumed_repeats)}", style) if row.assumed_repeats else (text, style)


def _refused(row: SourceRow | TokenRow, table: SourceTable) -> Piece:
    if is_token(row):
        return "", table.palette.faint
    return (formats.count(row.refused), table.palette.warn) if row.refused else ("0", table.palette.faint)


def _lag(row: SourceRow | TokenRow, table: SourceTable) -> Piece:
    if is_token(row):
        return "", table.palette.faint
    lag = None if row.lag is None else row.lag // 1_000
    return formats.latency(lag), table.palette.faint if lag is None else table.palette.text


def _trend(row: SourceRow | TokenRow, table: SourceTable) -> Piece:
    if is_token(row):
        return "", table.palette.faint
    rises, peak = table.glyphs.rises, max(row.trend, default=0)
    marks = (rises[-(-count * len(rises) // peak) - 1] if count > 0 else " " for count in row.trend)
    return "".join(marks), table.palette.chart


def _count(number: int, table: SourceTable) -> Piece:
    text = formats.grouped(number) if number < 100_000 else formats.count(number)
    return text, table.palette.text if number else table.palette.faint


_TREND = "LAST 12 H"
_LEAST_NAME = 19
_COLUMNS = (
    _Column("STATE", 9, _state),
    _Column("LAST", 4, _last),
    _Column("RATE/min", 8, _per_minute, rank=2),
    _Column(_TREND, 12, _trend, rank=5),
    _Column("TODAY", 7, _today),
    _Column("DUP", 9, _repeats, rank=3),
    _Column("REJ", 5, _refused, rank=1),
    _Column("LAG p95", 7, _lag, rank=4),
)
