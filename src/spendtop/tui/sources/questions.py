"""What the screen of sources asks the store. Imported by reader threads only: it brings the whole store along."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.config.paths import data_folder
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.sources.records import PUSHES, SOURCES, AskedSource
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar
from spendtop.services import tasks
from spendtop.services.agents import plan_windows
from spendtop.services.agents import spool as agent_spool
from spendtop.services.agents.found import AgentFound, agents_found
from spendtop.services.agents.spool import PushState
from spendtop.services.tasks import Task, TaskKind
from spendtop.store.reads.configuration.applied import Applied
from spendtop.store.reads.ledger.accounts import STALE_AFTER
from spendtop.store.reads.price_list import PriceListState, price_list
from spendtop.store.reads.sources.completeness import PollerRow
from spendtop.store.reads.sources.door_events import DoorEvents, door_events
from spendtop.store.reads.sources.quarantine import QuarantineRow, quarantined
from spendtop.store.reads.sources.remarks import SourceRemark, source_remarks
from spendtop.store.reads.sources.sources import SourceRow, Sources, sources
from spendtop.tui.headline import Headline
from spendtop.tui.screens.questions import read_headline
from spendtop.tui.widgets.plan_lines import PlanStanding

_PUSHES = frozenset(each.name for each in PUSHES)
_COSTS = "-costs"
_KINDS = ("costs", "analytics", "limits", "activity", "generations")
"""Of what is asked for, as names of pollers end; others are a balance, or bills where a provider tells no balance."""
_BILLS = frozenset({"azure", "bedrock", "cursor", "fireworks", "github-copilot"})
_SETTINGS = {
    f"openai{_COSTS}": "admin_key under [openai]",
    f"anthropic{_COSTS}": "admin_key under [anthropic]",
}
"""What switches a poller of costs on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesQuestion:
    """Where requests come from, and the newest events that were set aside."""

    now: int
    calendar: Calendar
    most_events: int = 30

    def ask(self, connection: Connection) -> SourcesAnswer:
        headline = read_headline(connection, self.now, self.calendar)
        assert headline.day.start_us is not None
        figures = sources(connection, headline.day.start_us, self.now)
        return SourcesAnswer(
            headline=headline,
            sources=figures,
            polled=polled_rows(headline.applied, figures, self.now),
            agents=agents_found(connection, socket.gethostname()),
            plans=PlanStanding(
                self.now, headline.calendar, plan_windows.known(connection, socket.gethostname(), data_folder())
            ),
            pushes=agent_spool.state(connection, socket.gethostname()),
            set_aside=quarantined(connection, self.most_events),
            backfill=tasks.under_way(connection, TaskKind.BACKFILL),
            price_list=price_list(connection),
            remarks=source_remarks(connection, self.now),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesAnswer:
    """All sources, what is polled, and events that are not counted, the newest first."""

    headline: Headline
    sources: Sources
    polled: tuple[PolledRow, ...]
    agents: tuple[AgentFound, ...]
    """Whose files are on this machine, or whose calls others pushed."""
    plans: PlanStanding
    """What providers say of the windows of their plans."""
    pushes: PushState
    """Of this machine's calls to another collector."""
    set_aside: tuple[QuarantineRow, ...]
    backfill: Task | None
    """The one that is under way."""
    price_list: PriceListState | None
    """As a collector said last."""
    remarks: tuple[SourceRemark, ...]
    """What is amiss with what sources sent, the newest first."""


@dataclass(frozen=True, slots=True)
class DoorQuestion:
    """The newest events of one source."""

    source: str
    context: FilterContext

    def ask(self, connection: Connection) -> DoorEvents:
        return door_events(connection, self.source, self.context, most_requests=30, most_aside=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledRow:
    """One provider that is asked, or could be."""

    name: str
    """The poller's."""
    title: str
    """For people, cleaned."""
    setting: str
    """What is to be set where no key is; empty where one is."""
    poller: PollerRow | None
    """How it went; None where it never polled."""
    stale: bool
    """Whether its last success is too long ago."""
    is_optional: bool = False
    """Whether its key may lack the right to it."""
    source: SourceRow | None
    """The requests that it reads, where it reads requests."""

    @property
    def last_at(self) -> int | None:
        """Its last success, UTC µs."""
        return self.poller.succeeded_at if self.poller else None


def polled_rows(applied: Applied | None, sources: Sources, now: int) -> tuple[PolledRow, ...]:
    """Those that tell of requests first, then costs and balances; last those that wait for a key. How providers that
    push deliver stands with what they push."""
    every = {each.name: each.every for each in applied.pollers if each.name not in _PUSHES} if applied else {}
    optional = {each.name for each in applied.pollers if each.is_optional} if applied else set()
    pollers = {row.name: row for row in sources.pollers}
    requests = {row.source.name: row for row in sources.sources if isinstance(row.source, AskedSource)}
    names = dict.fromkeys([*requests, *every, *(_waiting(applied) if applied else ())])
    rows = []
    for name in names:
        row = pollers.get(name)
        succeeded = row.succeeded_at if row else None
        rows.append(
            PolledRow(
                name=name,
                title=_title(name),
                setting="" if name in every else _setting(name),
                poller=row,
                stale=name in every and succeeded is not None and now - succeeded > STALE_AFTER * every[name],
                source=requests.get(name),
                is_optional=name in optional,
            )
        )
    return tuple(rows)


def _waiting(applied: Applied) -> Iterator[str]:
    """Costs of accounts that nobody asks for."""
    for account in applied.accounts:
        name = f"{account.provider}{_COSTS}"
        if account.poller is None and name in _SETTINGS:
            yield name


def _setting(name: str) -> str:
    """What switches a poller on."""
    return SOURCES[name].setting if name in SOURCES else _SETTINGS[name]


def _title(name: str) -> str:
    if name in SOURCES:
        return SOURCES[name].title
    asked, _, account = name.partition("/")
    provider, _, kind = asked.rpartition("-")
    if kind in _KINDS:
        return clean_line(f"{provider} {kind} {account}".rstrip(), 40)
    return clean_line(f"{asked} bills {account}" if asked in _BILLS else f"{account} balance", 40)
