"""One HTTP request: its headers read once, its body never held beyond what its route takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from spendtop.api.answers import Message, Receive, Refused, Scope, error
from spendtop.api.counters import Count
from spendtop.api.listener.body_places import BodyPlaces

LARGE = 256 * 1024
"""From this many bytes on a body counts as large."""
_TAKES_A_PLACE = 64 * 1024
"""From this many bytes on a body needs a place; the listener holds as much of any that is not read."""
_CONTESTED_SECONDS, _CONTESTED_RATE = 2.0, 256 * 1024
"""What a body may take with its place while others wait for one: seconds, and one more for each so many bytes."""
_LOOKS_EVERY = 0.25
_TOO_SLOW = error(408, "too_slow", "The request came too slowly while others waited. Send again.")


class Disconnected(Exception):
    """The client went away before its request was complete."""


class HttpRequest:
    """What a client asks, before its body is read."""

    __slots__ = ("beginning", "headers", "method", "path", "peer", "receive", "scope", "size")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.peer: str = scope["client"][0] if scope["client"] else ""
        self.size = 0
        """Bytes of the body, once it is read."""
        self.beginning = b""
        """Of the body."""
        self.headers: dict[bytes, list[bytes]] = {}
        """Lower-case name to all values."""
        for name, value in scope["headers"]:
            self.headers.setdefault(name, []).append(value)

    def header(self, name: bytes) -> Sequence[bytes]:
        """All values of a header; `name` is lower-case."""
        return self.headers.get(name, ())

    async def body(self, most: int, places: BodyPlaces | None = None) -> bytes:
        """The whole body. One above `most` bytes is refused at once by its announced length, else while it comes.

        A body that turns out to be large takes a place until it is complete; the sender waits for one, and gives it up
        by sending too slowly while others wait. Raises Refused, and Disconnected.
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
        async with AsyncExitStack() as stack:
            receive: Callable[[], Awaitable[Message]] = self.receive
            while message["type"] == "http.request":
                chunks += message["body"]
                if len(chunks) > most:
                    raise _too_large(most)
                if not message.get("more_body", False):
                    return bytes(chunks)
                if places is not None and len(chunks) > _TAKES_A_PLACE:
                    await stack.enter_async_context(places.place(int(announced[0]) if announced else most))
                    receive, places = _Contested(self.receive, places).receive, None
                message = await receive()
        raise Disconnected


class _Contested:
    """Receives the rest of a body that has a place."""

    def __init__(self, receive: Receive, places: BodyPlaces) -> None:
        self._receive = receive
        self._places = places
        self._loop = asyncio.get_running_loop()
        self._allowed_until = self._loop.time() + _CONTESTED_SECONDS

    async def receive(self) -> Message:
        """The next part. Raises Refused for a sender who is too slow for those who wait."""
        while True:
            look = max(self._allowed_until, self._loop.time() + _LOOKS_EVERY)
            try:
                async with asyncio.timeout_at(look):
                    message = await self._receive()
            except TimeoutError:
                if self._places.are_wanted:
                    raise Refused(_TOO_SLOW) from None
            else:
                self._allowed_until += len(message.get("body", b"")) / _CONTESTED_RATE
                return message


def _too_large(most: int) -> Refused:
    return Refused(
        error(413, "too_large", f"The body is larger than {most:,} bytes. Send less at once."), Count.INGEST_TOO_LARGE
    )
