"""One post of agents' calls to another collector, and what its answer means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw, Struct

from spendtop.domain.errors import CannotWrite
from spendtop.domain.sources.records import AGENT_PUSHES
from spendtop.sources.pollers.http_client import retry_after

if TYPE_CHECKING:
    import httpx

_SECONDS = 60.0
"""A collector waits for a locked store, too."""
_MOST_ANSWER = 4 << 20
_FAULT_OF_THE_CALLS = frozenset({400, 413, 422})
"""What is answered to calls that will never be taken; all else may pass."""


class PostFailed(CannotWrite):
    """The calls have to be sent again."""

    def __init__(self, sentence: str, wait: float = 0.0, *, is_passing: bool = True) -> None:
        super().__init__(sentence)
        self.wait = wait
        """Seconds after which to come again, where the other side says so."""
        self.is_passing = is_passing
        """Whether it may be gone by itself; else somebody has to change a setting."""


class Taken(Struct, frozen=True):
    """How many calls were new there, known already, and refused for good."""

    new: int = 0
    known: int = 0
    refused: int = 0

    def __add__(self, other: Taken) -> Taken:
        return Taken(self.new + other.new, self.known + other.known, self.refused + other.refused)


class _CallResult(Struct):
    status: str


class _PostAnswer(Struct):
    results: list[_CallResult]


class AgentPoster:
    """Posts to one collector."""

    def __init__(self, client: httpx.AsyncClient, address: str) -> None:
        self._client = client
        self._address = address

    async def post(self, items: Sequence[Raw]) -> Taken:
        """Whatever is not refused is durable there. Where some calls spoil a whole post, the others are found by
        halves. Raises PostFailed."""
        import httpx

        body = b"[" + b",".join(map(bytes, items)) + b"]"
        try:
            async with (
                asyncio.timeout(_SECONDS),
                self._client.stream("POST", self._address, content=body) as response,
            ):
                answer = b"".join([chunk async for chunk in response.aiter_raw()])[:_MOST_ANSWER]
        except (httpx.HTTPError, TimeoutError) as failure:
            sentence = f"{self._address} cannot be reached ({type(failure).__name__}); it is tried again"
            raise PostFailed(sentence) from None
        results = _results(answer)
        if results is not None and len(results) == len(items) and response.status_code in (200, 207, 422):
            new, known = results.count("stored"), results.count("duplicate")
            return Taken(new, known, len(results) - new - known)
        if response.status_code in _FAULT_OF_THE_CALLS and len(items) == 1:
            return Taken(refused=1)
        if response.status_code in _FAULT_OF_THE_CALLS:
            half = len(items) // 2
            return await self.post(items[:half]) + await self.post(items[half:])
        raise self._failure(response)

    def _failure(self, response: httpx.Response) -> PostFailed:
        who, status = self._address, response.status_code
        if status in (401, 403):
            fix = "set push_key under [agents] to an ingest key of it"
            return PostFailed(f"{who} refuses the key ({status}): {fix}", is_passing=False)
        if status < 400 or status == 404:
            fix = "check the address, and that a collector of this version is there"
            return PostFailed(f"{who} answers {status}, but not as a collector does: {fix}", is_passing=False)
        wait = retry_after(response) or 0.0
        return PostFailed(f"{who} {'asks to wait' if status == 429 else f'answers {status}'}; it is tried again", wait)


@asynccontextmanager
async def posting(url: str, key: str) -> AsyncIterator[AgentPoster]:
    """What posts to the collector at this address, over one connection."""
    import httpx

    from spendtop import __version__

    tls = await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
    headers = {
        "User-Agent": f"spendtop/{__version__}",
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "X-Ingest-Key": key,
    }
    async with httpx.AsyncClient(
        headers=headers, timeout=_SECONDS, follow_redirects=False, trust_env=False, verify=tls
    ) as client:
        yield AgentPoster(client, url.removesuffix(AGENT_PUSHES.path) + AGENT_PUSHES.path)


def _results(answer: bytes) -> list[str] | None:
    """What became of each call; None where this is no such answer."""
    try:
        return [each.status for each in msgspec.json.decode(answer, type=_PostAnswer).results]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
