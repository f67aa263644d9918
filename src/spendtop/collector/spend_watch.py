"""The loop that runs the rules about how is spent, `services.alerting.anomalies` and `services.alerting.loops`, often
enough to find a spike or a loop within minutes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection

from spendtop.collector import from_settings
from spendtop.collector.supervisor import pause
from spendtop.config.settings import Settings
from spendtop.domain.clock import Clock
from spendtop.services.alerting.announcements import Announcement
from spendtop.services.alerting.anomalies import AnomalyAlerts
from spendtop.services.alerting.loops import LoopAlerts
from spendtop.services.stores.lease import LostLease
from spendtop.store.engine import Store
from spendtop.store.transactions import WriteQueue, read, write

Found = TypeVar("Found")
"""What a look gives and writing takes."""
_LOOK = 10.0
"""Seconds between two looks."""
_REST = 20
"""The least of the time between two looks, as a multiple of how long the last one took."""


class SpendRules(Protocol[Found]):
    """What looks, without writing, and writes what it found."""

    def look(self, connection: Connection, now: int) -> list[Found]: ...

    def write(self, connection: Connection, changes: Sequence[Found], now: int) -> list[Announcement]: ...

    def postponed_words(self, now: int) -> str | None: ...


class SpendWatch(Generic[Found]):
    """Looks while evaluating is ours."""

    def __init__(
        self,
        store: Store,
        writes: WriteQueue,
        settings: Callable[[], Settings],
        rules: Callable[[Settings], SpendRules[Found]],
        clock: Clock,
        owns: Callable[[], bool],
        on_announced: Callable[[Sequence[Announcement]], None],
        every: float = _LOOK,
    ) -> None:
        """`every` are the seconds between two looks."""
        self._store = store
        self._writes = writes
        self._settings = settings
        self._rules = rules
        self._clock = clock
        self._owns = owns
        self._on_announced = on_announced
        self._every = every
        self._in_force: SpendRules[Found] | None = None

    @property
    def amiss(self) -> str | None:
        """Whom these rules cannot look at, as sentences."""
        return None if self._in_force is None else self._in_force.postponed_words(self._clock())

    async def run(self, stop: asyncio.Event) -> None:
        followed: Settings | None = None
        while not stop.is_set():
            settings = self._settings()
            if settings is not followed:
                followed, rules = settings, self._rules(settings)
                self._in_force = rules
            began = time.monotonic()
            if self._owns():
                with suppress(LostLease):
                    await self._look(rules)
            await pause(stop, max(self._every, (time.monotonic() - began) * _REST))

    async def _look(self, rules: SpendRules[Found]) -> None:
        now = self._clock()
        changes = await read(self._store, lambda connection: rules.look(connection, now))
        if not changes:
            return
        told = await write(self._writes, lambda connection: rules.write(connection, changes, now))
        if told:
            self._on_announced(told)


def anomaly_rules(settings: Settings) -> AnomalyAlerts:
    """Of unusual spend."""
    return AnomalyAlerts(from_settings.watched_spend(settings), from_settings.channels_of(settings))


def loop_rules(settings: Settings) -> LoopAlerts:
    return LoopAlerts(from_settings.watched_loops(settings), from_settings.channels_of(settings))
