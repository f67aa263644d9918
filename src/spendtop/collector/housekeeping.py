"""What the collector does by the clock: sum hours by days, forget what is too old, and write down refusals."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection

from spendtop.api.counters import Counters
from spendtop.collector.supervisor import pause
from spendtop.domain.clock import MINUTE, SECOND, Clock
from spendtop.domain.sources.records import source_named
from spendtop.services.recording import missed_requests, remarks
from spendtop.services.recording.recorder import Recorder
from spendtop.services.retention import RetentionPeriods, forget_some
from spendtop.services.stores.lease import LostLease
from spendtop.store.day_totals import add_hours
from spendtop.store.dictionaries import forget_unused
from spendtop.store.free_pages import give_back_some
from spendtop.store.partitions import add_months
from spendtop.store.transactions import WriteQueue, write

_FIRST = 60.0
_EVERY = 3600.0
BREATH = 0.02
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
    `waits` are the seconds before the first round and between two.
    """

    def __init__(
        self,
        writes: WriteQueue,
        kept: Callable[[], RetentionPeriods],
        clock: Clock,
        owns: Callable[[], bool],
        checkpoint: Callable[[], None],
        waits: tuple[float, float] = (_FIRST, _EVERY),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writes = writes
        self._kept = kept
        self._clock = clock
        self._owns = owns
        self._checkpoint = checkpoint
        self._first, self._every = waits
        self._monotonic = monotonic
        self._offset = self._offset_now()

    async def run(self, stop: asyncio.Event) -> None:
        await pause(stop, self._first)
        while not stop.is_set():
            if self._clock_jumped():
                _log.warning("the clock has jumped; nothing is forgotten until it has been steady for a while")
            elif self._owns():
                with suppress(LostLease):
                    await self._work(stop)
            await pause(stop, self._every)

    async def _work(self, stop: asyncio.Event) -> None:
        for part in (self._add_months, self._sum_some, self._forget_some, forget_unused, give_back_some):
            while not stop.is_set() and await write(self._writes, part):
                await pause(stop, BREATH)
        await asyncio.to_thread(self._checkpoint)

    def _clock_jumped(self) -> bool:
        before, self._offset = self._offset, self._offset_now()
        return abs(self._offset - before) > _JUMP

    def _offset_now(self) -> int:
        return self._clock() - round(self._monotonic() * SECOND)

    def _add_months(self, connection: Connection) -> bool:
        return add_months(connection, self._clock())

    def _sum_some(self, connection: Connection) -> bool:
        return add_hours(connection, self._clock())

    def _forget_some(self, connection: Connection) -> bool:
        return forget_some(connection, self._kept(), self._clock())


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
