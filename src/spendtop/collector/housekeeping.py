"""Once an hour: forget what is older than the settings keep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from spendtop.collector.supervisor import pause
from spendtop.domain.clock import Clock
from spendtop.services.recorder import Recorder
from spendtop.services.retention import Kept, forget_some

_EVERY = 3600.0
_BREATH = 0.02
"""Seconds between two batches, so that webhooks go first."""
_log = logging.getLogger(__name__)


class Housekeeping:
    """Deletes in batches between other writes."""

    def __init__(self, recorder: Recorder, kept: Callable[[], Kept], clock: Clock, owns: Callable[[], bool]) -> None:
        self._recorder = recorder
        self._kept = kept
        self._clock = clock
        self._owns = owns

    async def run(self, stop: asyncio.Event) -> None:
        """Keep house until the stop event."""
        while not stop.is_set():
            await pause(stop, _EVERY)
            if self._owns() and not stop.is_set():
                await self.forget(stop)

    async def forget(self, stop: asyncio.Event) -> None:
        """Delete all that is too old."""
        more = True
        while more and not stop.is_set():
            more = await asyncio.wrap_future(
                self._recorder.run(lambda connection: forget_some(connection, self._kept(), self._clock()))
            )
            await pause(stop, _BREATH)
