"""Room for the large bodies of one source, so that no number of senders makes us hold more than so many bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MOST_LARGE = 6
"""Large bodies that are read at once: nobody is known before the last byte of what they send."""
MOST_WAITING = 256 * 1024 * 1024
"""Bytes of events that wait for the writer while further large bodies are read."""


class BodyPlaces:
    """A few large bodies are read at once, and none while too many bytes wait for the writer; senders wait meanwhile.

    In the order of their coming. Used in one loop only.
    """

    def __init__(self, places: int = MOST_LARGE, most_waiting: int = MOST_WAITING) -> None:
        self._free = places
        self._most_waiting = most_waiting
        self._waiting = 0
        self._asking = 0
        self._changed = asyncio.Condition()

    @property
    def are_wanted(self) -> bool:
        """Whether somebody waits for a place."""
        return self._asking > 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Waits for a place, and has it until the block ends."""
        async with self._changed:
            self._asking += 1
            try:
                await self._changed.wait_for(self._has_room)
            finally:
                self._asking -= 1
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
