"""Every source, the tracking tokens below the one that they belong to, and what is polled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace
from rich.style import Style

from spendtop.domain.clock import age
from spendtop.domain.sources.records import INGEST, ProviderPush, PushedSource
from spendtop.tui import formats
from spendtop.tui.palette import Palette
from spendtop.tui.sources.state import State, agent_state, is_open, poller_state, source_state, token_state
from spendtop.tui.widgets.canvas import Line, Piece, fit_right
from spendtop.tui.widgets.columns import Column, Columns, Ink, SpanningCell
from spendtop.tui.widgets.table import ListTable

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from spendtop.services.agents.found import AgentFound
    from spendtop.services.agents.spool import PushState
    from spendtop.services.tasks import Task
    from spendtop.store.reads.configuration.applied import Doors
    from spendtop.store.reads.sources.completeness import PollerRow
    from spendtop.store.reads.sources.sources import SourceRow, Sources, TokenRow
    from spendtop.tui.sources.questions import PolledRow, SourcesAnswer

    Row = SourceRow | TokenRow | PolledRow

RowKey = tuple[str, str]
"""`source`, `token` or `poller`, and which one."""


class SourceTable(ListTable["Row", RowKey]):
    """Rows of three kinds. A polled source has words instead of figures; so has one that was never heard of."""

    def __init__(self) -> None:
        super().__init__("Sources", id="source-table")
        self.sources: Sources | None = None
        self.doors: Doors | None = None
        self.agents: Mapping[str, AgentFound] = {}
        """By source, the coding agents with files on this machine, or with calls that others pushed."""
        self.pushes: PushState | None = None
        self.push_health: Mapping[str, PollerRow] = {}
        """By source, how providers that push here say that they deliver."""
        self.backfill: Task | None = None
        """The one that is under way."""
        self.recording = True
        """Whether a collector hears the sources."""
        self.rows: Sequence[Row] = ()

    @property
    def title_line(self) -> Line:
        return [(self.title, self.palette.title), (f", tracking tokens, polls{self._more}", self.palette.muted)]

    @property
    def _more(self) -> str:
        return ", coding agents" if self.agents else ""

    def layouts(self) -> Sequence[Columns[Row]]:
        name = Column("SOURCE", 19, self._source, grows=True)
        return ((name, Column("STATE", 9, self._state), Column("LAST", 4, self._last, right=True), *_FIGURES),)

    def key(self, row: Row) -> RowKey:
        if is_polled(row):
            return "poller", row.name
        return ("token", str(row.id)) if is_token(row) else ("source", row.source.name)

    def renew(self, answer: SourcesAnswer) -> None:
        """Newer figures; the order of rows never depends on them."""
        applied = answer.headline.applied
        self.sources, self.doors = answer.sources, applied.doors if applied else None
        self.now, self.calendar = answer.sources.now, answer.headline.calendar
        self.backfill = answer.backfill
        self.note = self._note(asks_helicone=applied is not None and applied.asks_helicone)
        self.agents = {found.agent: found for found in answer.agents}
        self.pushes = answer.pushes
        self.push_health = {row.name: row for row in answer.sources.pollers if row.push_health is not None}
        by_providers = [row for row in answer.sources.sources if isinstance(row.source, ProviderPush)]
        imported = [row for row in answer.sources.sources if row.imported is not None]
        self.show([*_tree(answer.sources), *answer.polled, *by_providers, *self._of_agents(answer.sources), *imported])

    def _note(self, asks_helicone: bool) -> Line:
        """That webhooks are open to all, or which share of requests they brought."""
        assert self.sources is not None
        doors, coverage = self.doors, self.sources.coverage
        if doors is not None and doors.unsigned:
            return [("! anybody can post webhooks", self.palette.bad)]
        if not asks_helicone or doors is None or not doors.webhook_secret:
            return ()
        if coverage is None:
            return [("what webhooks cover is not known", self.palette.muted)]
        if coverage.percent is None:
            return ()
        words = f"webhooks cover {coverage.percent.replace('%', ' %')} until {self._instant(coverage.until)}"
        return [(words, self.palette.muted if coverage.is_whole else self.palette.warn)]

    def _of_agents(self, sources: Sources) -> list[Row]:
        """Those found here. When their last call happened matters, not when it was read."""
        return [
            replace(row, last_at=found.last_at)
            for row in sources.sources
            if (found := self.agents.get(row.source.name)) is not None
        ]

    def state(self, row: Row) -> State:
        if is_polled(row):
            return poller_state(row, self.recording)
        if is_token(row):
            return token_state(row, self.recording and is_open(INGEST, self.doors), self.now)
        if (found := self.agent(row)) is not None:
            return agent_state(found, self.recording, self.now)
        return source_state(row, self.doors, self.recording, self.now, self._amiss(row))

    def _amiss(self, row: SourceRow) -> str:
        """Why a provider's pushes do not come, as far as it is asked."""
        asked = self.push_health.get(row.source.name)
        is_asked = self.doors is not None and row.source.name in self.doors.ingest_keys
        return asked.amiss if asked is not None and is_asked else ""

    def agent(self, row: Row) -> AgentFound | None:
        """The coding agent that the row is about, if it is about one."""
        return None if is_polled(row) or is_token(row) else self.agents.get(row.source.name)

    def _source(self, row: Row, ink: Ink, width: int) -> Piece:
        if is_polled(row):
            return row.title, ink.palette.strong
        if not is_token(row):
            return row.source.title, ink.palette.strong
        assert self.sources is not None
        branch = ink.glyphs.last_branch if row is self.sources.tokens[-1] else ink.glyphs.branch
        return f" {branch} {row.name}", ink.palette.text if row.active else ink.palette.muted

    def _state(self, row: Row, ink: Ink, width: int) -> Piece:
        state = self.state(row)
        return state, _style(state, ink.palette)

    def _last(self, row: Row, ink: Ink, width: int) -> Piece | SpanningCell:
        last = formats.UNKNOWN if row.last_at is None else age(max(ink.now - row.last_at, 0))
        style = ink.palette.faint if row.last_at is None else ink.palette.text
        if is_polled(row):
            return SpanningCell([(fit_right(last, width) + "  ", style), self._of_polled(row, self.state(row))])
        if (found := self.agent(row)) is not None and (found.waiting or row.last_at is None):
            words = found.reading or "no calls are in its files"
            return SpanningCell([(fit_right(last, width) + "  ", style), (words, ink.palette.muted)])
        if not is_token(row) and row.imported is not None:
            words = f"{formats.requests(row.imported)}, by {row.source.setting}"
            return SpanningCell([(fit_right(last, width) + "  ", style), (words, ink.palette.muted)])
        if not is_token(row) and (amiss := self._amiss(row)):
            return SpanningCell([(fit_right(last, width) + "  ", style), (amiss, ink.palette.bad)])
        if row.last_at is None and not is_token(row) and not row.refused:
            return SpanningCell([(self._of_silent(row), ink.palette.muted)])
        return last, style

    def _of_polled(self, row: PolledRow, state: State) -> Piece:
        palette, poller = self.palette, row.poller
        if self.backfill is not None and row.source is not None:
            return f"back-fill {self.backfill.progress or 'begins'}; b stops it", palette.key
        today = f"{formats.grouped(row.source.today)} today" if row.source and row.source.today else ""
        if row.setting:
            return f"{today}; {row.setting}" if today else f"for key: {row.setting}", palette.muted
        if poller is None:
            return "no answer yet", palette.muted
        if poller.failure is not None:
            return str(poller.failure), palette.bad if state is State.FAILING else palette.muted
        if poller.complete_until is None:
            screen = "Limits" if row.name.partition("/")[0].endswith("-limits") else "Ledger"
            return f"its figures are on the {screen} screen", palette.muted
        return f"complete until {self._instant(poller.complete_until)}{today and f', {today}'}", palette.text

    def _instant(self, at: int) -> str:
        return formats.moment(at, self.now, self.calendar)

    def _of_silent(self, row: SourceRow) -> str:
        """Nothing ever came: what to do about that, instead of dashes."""
        state, source = self.state(row), row.source
        words = f"set {source.setting}"
        if state is not State.OFF and isinstance(source, PushedSource):
            words = f"POST {source.path}"
        if isinstance(source, ProviderPush):
            words = f"spendtop {source.provider} {'connect URL' if state is State.OFF else 'test'}"
        if row.source is INGEST and state is not State.OFF and not any(map(is_token, self.rows)):
            words += " under a tracking token: n makes one"
        return words


def is_token(row: Row) -> TypeIs[TokenRow]:
    """Whether the row is a tracking token, and not a source."""
    return hasattr(row, "shadow")


def is_polled(row: Row) -> TypeIs[PolledRow]:
    """Whether the row is a provider that is asked."""
    return hasattr(row, "poller")


def _tree(sources: Sources) -> list[Row]:
    """Sources that push, and tokens below the one that needs them."""
    rows: list[Row] = []
    for row in (row for row in sources.sources if isinstance(row.source, PushedSource)):
        rows.append(row)
        if row.source is INGEST:
            rows.extend(sources.tokens)
    return rows


def _style(state: State, palette: Palette) -> Style:
    if state in (State.LIVE, State.SHADOW):
        return palette.good
    if state is State.STALE:
        return palette.warn
    return palette.bad if state in (State.UNSIGNED, State.FAILING) else palette.muted


def _of_pushed(cell: Callable[[SourceRow | TokenRow, Ink], Piece]) -> Callable[[Row, Ink, int], Piece]:
    """A figure of sources that push and of tokens."""
    return lambda row, ink, width: ("", ink.palette.faint) if is_polled(row) else cell(row, ink)


def _of_source(cell: Callable[[SourceRow, Ink], Piece]) -> Callable[[Row, Ink, int], Piece]:
    """A figure that tokens have none of."""
    return _of_pushed(lambda row, ink: ("", ink.palette.faint) if is_token(row) else cell(row, ink))


def _per_minute(row: SourceRow | TokenRow, ink: Ink) -> Piece:
    return _count(row.last_minute, ink)


def _today(row: SourceRow | TokenRow, ink: Ink) -> Piece:
    text, style = _count(row.today, ink)
    return (f"({text})", ink.palette.muted) if is_token(row) and row.shadow and row.today else (text, style)


def _repeats(row: SourceRow, ink: Ink) -> Piece:
    text, style = _count(row.repeats, ink)
    return (f"{text} ~{formats.count(row.assumed_repeats)}", style) if row.assumed_repeats else (text, style)


def _refused(row: SourceRow, ink: Ink) -> Piece:
    return (formats.count(row.refused), ink.palette.warn) if row.refused else ("0", ink.palette.faint)


def _lag(row: SourceRow, ink: Ink) -> Piece:
    lag = None if row.lag is None else row.lag // 1_000
    return formats.latency(lag), ink.palette.faint if lag is None else ink.palette.text


def _trend(row: SourceRow, ink: Ink) -> Piece:
    rises, peak = ink.glyphs.rises, max(row.trend, default=0)
    marks = (rises[-(-count * len(rises) // peak) - 1] if count > 0 else " " for count in row.trend)
    return "".join(marks), ink.palette.chart


def _count(number: int, ink: Ink) -> Piece:
    text = formats.grouped(number) if number < 100_000 else formats.count(number)
    return text, ink.palette.text if number else ink.palette.faint


_FIGURES: Columns[Row] = (
    Column("RATE/min", 8, _of_pushed(_per_minute), rank=2, right=True),
    Column("LAST 12 H", 12, _of_source(_trend), rank=5),
    Column("TODAY", 7, _of_pushed(_today), right=True),
    Column("DUP", 9, _of_source(_repeats), rank=3, right=True),
    Column("REJ", 5, _of_source(_refused), rank=1, right=True),
    Column("LAG p95", 7, _of_source(_lag), rank=4, right=True),
)
