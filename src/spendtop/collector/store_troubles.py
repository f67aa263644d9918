"""The loop that keeps the alerts of `services.alerting.store_health` in step with what is amiss with the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from spendtop.collector.conditions import Conditions
from spendtop.collector.supervisor import pause
from spendtop.domain.clock import SECOND, Clock
from spendtop.domain.condition import Condition
from spendtop.domain.errors import SpendtopError
from spendtop.services.alerting.store_health import ABOUT, StoreTrouble, keep
from spendtop.store.transactions import WriteQueue, write

_LOOK = 5.0
_LASTS = 10 * SECOND
"""What is over sooner is no alert."""


class StoreTroubles:
    """Looks while evaluating is ours; what cannot be written now is written as soon as that is possible."""

    def __init__(
        self,
        conditions: Conditions,
        writes: WriteQueue,
        clock: Clock,
        owns: Callable[[], bool],
        every: float = _LOOK,
    ) -> None:
        """`every` are the seconds between two looks."""
        self._conditions = conditions
        self._writes = writes
        self._clock = clock
        self._owns = owns
        self._every = every
        self._stand: dict[str, Condition] = {}
        self._over: list[StoreTrouble] = []
        self._is_kept = False
        """Whether the alerts are what is amiss."""

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._look()
            if self._owns() and not self._is_kept:
                with suppress(SpendtopError):
                    await self._keep()
            await pause(stop, self._every)

    def _look(self) -> None:
        now = self._clock()
        present = {each.name: each for each in self._conditions.present if each.name in ABOUT}
        stand = {name: each for name, each in present.items() if now - each.since >= _LASTS}
        is_same = {(each.name, each.since) for each in stand.values()} == {
            (each.name, each.since) for each in self._stand.values()
        }
        if not is_same:
            gone = (each for name, each in self._stand.items() if stand.get(name) != each)
            self._over += [StoreTrouble(each, now) for each in gone]
            self._is_kept = False
        self._stand = stand

    async def _keep(self) -> None:
        troubles, now = [*self._over, *map(StoreTrouble, self._stand.values())], self._clock()
        await write(self._writes, lambda connection: keep(connection, troubles, now))
        self._over, self._is_kept = [], True
