"""Reading a provider's requests page by page: while one page is stored, the next one is asked for already."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from spendtop.sources.pollers import PolledPage, RequestPoller

Stored = TypeVar("Stored")


class ReadAhead:
    """Gives pages one after the other, and asks for one ahead at most.

    What was asked for ahead is only given where the store stands at its cursor by then; a failure to get it is raised
    in its turn, when all before it is stored.
    """

    def __init__(self, poller: RequestPoller) -> None:
        self._poller = poller
        self._ahead: tuple[str, PolledPage | BaseException] | None = None

    async def page(self, cursor: str | None, now: int) -> PolledPage:
        """The page behind a cursor; the first one for None. Raises PollFailed."""
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead[0] != cursor:
            return await self._poller.step(cursor, now)
        if isinstance(ahead[1], BaseException):
            raise ahead[1]
        return ahead[1]

    async def beside(self, storing: Coroutine[Any, Any, Stored], page: PolledPage, now: int) -> Stored:
        """Store a page, and ask for the one behind it meanwhile. Gives and raises what storing does."""
        if not page.reads_on:
            return await storing
        asking = asyncio.ensure_future(self._poller.step(page.cursor, now))
        try:
            stored = await storing
        except BaseException:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            raise
        (asked,) = await asyncio.gather(asking, return_exceptions=True)
        self._ahead = page.cursor, asked
        return stored
