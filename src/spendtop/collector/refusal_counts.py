"""Writes down what the listener refused, seldom enough that no flood of rubbish becomes a flood of writes."""

from __future__ import annotations

import asyncio

from spendtop.api.counters import Counters
from spendtop.collector.supervisor import pause
from spendtop.domain.clock import Clock
from spendtop.services import missed_requests
from spendtop.services.recorder import Recorder

_EVERY_SECONDS = 5.0


class Tallying:
    """Keeps the store's counts of refusals."""

    def __init__(self, counters: Counters, recorder: Recorder, clock: Clock, shard: int) -> None:
        self._counters = counters
        self._recorder = recorder
        self._clock = clock
        self._shard = shard

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop`. Raises what writing raises; counts that were not written are kept for the next try."""
        while not stop.is_set():
            await pause(stop, _EVERY_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what was refused since the last time."""
        taken = self._counters.take_refused()
        if not taken:
            return
        counts = {(source.value, why.value): count for (source, why), count in taken.items()}
        now = self._clock()
        try:
            await asyncio.wrap_future(
                self._recorder.run(lambda tx: missed_requests.note_refusals(tx, counts, now, self._shard))
            )
        except BaseException:
            for (source, why), count in taken.items():
                self._counters.refuse(source, why, count)
            raise
