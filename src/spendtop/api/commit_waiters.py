"""Outcomes on their way from the writer's thread to the handlers that wait for them in the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

Outcome = TypeVar("Outcome")


class Acks(Generic[Outcome]):
    """Wakes the loop once for all outcomes of a committed group, not once per waiter."""

    def __init__(self) -> None:
        self._arrived: deque[tuple[asyncio.Future[Sequence[Outcome]], Sequence[Outcome] | Exception]] = deque()
        self._loop_is_called = False

    def waiter(self) -> tuple[asyncio.Future[Sequence[Outcome]], Callable[[Sequence[Outcome] | Exception], None]]:
        """A future of the running loop, and the callback that settles it from any thread."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[Outcome]] = loop.create_future()

        def done(result: Sequence[Outcome] | Exception) -> None:
            self._arrived.append((future, result))
            if not self._loop_is_called:
                self._loop_is_called = True
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._settle)

        return future, done

    def _settle(self) -> None:
        # Cleared first: what arrives from here on calls the loop again, so nothing is left behind.
        self._loop_is_called = False
        while self._arrived:
            future, result = self._arrived.popleft()
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
