"""The loop that runs the evaluator's rules (`services.alerting.evaluator`) soon after each commit that left marks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Connection

from spendtop.collector.supervisor import pause, wait_for_any
from spendtop.domain.clock import Clock
from spendtop.services.alerting.announcements import Announcement
from spendtop.services.alerting.evaluator import TURN_SECONDS, Evaluator, has_ended
from spendtop.services.alerting.outbox import free_abandoned
from spendtop.services.recording.recorder import Recorder
from spendtop.services.stores.lease import RENEW_SECONDS, Ownership
from spendtop.store.engine import Store
from spendtop.store.transactions import read, write

_BREATH = 0.2
"""Seconds between two turns while marks keep coming."""
_GIVING_WAY = TURN_SECONDS
"""Seconds between two turns while there is a backlog: recording gets as much of the writer's time."""
_LOOK = 0.4
"""Seconds between two looks for marks that other collectors of the same PostgreSQL left."""


class EvaluatorLoop:
    """Runs the evaluator when a commit marked limits, and every `revisit` seconds for what falls by itself."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        ownership: Ownership,
        evaluator: Callable[[], Evaluator],
        clock: Clock,
        on_announced: Callable[[Sequence[Announcement]], None],
        revisit: float = RENEW_SECONDS,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._ownership = ownership
        self._evaluator = evaluator
        self._clock = clock
        self._on_announced = on_announced
        self._revisit = revisit
        self._marked = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._revisit_at = 0.0
        self._began_at: float | None = None
        """Monotonic seconds at which the turn began that is under way."""
        self.owns = False
        """Whether evaluating and delivering is ours."""

    @property
    def still_for(self) -> float:
        """Seconds for which one turn has taken, with what it waits for the writer."""
        since = self._began_at
        return 0.0 if since is None else time.monotonic() - since

    @property
    def amiss(self) -> str | None:
        """Which limits cannot be evaluated here, as a sentence."""
        return self._evaluator().postponed_words(self._clock()) if self.owns else None

    def wake(self) -> None:
        """A commit left marks. May be called from any thread."""
        if self._loop is not None and not self._marked.is_set():
            with suppress(RuntimeError):  # the loop is closed: the next start finds the marks
                self._loop.call_soon_threadsafe(self._marked.set)

    async def run(self, stop: asyncio.Event) -> None:
        """Evaluate until the stop event; first what a crash may have left."""
        self._loop = asyncio.get_running_loop()
        self._revisit_at = 0.0
        try:
            while not stop.is_set():
                self._marked.clear()
                self._began_at = time.monotonic()
                some_left = await self._turn(self._loop.time())
                self._began_at = None
                await pause(stop, _GIVING_WAY if some_left else _BREATH)
                if not some_left:
                    await self._wait_for_marks(stop)
        finally:
            self.owns, self._began_at = False, None

    async def release(self) -> None:
        """Leave evaluating, polling and delivering to others, once all that was ours is stored."""
        with suppress(Exception):  # on a lost database the lease ends by itself
            await write(self._recorder, self._ownership.release)

    async def _turn(self, now: float) -> bool:
        """One turn at what is marked, and when that is due, once the lease is renewed, one at what falls by itself.

        Each is a transaction of its own. True when the next turn need not wait for anything.
        """
        some_left = False
        if now >= self._revisit_at:
            self._ownership.epoch = await write(self._recorder, self._renewed)
            self.owns = self._ownership.epoch > 0
            has_fallen = await self._told(self._revisited)
            self._revisit_at = 0.0 if has_fallen else now + self._revisit
            some_left |= has_fallen
        return await self._told(self._evaluated) or some_left

    async def _told(self, work: Callable[[Connection], tuple[list[Announcement], bool]]) -> bool:
        announced, some_left = await write(self._recorder, work)
        if announced:
            self._on_announced(announced)
        return some_left

    def _renewed(self, connection: Connection) -> int:
        """The epoch in which all is ours. What others were sending when we took over is sent again: they cannot store
        any more that they did."""
        epoch = self._ownership.renew(connection)
        if epoch not in (0, self._ownership.epoch):
            free_abandoned(connection)
        return epoch

    def _revisited(self, connection: Connection) -> tuple[list[Announcement], bool]:
        self.owns = self._ownership.holds(connection, self._ownership.epoch)
        if not self.owns:
            return [], False
        at = self._clock()
        return self._evaluator().revisit(connection, at), has_ended(connection, at)

    def _evaluated(self, connection: Connection) -> tuple[list[Announcement], bool]:
        self.owns = self._ownership.holds(connection, self._ownership.epoch)
        if not self.owns:
            return [], False
        evaluator, at = self._evaluator(), self._clock()
        return evaluator.evaluate(connection, at), evaluator.has_marks(connection, at)

    def _has_marks(self, connection: Connection) -> bool:
        return self._evaluator().has_marks(connection, self._clock())

    async def _wait_for_marks(self, stop: asyncio.Event) -> None:
        """Return when there are marks, when it is time to revisit, or at the stop event."""
        while not stop.is_set() and not self._marked.is_set():
            left = self._revisit_at - asyncio.get_running_loop().time()
            shared = self.owns and not self._store.is_sqlite
            if left <= 0 or (shared and await read(self._store, self._has_marks)):
                return
            await wait_for_any(self._marked, stop, seconds=min(left, _LOOK) if shared else left)
