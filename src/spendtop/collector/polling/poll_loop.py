"""Asking the providers: one poll in flight per source, on time, slower while it fails, and never in a webhook's way."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from spendtop.collector.supervisor import pause, wait_for_any
from spendtop.domain.clock import SECOND, Clock
from spendtop.domain.errors import SpendtopError
from spendtop.services import checkpoints
from spendtop.services.recording import remarks
from spendtop.services.stores.lease import LostLease
from spendtop.sources import unknown_fields
from spendtop.sources.pollers import KeyRefused, PollFailed, connections
from spendtop.store.transactions import WriteQueue, write

_JITTER = 0.1
_LOOK = 0.5
"""Seconds between two looks whether polling is ours."""
_KEY_REFUSED_WAIT = 3600.0
_LONGEST_WAIT = 900.0
"""Seconds; a provider that names a longer time is asked then all the same."""
_log = logging.getLogger(__name__)


class PollSteps(Protocol):
    """What a poller does in one step."""

    name: str
    """Also of its checkpoint."""
    every: int
    """µs between two polls."""

    async def step(self, run_began_at: int) -> bool:
        """Ask, and store what came with the checkpoint in one transaction; whether to go on at once.

        Raises PollFailed.
        """


class PollLoop:
    """Polls one source for ever."""

    def __init__(self, steps: PollSteps, writes: WriteQueue, clock: Clock, owns: Callable[[], bool]) -> None:
        self._steps = steps
        self._writes = writes
        self._clock = clock
        self._owns = owns
        self._wanted = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def name(self) -> str:
        return self._steps.name

    async def poll_now(self) -> None:
        """Poll at once, whatever was agreed, and wait for the end of that poll, successful or not."""
        polled = asyncio.get_running_loop().create_future()
        self._waiting.append(polled)
        self._wanted.set()
        await polled

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until the stop event, while polling is ours."""
        try:
            while not stop.is_set():
                while not self._owns() and not stop.is_set():
                    await pause(stop, _LOOK)
                if not stop.is_set():
                    self._wanted.clear()
                    waiting, self._waiting = self._waiting, []
                    try:
                        seconds = await self.poll(stop)
                    except LostLease:
                        seconds = _LOOK
                    finally:
                        _tell(waiting)
                    await wait_for_any(self._wanted, stop, seconds=seconds)
        finally:
            _tell(self._waiting)

    async def poll(self, stop: asyncio.Event) -> float:
        """One whole poll, step by step; returns how many seconds to wait for the next one."""
        every = self._steps.every / SECOND
        began_at = self._clock()
        try:
            with unknown_fields.collecting() as unknown:
                async with connections.kept():
                    while not stop.is_set() and self._owns() and await self._steps.step(began_at):
                        pass
            if unknown:
                await self._remark(unknown)
        except PollFailed as failure:
            failures = await self._note(str(failure))
            _log.debug("poller %s: failed, %d in a row", self._steps.name, failures)
            if isinstance(failure, KeyRefused):
                return _KEY_REFUSED_WAIT
            asked = failure.retry_after if failure.retry_after is not None else every * 2 ** min(failures - 1, 10)
            return max(min(asked, _LONGEST_WAIT), min(every, 1.0))
        except SpendtopError:  # nothing of the source: the store cannot be used
            raise
        except Exception:
            _log.exception("polling %s failed", self._steps.name)
            await self._note("This failed here; the collector's log says more.")
            return min(every, _LONGEST_WAIT)
        _log.debug("poller %s: polled", self._steps.name)
        return every * random.uniform(1 - _JITTER, 1 + _JITTER)

    async def _remark(self, unknown: Mapping[str, int]) -> None:
        """Count what answers had that nobody knows."""
        now, ignored = self._clock(), {self._steps.name: unknown_fields.remarks(unknown)}
        await write(self._writes, lambda tx: remarks.note(tx, ignored, now))

    async def _note(self, sentence: str) -> int:
        now = self._clock()
        return await write(self._writes, lambda tx: checkpoints.failed(tx, self._steps.name, sentence, now))


def _tell(waiting: Iterable[asyncio.Future[None]]) -> None:
    for polled in waiting:
        if not polled.done():
            polled.set_result(None)
