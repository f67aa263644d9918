"""Screen 8: where requests come from, the tracking tokens, what is polled, what was refused, and who listens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from spendtop.domain.sources.records import HELICONE, ProviderPush
from spendtop.tui.actions import LIVE, MOVE, SOURCES, Action, bindings
from spendtop.tui.screens.live_screen import LiveScreen
from spendtop.tui.screens.reader_screen import Question
from spendtop.tui.screens.store_writer import StoreWriter
from spendtop.tui.sources.backfill import Backfill, SpanDraft
from spendtop.tui.sources.door_desk import DoorDesk
from spendtop.tui.sources.panels import SourceEvents, SourceFacts
from spendtop.tui.sources.poll_dialog import PollScreen
from spendtop.tui.sources.state import State, advice, agent_advice, poller_advice, push_advice
from spendtop.tui.sources.table import SourceTable, is_polled, is_token
from spendtop.tui.sources.tracking_tokens import TokenDraft, TrackingTokens, base_url
from spendtop.tui.widgets.canvas import Line

if TYPE_CHECKING:
    from spendtop.store.reads.sources.sources import SourceRow, TokenRow
    from spendtop.tui.headline import Headline
    from spendtop.tui.sources.questions import SourcesAnswer

_FOR_TOKENS = ("toggle-token", "snippets", "delete-token")


class SourcesScreen(LiveScreen):
    """Sources as a table with the tokens as a tree in it, facts beside or below, events."""

    NAME: ClassVar[str] = "sources"
    ACTIONS: ClassVar[tuple[Action, ...]] = (*MOVE, *SOURCES, *LIVE)
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE, SOURCES, LIVE)

    def __init__(self) -> None:
        super().__init__()
        self.writer = StoreWriter(self)
        self.tokens = TrackingTokens(self, self.writer, lambda token_id: self.table.select(("token", str(token_id))))
        self.backfill = Backfill(self, self.writer)
        self.doors = DoorDesk(self, self.writer)

    def body(self) -> ComposeResult:
        with Container(id="sources-upper"):
            yield SourceTable()
            yield SourceFacts()
        yield SourceEvents()

    @property
    def table(self) -> SourceTable:
        return self.query_one(SourceTable)

    def select_row(self, key: Any) -> None:
        self.table.select(key)

    @property
    def token(self) -> TokenRow | None:
        """The token under the cursor."""
        row = self.table.row
        return row if row is not None and is_token(row) else None

    @property
    def poller(self) -> str | None:
        """Who asks the provider under the cursor, if it has a key."""
        row = self.table.row
        if row is None or is_token(row):
            return None
        if is_polled(row):
            return None if row.setting else row.name
        return row.source.name if row.source.name in self.table.push_health else None

    @property
    def asks_helicone(self) -> bool:
        """Whether there is a key for Helicone's API."""
        applied = self.face.headline.applied if self.face.headline else None
        return applied is not None and applied.asks_helicone

    def question(self) -> Question:
        from spendtop.tui.sources.questions import SourcesQuestion

        return SourcesQuestion(now=self.face.session.clock(), calendar=self.face.session.calendar)

    def show(self, answer: SourcesAnswer) -> Headline:
        headline = answer.headline
        self.table.renew(answer)
        facts, happened = self.query_one(SourceFacts), self.query_one(SourceEvents)
        facts.headline, facts.size_on_disk = headline, answer.sources.size
        facts.price_list = happened.price_list = answer.price_list
        facts.plans = answer.plans
        happened.refusals, happened.set_aside = answer.sources.refusals, answer.set_aside
        happened.remarks = answer.remarks
        happened.gaps, happened.calendar = answer.sources.gaps, headline.calendar
        facts.redraw()
        happened.redraw()
        return headline

    def tick(self) -> None:
        """Also tells the table and the facts who records."""
        super().tick()
        if not self.is_built:
            return
        facts, happened = self.query_one(SourceFacts), self.query_one(SourceEvents)
        status = self.face.status_facts()
        told = (status.standing, status.since, status.collector)
        if (facts.standing, facts.since, facts.collector) != told:
            facts.standing, facts.since, facts.collector = told
            happened.conditions = status.collector.conditions if status.collector else ()
            self.table.recording = status.records
            for part in (facts, happened, self.table):
                part.redraw()

    @property
    def panes(self) -> Sequence[Widget]:
        return [self.table]

    def works_now(self, action: Action) -> bool:
        """Keys of a token need one under the cursor."""
        if action.id in _FOR_TOKENS:
            return self.token is not None
        if action.id == "retry":
            headline = self.face.headline
            return headline is not None and headline.attention.unrecognized > 0
        if action.id == "poll":
            return self.poller is not None
        if action.id == "backfill":
            return self.asks_helicone
        if action.id == "send-test":
            return self._sample is not None
        row = self.table.row
        return (
            action.id != "open"
            or self._source is not None
            or (row is not None and is_polled(row))
            or (self._listed() is not None)
        )

    def offered(self) -> list[tuple[Action, str]]:
        """While a back-fill runs its key stops it, and says so."""
        if self.table.backfill is None:
            return super().offered()
        return [
            (replace(action, label="stop back-fill") if action.id == "backfill" else action, key)
            for action, key in super().offered()
        ]

    def remarks(self) -> Line:
        """What the row under the cursor is about."""
        row, palette = self.table.row, self.face.palette
        if row is None:
            return ()
        state = self.table.state(row)
        if is_polled(row):
            return [(poller_advice(row, state), palette.bad if state is State.FAILING else palette.muted)]
        if is_token(row):
            return [(f"{row.token}", palette.key), (f"  {_of_token(row)}", palette.muted)]
        if (found := self.table.agent(row)) is not None:
            pushes = self.table.pushes
            is_amiss = found.left_out or (pushes is not None and pushes.is_amiss)
            words = agent_advice(found, state, pushes)
            return [*self._windows_of(found.agent), (words, palette.warn if is_amiss else palette.muted)]
        if isinstance(row.source, ProviderPush):
            asked = self.table.push_health.get(row.source.name)
            words = push_advice(row.source, state, asked, self.table.now)
            return [(words, palette.bad if state is State.FAILING else palette.muted)]
        style = palette.bad if state is State.UNSIGNED else palette.muted
        assumed = "   ~ assumed: no id says so" if row.assumed_repeats else ""
        return [(advice(row.source, state, base_url(self.face)), style), (assumed, palette.muted)]

    def _windows_of(self, agent: str) -> Line:
        """`5h 45% until 04:30 said 12m ago   `: what the provider of an agent says of its plan."""
        plans = self.query_one(SourceFacts).plans
        return () if plans is None else plans.words_of(agent, self.face.palette)

    def on_resize(self, event: events.Resize) -> None:
        """Another size has other room for words."""
        self.tick()

    def on_list_table_moved(self) -> None:
        """Other words, other keys."""
        self.tick()

    def on_list_table_opened(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        """The requests of a token, the last events of a source, how a provider is asked."""
        row = self.table.row
        if row is not None and is_token(row):
            self._list_requests()
        elif row is not None and is_polled(row) and row.source is None:
            happened = self.query_one(SourceEvents).of_source(row.name)
            self.app.push_screen(PollScreen(self.face, row, self.table.state(row), happened))
        elif self._source is not None:
            source = self._source.source
            happened = self.query_one(SourceEvents).of_source(source.name)
            self.doors.open(source, happened, self._list_requests)

    def _list_requests(self) -> None:
        text = self._listed()
        if text is not None:
            self.face.list_requests(text)

    @property
    def _source(self) -> SourceRow | None:
        """The source under the cursor; None on a token, and on a provider that tells of no requests."""
        row = self.table.row
        if row is None or is_token(row):
            return None
        return row.source if is_polled(row) else row

    def _listed(self) -> str | None:
        """The filter that selects the requests of the row under the cursor, where it has any."""
        row, source = self.table.row, self._source
        if row is not None and is_token(row):
            return f"token:{row.token.raw}" if row.last_at is not None else None
        return f"source:{source.source.name}" if source is not None and source.last_at is not None else None

    def action_retry(self) -> None:
        from spendtop.services.tasks import TaskKind

        self.writer.ask_collector(TaskKind.QUARANTINE_RETRY, {})

    @property
    def _sample(self) -> dict[str, str] | None:
        """How a test request is sent by the way of the row under the cursor; None where that takes none."""
        row = self.table.row
        if row is None or is_polled(row):
            return None
        if is_token(row):
            return {"token": row.token.raw}
        return {} if row.source is HELICONE else None

    def action_send_test(self) -> None:
        from spendtop.services.tasks import TaskKind

        if self._sample is not None:
            self.writer.ask_collector(TaskKind.SAMPLE_EVENT, self._sample)

    def action_poll(self) -> None:
        from spendtop.services.tasks import TaskKind

        if self.poller is not None:
            self.writer.ask_collector(TaskKind.POLL_NOW, {"poller": self.poller})

    def action_backfill(self) -> None:
        if self.table.backfill is not None:
            self.backfill.stop(self.table.backfill)
        else:
            self.backfill.ask(SpanDraft())

    def action_new_token(self) -> None:
        self.tokens.create(TokenDraft())

    def action_snippets(self) -> None:
        if self.token is not None:
            self.tokens.show_snippets(self.token)

    def action_toggle_token(self) -> None:
        if self.token is not None:
            self.tokens.toggle(self.token)

    def action_delete_token(self) -> None:
        if self.token is not None:
            self.tokens.delete(self.token)


def _of_token(token: TokenRow) -> str:
    if not token.active:
        return "off: pushes under it are refused; d switches it on"
    if token.shadow:
        return "shadow: stored and shown, not counted"
    return "what clients send as tracking_token" if token.last_at is None else "y shows how clients send it"
