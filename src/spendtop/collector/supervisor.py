"""Loops that must go on: a failure is logged, counted and followed by a new start, ever less eagerly."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from spendtop.domain.errors import CannotWrite, NoPermission, SpendtopError, StoreCorrupt

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0
_LONGEST_EXPECTED = 5.0
"""Seconds before a new start after what was no fault of the loop: the store could not be used."""
_OF_THE_STORE = (CannotWrite, StoreCorrupt, NoPermission)
_log = logging.getLogger(__name__)

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""Runs until the event is set."""


class Supervisor:
    """Keeps loops running. `waits` are the first and the longest pause before a new start, in seconds.

    A loop that has run for the longest pause since its last start counts as well again.
    """

    def __init__(self, stop: asyncio.Event, waits: tuple[float, float] = (_FIRST_WAIT, _LONGEST_WAIT)) -> None:
        self._stop = stop
        self._first, self._longest = waits
        self._failures: dict[str, int] = {}
        self._said: dict[str, str] = {}

    @property
    def failures(self) -> Mapping[str, int]:
        """How often each loop has failed in a row, without those that run well or fail because of the store: that is
        said elsewhere."""
        return {name: count for name, count in self._failures.items() if name not in self._said}

    @property
    def amiss(self) -> str | None:
        """Which loops fail, as a sentence."""
        names = " and ".join(sorted(self.failures))
        return f"Failed and started again: {names}. The log says why." if names else None

    async def keep(self, name: str, loop: Loop) -> None:
        """Run a loop until the stop event, starting it anew when it fails."""
        while not self._stop.is_set():
            recovery = asyncio.get_running_loop().call_later(self._longest, self._recovered, name)
            try:
                await loop(self._stop)
            except (Exception, SystemExit) as failure:  # a library that ends the program ends only its loop
                recovery.cancel()
                failed = self._failures[name] = self._failures.get(name, 0) + 1
                self._log_failure(name, failure)
                longest = self._longest if _expected(failure) is None else min(_LONGEST_EXPECTED, self._longest)
                await pause(self._stop, min(self._first * 2 ** (failed - 1), longest))
            else:
                recovery.cancel()
                self._recovered(name)
                await pause(self._stop, self._first)

    def _recovered(self, name: str) -> None:
        self._failures.pop(name, None)
        self._said.pop(name, None)

    def _log_failure(self, name: str, failure: BaseException) -> None:
        """What the store refused is said in a sentence, and once while it stays the same."""
        expected = _expected(failure)
        if expected is None:
            self._said.pop(name, None)
            _log.error("%s failed", name, exc_info=failure)
        elif self._said.get(name) != str(expected):
            self._said[name] = str(expected)
            _log.error("%s failed: %s", name, expected)


def _expected(failure: BaseException) -> SpendtopError | None:
    """What the store refused, also out of a group of nothing else."""
    if isinstance(failure, _OF_THE_STORE):
        return failure
    if not isinstance(failure, BaseExceptionGroup):
        return None
    each = [_expected(one) for one in failure.exceptions]
    return None if None in each else each[0]


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait for so many seconds, or until the stop event."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def wait_for_any(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Wait until one of the events is set, at most so many seconds."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
