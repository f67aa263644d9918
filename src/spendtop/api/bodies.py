"""Reading a request's body without ever holding more than its route takes."""

from __future__ import annotations

from spendtop.api.answers import Answer, Receive, Scope, error
from spendtop.api.guards import header_values


class Disconnected(Exception):
    """The client went away before its request was complete."""


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes | Answer:
    """The whole body, or the refusal of one above `most` bytes: at once by its announced length, else while it comes.

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
    while message["type"] == "http.request":
        chunks += message["body"]
        if len(chunks) > most:
            return _too_large(most)
        if not message.get("more_body", False):
            return bytes(chunks)
        message = await receive()
    raise Disconnected


def _too_large(most: int) -> Answer:
    return error(413, "too_large", f"The body is larger than {most:,} bytes.")
