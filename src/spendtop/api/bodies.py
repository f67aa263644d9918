"""Reading a request's body without ever holding more than its route takes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from spendtop.api.answers import Answer, Receive, Scope, error
from spendtop.api.guards import header_values

LARGE = 256 * 1024
"""From this many bytes on a body counts as large."""
MOST_LARGE = 6
"""Large bodies that are read at once: nobody is known before the last byte of what they send."""


class Disconnected(Exception):
    """The client went away before its request was complete."""


async def read_body(
    scope: Scope, receive: Receive, most: int, large: asyncio.Semaphore | None = None
) -> bytes | Answer:
    """The whole body, or the refusal of one above `most` bytes: at once by its announced length, else while it comes.

    A body that turns out LARGE takes a place of `large` until it is complete; the sender waits for one.
    Raises Disconnected.
    """
    announced = header_values(scope, b"content-length")
    if announced and int(announced[0]) > most:
        return _too_large(most)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message["body"]
        return body if len(body) <= most else _too_large(most)
    chunks = bytearray()
    async with AsyncExitStack() as places:
        has_place = large is None
        while message["type"] == "http.request":
            chunks += message["body"]
            if len(chunks) > most:
                return _too_large(most)
            if not message.get("more_body", False):
                return bytes(chunks)
            if large is not None and not has_place and len(chunks) > LARGE:
                await places.enter_async_context(large)
                has_place = True
            message = await receive()
    raise Disconnected


def _too_large(most: int) -> Answer:
    return error(413, "too_large", f"The body is larger than {most:,} bytes.")
