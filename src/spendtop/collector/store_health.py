"""Whether what is recorded reaches the store that was opened, looked at while nobody writes too."""

from __future__ import annotations

import asyncio

from spendtop.collector.conditions import Conditions
from spendtop.collector.supervisor import pause
from spendtop.domain.condition import ConditionStatus
from spendtop.store.engine import Store

_EVERY = 2.0
"""Seconds between two looks."""


class StoreHealth:
    """Says what has become of the store as the condition `store`."""

    def __init__(self, store: Store, conditions: Conditions) -> None:
        self._store = store
        self._conditions = conditions

    async def run(self, stop: asyncio.Event) -> None:
        """Look until the stop event."""
        while not stop.is_set():
            await asyncio.to_thread(self._look)
            await pause(stop, _EVERY)

    def _look(self) -> None:
        self._conditions.keep("store", ConditionStatus.DOWN, self._store.loss)
