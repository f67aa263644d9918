"""Room for the large bodies of one source, so that no number of senders makes us hold more than so many bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

MOST_LARGE = 6
"""Large bodies that are read at once: nobody is known before the last byte of what they send."""
MOST_WAITING = 256 * 1024 * 1024
"""Bytes of events that wait for the writer while further large bodies are read."""
_READ_PER_SECOND = 1024 * 1024


class BodyPlaces:
    """A few large bodies are read at once, and none while too many bytes wait for the writer; senders wait meanwhile.

    In the order of their coming, where one goes before those that came earlier and are so much larger that their
    reading would take longer than that. Used in one loop only.
    """

    def __init__(self, places: int = MOST_LARGE, most_waiting: int = MOST_WAITING) -> None:
        self._free = places
        self._most_waiting = most_waiting
        self._waiting = 0
        self._asking: list[tuple[float, int]] = []
        self._turns = count()
        self._changed = asyncio.Condition()

    @property
    def are_wanted(self) -> bool:
        """Whether somebody waits for a place."""
        return bool(self._asking)

    @asynccontextmanager
    async def place(self, size: int) -> AsyncIterator[None]:
        """Waits for a place for a body of at most `size` bytes, and has it until the block ends."""
        turn = asyncio.get_running_loop().time() + size / _READ_PER_SECOND, next(self._turns)
        async with self._changed:
            self._asking.append(turn)
            try:
                await self._changed.wait_for(lambda: self._has_room() and turn == min(self._asking))
            finally:
                self._asking.remove(turn)
                self._changed.notify_all()
            self._free -= 1
        try:
            yield
        finally:
            self._free += 1
            await self._tell()

    @asynccontextmanager
    async def waiting(self, size: int) -> AsyncIterator[None]:
        """So many bytes wait for the writer until the block ends."""
        self._waiting += size
        try:
            yield
        finally:
            self._waiting -= size
            if self._asking:
                await self._tell()

    def _has_room(self) -> bool:
        return self._free > 0 and self._waiting <= self._most_waiting

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
