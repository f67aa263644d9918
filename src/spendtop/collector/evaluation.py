"""The evaluator's loop: marks become alerts soon after the commit that left them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Connection

from spendtop.collector.supervisor import pause
from spendtop.domain.clock import Clock
from spendtop.services.announcing import Announcement
from spendtop.services.evaluating import Evaluator
from spendtop.services.lease import Ownership
from spendtop.services.recorder import Recorder

_BREATH = 0.05
"""Seconds between two passes while marks keep coming."""
_REVISIT = 5.0
"""Seconds between two looks at unresolved alerts, which also renew the lease."""


class Evaluation:
    """Runs the evaluator when a commit marked limits, and regularly for what falls by itself."""

    def __init__(
        self,
        recorder: Recorder,
        ownership: Ownership,
        evaluator: Callable[[], Evaluator],
        clock: Clock,
        on_announced: Callable[[Sequence[Announcement]], None],
    ) -> None:
        self._recorder = recorder
        self._ownership = ownership
        self._evaluator = evaluator
        self._clock = clock
        self._on_announced = on_announced
        self._marked = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._revisit_at = 0.0
        self.owns = False
        """Whether evaluating and delivering is ours."""

    def wake(self) -> None:
        """A commit left marks. May be called from any thread."""
        if self._loop is not None and not self._marked.is_set():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._marked.set)

    async def run(self, stop: asyncio.Event) -> None:
        """Evaluate until the stop event; first what a crash may have left."""
        self._loop = asyncio.get_running_loop()
        while not stop.is_set():
            self._marked.clear()
            await self._pass(self._loop.time())
            await pause(stop, _BREATH)
            await self._news(stop)
        with suppress(Exception):  # on a lost database the lease ends by itself
            await asyncio.wrap_future(self._recorder.run(self._ownership.release))

    async def _news(self, stop: asyncio.Event) -> None:
        """Return when there are marks, when it is time to revisit, or at the stop event."""
        wait = max(0.0, self._revisit_at - asyncio.get_running_loop().time())
        marked, stopped = asyncio.ensure_future(self._marked.wait()), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((marked, stopped), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        finally:
            marked.cancel()
            stopped.cancel()

    async def _pass(self, now: float) -> None:
        work = self._marks
        if now >= self._revisit_at:
            self._revisit_at = now + _REVISIT
            work = self._everything
        announced = await asyncio.wrap_future(self._recorder.run(work))
        if announced:
            self._on_announced(announced)

    def _marks(self, connection: Connection) -> list[Announcement]:
        self.owns = self._ownership.holds(connection)
        return self._evaluator().evaluate(connection, self._clock()) if self.owns else []

    def _everything(self, connection: Connection) -> list[Announcement]:
        self.owns = self._ownership.renew(connection)
        if not self.owns:
            return []
        evaluator, now = self._evaluator(), self._clock()
        return evaluator.evaluate(connection, now) + evaluator.revisit(connection, now)
