"""One connection: uvicorn's protocol with the limits on time, size and number that it leaves to others."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from spendtop.api.answers import SAFE_HEADERS, HttpAnswer, error
from spendtop.api.local_use import is_loopback

MOST_HEADERS = 100
LARGEST_HEAD = 32 * 1024
LONGEST_TARGET = 8_000
MOST_DISCARDED = 1024 * 1024
"""Of a body whose request is answered already. Closing at once would take the answer from the client again."""
_CHUNK = 256 * 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one connection may take. Seconds and numbers of connections."""

    to_send: float = 10.0
    """For a whole request, plus `per_chunk` for each 256 KiB that have come."""
    per_chunk: float = 1.0
    idle: int = 5
    """Between two requests."""
    after_stop: int = 4
    """For what is being answered when the listener stops."""
    connections: int = 256
    per_address: int = 32
    """Connections of one address; loopback is exempt."""


class ListenerConfig(uvicorn.Config):
    """uvicorn's configuration, and what a connection may take."""

    def __init__(self, app: Any, allowance: Allowance) -> None:
        super().__init__(
            app,
            http=GuardedProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=allowance.idle,
            timeout_graceful_shutdown=allowance.after_stop,
        )
        self.allowance = allowance


class _EndConnection(Exception):
    """Raised in a callback of the parser to end the connection with `answer`."""


class GuardedProtocol(HttpToolsProtocol):
    """Ends connections that are slow, oversized or too many. Each tick of the server calls `look_at_clock`."""

    def __init__(
        self,
        config: ListenerConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._allowance = config.allowance
        self._waiting_since: float | None = None
        """Loop time from which on a request has been coming; None while there is none, or it is complete."""
        self._received = 0
        """Bytes since the present request began, with what came before it in the same piece of data."""
        self._first_piece = 0
        self._latest_piece = 0
        self._discarded = 0
        self._unsent = 0
        """Bytes of answers that the client has not taken, and since when these are so many."""
        self._unsent_since = 0.0
        self._is_in_head = True
        self._refusal: HttpAnswer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        if not self._find_room():
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._waiting_since = None

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._received += len(data)
        self._latest_piece = len(data)
        super().data_received(data)
        if self._waiting_since is None and self.waits:
            self._waiting_since = self.loop.time()  # line ends before a request are no request yet
        if self._is_in_head and self._received - self._first_piece > LARGEST_HEAD and not self.transport.is_closing():
            self._end(error(431, "headers_too_large", "The headers are too large."))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        self._received = self._first_piece = self._latest_piece
        self._discarded = 0
        if self._waiting_since is None:
            self._waiting_since = self.loop.time()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if len(self.headers) > MOST_HEADERS or self._head_is_too_large():
            self._refusal = error(431, "headers_too_large", "The headers are too large or too many.")
            raise _EndConnection
        if len(self.url) > LONGEST_TARGET:
            self._refusal = error(414, "address_too_long", "The address is too long.")
            raise _EndConnection
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > MOST_DISCARDED:
                self.transport.abort()

    def on_message_complete(self) -> None:
        self._waiting_since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._end(self._refusal or error(400, "bad_request", "This is no valid HTTP request."))

    def look_at_clock(self, now: float) -> None:
        """End the connection when its request is not complete in time, or its answer is not read."""
        self._end_unread(now)
        if self._waiting_since is None or self.transport.is_closing():
            return
        allowed = self._allowance.to_send + self._allowance.per_chunk * (self._received // _CHUNK)
        if now - self._waiting_since > allowed:
            self._end(None if self._is_in_head else error(408, "too_slow", "The request did not come in time."))

    def _end_unread(self, now: float) -> None:
        """Abort when the client took nothing of what is left to send for as long as a request may take."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > self._allowance.to_send:
            self.transport.abort()

    @property
    def waits(self) -> bool:
        """Whether it holds no complete request that is being answered."""
        return self._waiting_since is not None or self.cycle is None or self.cycle.response_complete

    def _end(self, answer: HttpAnswer | None) -> None:
        if answer is not None and (
            self.cycle is None or not self.cycle.response_started or self.cycle.response_complete
        ):
            self.transport.write(_raw(answer))
        self.transport.close()

    def _head_is_too_large(self) -> bool:
        if self._received <= LARGEST_HEAD:
            return False
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > LARGEST_HEAD

    def _find_room(self) -> bool:
        """Whether this connection may stay. The one that has waited longest makes room for it."""
        others = [other for other in self.connections if isinstance(other, GuardedProtocol) and other is not self]
        address = self.client[0] if self.client else ""
        neighbours = sum(1 for other in others if other.client and other.client[0] == address)
        if neighbours >= self._allowance.per_address and not is_loopback(address):
            return False
        if len(others) < self._allowance.connections:
            return True
        waiting = [other for other in others if other.waits]
        if not waiting:
            _log.warning("a connection was refused: %d are being answered", len(others))
            return False
        min(waiting, key=lambda other: other._waiting_since or 0.0).transport.abort()
        return True


def _raw(answer: HttpAnswer) -> bytes:
    headers = (
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
        *SAFE_HEADERS,
        (b"connection", b"close"),
    )
    lines = [b"HTTP/1.1 %d %b" % (answer.status, HTTPStatus(answer.status).phrase.encode())]
    lines += [b"%b: %b" % header for header in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + answer.body
