"""The evaluator's loop: marks become alerts soon after the commit that left them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Connection

from spendtop.collector.supervisor import pause
from spendtop.domain.clock import Clock
from spendtop.services import limit_marks
from spendtop.services.alert_messages import Announcement
from spendtop.services.evaluator import Evaluator
from spendtop.services.lease import RENEW_SECONDS, Ownership
from spendtop.services.recorder import Recorder
from spendtop.store.engine import Store

_BREATH = 0.2
"""Seconds between two passes while marks keep coming."""
_LOOK = 0.4
"""Seconds between two looks for marks that other collectors of the same PostgreSQL left."""


class Evaluation:
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
        self.owns = False
        """Whether evaluating and delivering is ours."""

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
                await self._pass(self._loop.time())
                await pause(stop, _BREATH)
                await self._news(stop)
        finally:
            self.owns = False
        with suppress(Exception):  # on a lost database the lease ends by itself
            await asyncio.wrap_future(self._recorder.run(self._ownership.release))

    async def _news(self, stop: asyncio.Event) -> None:
        """Return when there are marks, when it is time to revisit, or at the stop event."""
        while not stop.is_set() and not self._marked.is_set():
            left = self._revisit_at - asyncio.get_running_loop().time()
            if left <= 0 or (self._is_shared and await asyncio.to_thread(self._others_marked)):
                return
            await self._wait(stop, min(left, _LOOK) if self._is_shared else left)

    async def _wait(self, stop: asyncio.Event, seconds: float) -> None:
        marked, stopped = asyncio.ensure_future(self._marked.wait()), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((marked, stopped), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            marked.cancel()
            stopped.cancel()

    @property
    def _is_shared(self) -> bool:
        return not self._store.is_sqlite and self.owns

    def _others_marked(self) -> bool:
        with self._store.reading() as connection:
            return limit_marks.are_left(connection)

    async def _pass(self, now: float) -> None:
        work = self._marks
        if now >= self._revisit_at:
            self._revisit_at = now + self._revisit
            work = self._everything
        announced, more = await asyncio.wrap_future(self._recorder.run(work))
        if more:
            self._marked.set()
        if announced:
            self._on_announced(announced)

    def _marks(self, connection: Connection) -> tuple[list[Announcement], bool]:
        """What is to be said about the marked limits, and whether some are left for the next pass."""
        self.owns = self._ownership.holds(connection)
        if not self.owns:
            return [], False
        return self._evaluator().evaluate(connection, self._clock()), limit_marks.are_left(connection)

    def _everything(self, connection: Connection) -> tuple[list[Announcement], bool]:
        self.owns = self._ownership.renew(connection)
        if not self.owns:
            return [], False
        evaluator, now = self._evaluator(), self._clock()
        announced = evaluator.evaluate(connection, now) + evaluator.revisit(connection, now)
        return announced, limit_marks.are_left(connection)
