"""What the management APIs of providers have in common: nothing is made twice, and a conflict is looked at again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from spendtop.domain.sources.push_health import Destination
from spendtop.sources.destinations import Made, leading_to
from spendtop.sources.pollers import PollFailed
from spendtop.sources.pollers.http_client import Advise, FetchBounds, Fetcher, Rejected

ASKED = FetchBounds(attempts=4, total=90.0)
ONCE = FetchBounds(attempts=1)
"""What makes something is never asked twice without a look whether it is there."""
_ATTEMPTS = 4
_PATIENCE = 30.0
"""Seconds that are waited for at most before something is tried again."""
_CONFLICT = 409


class DestinationAccount:
    """Asks one provider about its destinations. All methods raise PollFailed; KeyRefused where the key is at fault."""

    def __init__(
        self, who: str, path: str, base_url: str, headers: Mapping[str, str], advise: Advise, bounds: FetchBounds
    ) -> None:
        self.who = who
        self._path = path
        self.fetcher = Fetcher(who, base_url, headers, advise=advise, bounds=bounds)
        self._making = Fetcher(who, base_url, headers, advise=advise, bounds=ONCE)

    async def create(self, body: Mapping[str, Any]) -> object:
        """Asked once."""
        return await self._making.json("POST", self._path, body=body)

    async def change(self, method: str, destination: Destination, body: Mapping[str, Any]) -> object:
        return await self.fetcher.json(method, self.place(destination), body=body)

    async def delete(self, destination: Destination) -> None:
        """Remove it; one that is not there any more is fine. The answer may be empty."""
        try:
            async with self.fetcher.poll() as poll:
                await poll.answer("DELETE", self.place(destination))
        except Rejected as rejected:
            if rejected.status != 404:
                raise

    async def make(
        self,
        address: str,
        look: Callable[[], Coroutine[Any, Any, Sequence[Destination]]],
        settle: Callable[[Destination | None], Coroutine[Any, Any, Destination]],
    ) -> Made:
        """The destination to an address as `settle` changes the one that is there, or makes one.

        After a conflict, and when the provider wants to be asked later, it is looked at anew.
        """
        for attempt in range(_ATTEMPTS):
            there = leading_to(await look(), address)
            try:
                return Made(await settle(there), is_new=there is None)
            except PollFailed as failure:
                is_conflict = isinstance(failure, Rejected) and failure.status == _CONFLICT
                if attempt == _ATTEMPTS - 1 or not (is_conflict or failure.retry_after is not None):
                    raise
                await asyncio.sleep(0 if failure.retry_after is None else min(failure.retry_after, _PATIENCE))
        raise AssertionError("the last attempt returns or raises")

    def place(self, destination: Destination) -> str:
        """The path of one destination. Raises PollFailed for an id that is none."""
        name = destination.id
        if not (name.isascii() and name.replace("_", "").replace("-", "").isalnum()):
            raise PollFailed(f"{self.who}'s destinations have no such id; list them")
        return f"{self._path}/{name}"
