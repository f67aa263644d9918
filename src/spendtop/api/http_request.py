"""One HTTP request: its headers read once, its body never held beyond what its route takes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from spendtop.api.answers import Receive, Refused, Scope, error
from spendtop.api.counters import Count

LARGE = 256 * 1024
"""From this many bytes on a body counts as large."""
MOST_LARGE = 6
"""Large bodies that are read at once: nobody is known before the last byte of what they send."""


class Disconnected(Exception):
    """The client went away before its request was complete."""


class HttpRequest:
    """What a client asks, before its body is read."""

    __slots__ = ("headers", "method", "path", "peer", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.peer: str = scope["client"][0] if scope["client"] else ""
        self.headers: dict[bytes, list[bytes]] = {}
        """Lower-case name to all values."""
        for name, value in scope["headers"]:
            self.headers.setdefault(name, []).append(value)

    def header(self, name: bytes) -> Sequence[bytes]:
        """All values of a header; `name` is lower-case."""
        return self.headers.get(name, ())

    async def body(self, most: int, large: asyncio.Semaphore | None = None) -> bytes:
        """The whole body. One above `most` bytes is refused at once by its announced length, else while it comes.

        A body that turns out LARGE takes a place of `large` until it is complete; the sender waits for one.
        Raises Refused, and Disconnected.
        """
        announced = self.headers.get(b"content-length")
        if announced and int(announced[0]) > most:
            raise _too_large(most)
        message = await self.receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            body: bytes = message["body"]
            if len(body) > most:
                raise _too_large(most)
            return body
        chunks = bytearray()
        async with AsyncExitStack() as places:
            has_place = large is None
            while message["type"] == "http.request":
                chunks += message["body"]
                if len(chunks) > most:
                    raise _too_large(most)
                if not message.get("more_body", False):
                    return bytes(chunks)
                if large is not None and not has_place and len(chunks) > LARGE:
                    await places.enter_async_context(large)
                    has_place = True
                message = await self.receive()
        raise Disconnected


def _too_large(most: int) -> Refused:
    return Refused(error(413, "too_large", f"The body is larger than {most:,} bytes."), Count.INGEST_TOO_LARGE)
