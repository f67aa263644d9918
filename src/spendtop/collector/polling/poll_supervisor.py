"""All pollers of the configuration in force; those that it changes are begun anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from spendtop.collector.polling.generation_steps import GenerationSteps
from spendtop.collector.polling.poll_config import (
    ANTHROPIC,
    Polled,
    PolledCosts,
    PolledGenerations,
    PolledLimits,
    PolledPushHealth,
    PolledRequests,
    polled,
)
from spendtop.collector.polling.poll_loop import PollLoop, PollSteps
from spendtop.collector.polling.poll_steps import (
    BalanceSteps,
    CalibrationSettlement,
    CostSteps,
    LimitSteps,
    PollContext,
    PushHealthSteps,
    RequestSteps,
)
from spendtop.collector.push_connection import Credential, destinations_by
from spendtop.collector.supervisor import pause
from spendtop.config.settings import Settings
from spendtop.domain.clock import DAY, to_datetime, to_micros
from spendtop.domain.sources.records import HELICONE
from spendtop.sources.pollers import CostPoller, LimitPoller
from spendtop.sources.pollers.anthropic.analytics import AnthropicAnalytics
from spendtop.sources.pollers.gemini_caps import GeminiCaps
from spendtop.sources.pollers.helicone.requests import HeliconeApi
from spendtop.sources.pollers.openai.costs import OpenAICosts
from spendtop.sources.pollers.openrouter.generations import OpenRouterGenerations
from spendtop.sources.registry import ACCOUNT_BILLS, BALANCE_POLLERS, COST_POLLERS, LIMIT_POLLERS, Access
from spendtop.store.engine import Store, named
from spendtop.store.facts import first_start
from spendtop.store.reads.sources import completeness
from spendtop.store.transactions import write

_LOOK = 0.25
"""Seconds between two looks whether another configuration is in force."""


class PollSupervisor:
    """Runs what is to be polled, each poller by itself."""

    def __init__(self, context: PollContext, settings: Callable[[], Settings], owns: Callable[[], bool]) -> None:
        self._context = context
        self._settings = settings
        self._owns = owns
        self._running: dict[Polled, tuple[PollLoop, asyncio.Task[None]]] = {}

    def running(self) -> dict[str, PollLoop]:
        """What runs now, by name."""
        return {wanted.name: poll_loop for wanted, (poll_loop, _) in self._running.items()}

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until the stop event; what is being asked then is given up."""
        started_at = self._context.clock()
        began = await write(self._context.recorder, lambda connection: first_start(connection, started_at))
        try:
            async with asyncio.TaskGroup() as group:
                await self._keep_up(began, group, stop)
        finally:
            self._running.clear()

    async def _keep_up(self, began: int, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        followed: Settings | None = None
        while not stop.is_set():
            settings = self._settings()
            if settings is not followed:
                followed = settings
                self._follow(polled(settings), began, group, stop)
            await pause(stop, _LOOK)
        self._follow((), began, group, stop)

    def _follow(self, wanted: tuple[Polled, ...], began: int, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """End what is not wanted any more, and begin what is new."""
        for gone in [each for each in self._running if each not in wanted]:
            self._running.pop(gone)[1].cancel()
        for each in wanted:
            if each not in self._running:
                poll_loop = PollLoop(self._steps(each, began), self._context.writes, self._context.clock, self._owns)
                self._running[each] = poll_loop, group.create_task(poll_loop.run(stop), name=each.name)

    def _steps(self, wanted: Polled, began: int) -> PollSteps:
        match wanted:
            case PolledRequests():
                pushed_by = HELICONE if wanted.pushed else None
                poller = helicone(wanted, self._context.store)
                return RequestSteps(wanted.name, wanted.every, poller, self._context, pushed_by=pushed_by, since=began)
            case PolledCosts():
                return self._cost_steps(wanted, began)
            case PolledPushHealth():
                asked = destinations_by(wanted.push, Credential(wanted.key, wanted.base_url))
                return PushHealthSteps(
                    wanted.name, wanted.every, wanted.push, asked, self._context, public_url=wanted.public_url
                )
            case PolledGenerations():
                poller_of_calls = OpenRouterGenerations(wanted.key, wanted.base_url)
                return GenerationSteps(wanted.name, wanted.every, poller_of_calls, self._context)
            case PolledLimits():
                return LimitSteps(
                    wanted.name, wanted.every, _limit_poller(wanted), self._context, account=wanted.account
                )
        balance = BALANCE_POLLERS[wanted.provider](wanted.key, wanted.base_url, wanted.scope)
        return BalanceSteps(wanted.name, wanted.every, balance, self._context, account=wanted.account)

    def _cost_steps(self, wanted: PolledCosts, began: int) -> CostSteps:
        poller = _cost_poller(wanted)
        settlement = (
            CalibrationSettlement(poller, self._context) if wanted.settles and isinstance(poller, OpenAICosts) else None
        )
        return CostSteps(
            wanted.name,
            wanted.every,
            poller,
            self._context,
            accounts=wanted.accounts,
            epoch=_epoch(wanted, began),
            settle=settlement.settle if settlement else None,
            trailing=wanted.trailing,
            better=wanted.better,
            rests=wanted.rests,
        )


def _cost_poller(wanted: PolledCosts) -> CostPoller:
    if wanted.provider in ACCOUNT_BILLS:
        return ACCOUNT_BILLS[wanted.provider].poller(Access(wanted.key, wanted.base_url, wanted.scope, wanted.region))
    if wanted.provider == ANTHROPIC and wanted.is_optional:
        return AnthropicAnalytics(wanted.key, wanted.base_url)
    return COST_POLLERS[wanted.provider](wanted.key, wanted.base_url)


def _limit_poller(wanted: PolledLimits) -> LimitPoller:
    if wanted.tier is not None:
        return GeminiCaps(wanted.tier)
    return LIMIT_POLLERS[wanted.provider](wanted.key, wanted.base_url)


def helicone(wanted: PolledRequests, store: Store) -> HeliconeApi:
    """A reader of Helicone's API that compares with what is stored."""

    def confirmed(since: int, until: int) -> tuple[int, int]:
        with named(store), store.reading() as connection:
            return completeness.confirmed(connection, since, until)

    return HeliconeApi(wanted.key, wanted.base_url, backfill=wanted.backfill, known=confirmed)


def _epoch(wanted: PolledCosts, began: int) -> int:
    """The first day whose costs are read, in UTC days since 1970."""
    if wanted.epoch is not None:
        begin = datetime(wanted.epoch.year, wanted.epoch.month, wanted.epoch.day, tzinfo=UTC)
    else:
        begin = to_datetime(began).replace(day=1)
    return to_micros(begin) // DAY
