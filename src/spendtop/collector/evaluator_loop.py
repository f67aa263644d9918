"""The loop that runs the evaluator's rules (`services.evaluator`) soon after each commit that left marks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Connection

from spendtop.collector.supervisor import pause, wait_for_any
from spendtop.domain.clock import Clock
from spendtop.services.alert_messages import Announcement
from spendtop.services.evaluator import Evaluator, has_marks
from spendtop.services.lease import RENEW_SECONDS, Ownership
from spendtop.services.recorder import Recorder
from spendtop.store.engine import Store
from spendtop.store.transactions import read, write

_BREATH = 0.2
"""Seconds between two passes while marks keep coming."""
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
                await self._wait_for_marks(stop)
        finally:
            self.owns = False
        with suppress(Exception):  # on a lost database the lease ends by itself
            await write(self._recorder, self._ownership.release)

    async def _pass(self, now: float) -> None:
        """One transaction of evaluating; with it, when that is due, the lease is renewed and what falls looked at."""
        revisits = now >= self._revisit_at
        if revisits:
            self._revisit_at = now + self._revisit

        def work(connection: Connection) -> tuple[list[Announcement], bool]:
            self.owns = self._ownership.renew(connection) if revisits else self._ownership.holds(connection)
            if not self.owns:
                return [], False
            evaluator, at = self._evaluator(), self._clock()
            announced = evaluator.evaluate(connection, at)
            if revisits:
                announced += evaluator.revisit(connection, at)
            return announced, has_marks(connection)

        announced, marks_are_left = await write(self._recorder, work)
        if marks_are_left:
            self._marked.set()
        if announced:
            self._on_announced(announced)

    async def _wait_for_marks(self, stop: asyncio.Event) -> None:
        """Return when there are marks, when it is time to revisit, or at the stop event."""
        while not stop.is_set() and not self._marked.is_set():
            left = self._revisit_at - asyncio.get_running_loop().time()
            shared = self.owns and not self._store.is_sqlite
            if left <= 0 or (shared and await read(self._store, has_marks)):
                return
            await wait_for_any(self._marked, stop, seconds=min(left, _LOOK) if shared else left)
