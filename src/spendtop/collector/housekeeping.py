"""Soon after the start and then once an hour: forget what is older than the settings keep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from spendtop.collector.supervisor import pause
from spendtop.domain.clock import Clock
from spendtop.services.recorder import Recorder
from spendtop.services.retention import Kept, forget_some

_FIRST = 60.0
_EVERY = 3600.0
_BREATH = 0.02
"""Seconds between two batches, so that webhooks go first."""


class Housekeeping:
    """Deletes in batches between other writes. `waits` are the seconds before the first round and between two."""

    def __init__(
        self,
        recorder: Recorder,
        kept: Callable[[], Kept],
        clock: Clock,
        owns: Callable[[], bool],
        waits: tuple[float, float] = (_FIRST, _EVERY),
    ) -> None:
        self._recorder = recorder
        self._kept = kept
        self._clock = clock
        self._owns = owns
        self._first, self._every = waits

    async def run(self, stop: asyncio.Event) -> None:
        """Keep house until the stop event."""
        await pause(stop, self._first)
        while not stop.is_set():
            if self._owns():
                await self._forget(stop)
            await pause(stop, self._every)

    async def _forget(self, stop: asyncio.Event) -> None:
        more = True
        while more and not stop.is_set():
            more = await asyncio.wrap_future(
                self._recorder.run(lambda connection: forget_some(connection, self._kept(), self._clock()))
            )
            await pause(stop, _BREATH)
