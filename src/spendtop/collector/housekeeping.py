"""What the collector does by the clock: sum hours by days, forget what is too old, and write down refusals."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection

from spendtop.api.counters import Counters
from spendtop.collector.batch import Batch
from spendtop.collector.supervisor import pause
from spendtop.domain.clock import MINUTE, SECOND, Clock
from spendtop.domain.sources.records import source_named
from spendtop.services.recording import missed_requests, remarks
from spendtop.services.recording.recorder import Recorder
from spendtop.services.retention import RetentionPeriods, forget_month, forget_some
from spendtop.services.stores.lease import LostLease
from spendtop.store.day_totals import add_hours
from spendtop.store.dictionaries import forget_unused
from spendtop.store.free_pages import give_back_some
from spendtop.store.partitions import add_months
from spendtop.store.transactions import WriteQueue, write

_FIRST = 60.0
_EVERY = 3600.0
_BREATH = 0.02
"""Seconds between two batches, so that webhooks go first."""
_JUMP = 5 * MINUTE
"""How far the clock may move from the time that passed between two rounds, in µs."""
_COUNTS_WRITTEN_EVERY = 5.0
"""Seconds, so that no flood of rubbish becomes a flood of writes."""
_log = logging.getLogger(__name__)


class Housekeeping:
    """Soon after the start and then once an hour: has partitions for the months to come, sums the hours that are over
    by days, and deletes what is older than the settings keep, in batches between other writes; then gives room back to
    the disk, and empties the write-ahead log, which still holds what was deleted.

    A round is left out when the clock has jumped since the last one, because what it calls old may be of today.
    `beside` does what takes too long for the writer's turn, where the database can do both at once. `waits` are the
    seconds before the first round and between two; `is_quiet` tells whether nobody submits.
    """

    def __init__(
        self,
        writes: WriteQueue,
        beside: WriteQueue,
        kept: Callable[[], RetentionPeriods],
        clock: Clock,
        owns: Callable[[], bool],
        checkpoint: Callable[[], None],
        waits: tuple[float, float] = (_FIRST, _EVERY),
        monotonic: Callable[[], float] = time.monotonic,
        is_quiet: Callable[[], bool] = lambda: True,
    ) -> None:
        self._writes = writes
        self._beside = beside
        self._kept = kept
        self._clock = clock
        self._owns = owns
        self._checkpoint = checkpoint
        self._first, self._every = waits
        self._monotonic = monotonic
        self._is_quiet = is_quiet
        self._offset = self._offset_now()

    async def run(self, stop: asyncio.Event) -> None:
        await pause(stop, self._first)
        while not stop.is_set():
            if self._clock_jumped():
                _log.warning("the clock has jumped; nothing is forgotten until it has been steady for a while")
            elif self._owns():
                with suppress(LostLease):
                    await self.work(stop)
            await pause(stop, self._every)

    async def work(self, stop: asyncio.Event) -> None:
        """One round, or what of it is done until the stop event. Raises LostLease when another collector keeps house by
        now."""
        await self._repeat(self._writes, self._add_months, stop)
        await self._repeat(self._writes, self._sum_some, stop)
        await self._repeat(self._beside, self._forget_month, stop)
        await self._repeat_in_time(self._forget_some, stop)
        await self._repeat(self._beside, self._forget_month, stop)  # of which all bodies are deleted by now
        await self._repeat(self._writes, forget_unused, stop)
        await self._repeat_in_time(give_back_some, stop)
        await asyncio.to_thread(self._checkpoint)

    async def _repeat(self, writes: WriteQueue, part: Callable[[Connection], bool], stop: asyncio.Event) -> None:
        while not stop.is_set() and await write(writes, part):
            await pause(stop, _BREATH)

    async def _repeat_in_time(self, part: Callable[[Connection, int], bool], stop: asyncio.Event) -> None:
        batch, began = Batch(), 0.0

        def timed(connection: Connection) -> bool:
            nonlocal began
            began = time.monotonic()
            return part(connection, batch.size)

        while not stop.is_set() and await write(self._writes, timed):
            await pause(stop, batch.rest(time.monotonic() - began, self._is_quiet()))

    def _clock_jumped(self) -> bool:
        before, self._offset = self._offset, self._offset_now()
        return abs(self._offset - before) > _JUMP

    def _offset_now(self) -> int:
        return self._clock() - round(self._monotonic() * SECOND)

    def _add_months(self, connection: Connection) -> bool:
        return add_months(connection, self._clock())

    def _sum_some(self, connection: Connection) -> bool:
        return add_hours(connection, self._clock())

    def _forget_month(self, connection: Connection) -> bool:
        return forget_month(connection, self._kept(), self._clock())

    def _forget_some(self, connection: Connection, most: int) -> bool:
        return forget_some(connection, self._kept(), self._clock(), most)


class RefusalCounts:
    def __init__(self, counters: Counters, recorder: Recorder, clock: Clock, shard: Callable[[], int]) -> None:
        self._counters = counters
        self._recorder = recorder
        self._clock = clock
        self._shard = shard

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop`. Raises what writing raises; counts that were not written are kept for the next try."""
        while not stop.is_set():
            await pause(stop, _COUNTS_WRITTEN_EVERY)
            await self.write()

    async def write(self) -> None:
        await self._write_remarks()
        taken = self._counters.take_refused()
        if not taken:
            return
        counts = {(source.name, str(why)): count for (source, why), count in taken.items()}
        now = self._clock()
        try:
            await write(self._recorder, lambda tx: missed_requests.note_refusals(tx, counts, now, self._shard()))
        except BaseException:
            for (source, why), count in taken.items():
                self._counters.refuse(source, why, count)
            raise

    async def _write_remarks(self) -> None:
        taken = self._counters.take_remarks()
        if not taken:
            return
        now = self._clock()
        try:
            await write(self._recorder, lambda tx: remarks.note(tx, taken, now))
        except BaseException:
            for name, each in taken.items():
                self._counters.remark(source_named(name), each)
            raise
