"""One connection: uvicorn's protocol with the limits on time, size and number that it leaves to others."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from spendtop.api.answers import SAFE_HEADERS, HttpAnswer, busy, error
from spendtop.api.listener.connections import Allowance, ConnectionTable
from spendtop.api.listener.joined_writes import JoinedWrites

MOST_HEADERS = 100
LARGEST_HEAD = 32 * 1024
LONGEST_TARGET = 8_000
MOST_DISCARDED = 1024 * 1024
"""Of a body whose request is answered already. Closing at once would take the answer from the client again."""
_CHUNK = 256 * 1024
_CLAIMS = frozenset({b"authorization", b"helicone-signature", b"x-api-key", b"x-ingest-key"})
"""Headers by which somebody claims to be known here."""
_CROWDED = busy("crowded", "Too many requests are being answered. Send again in a moment.")


class ListenerConfig(uvicorn.Config):
    """uvicorn's configuration, and what connections may take.

    Requests of the `favoured` paths are answered while all but the reserved connections are taken.
    """

    def __init__(self, app: Any, allowance: Allowance, favoured: Collection[str]) -> None:
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
        self.table = ConnectionTable(allowance)
        self.favoured = frozenset(path.encode() for path in favoured)


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
        self._table = config.table
        self._favoured = config.favoured
        self._unreserved = config.allowance.connections - config.allowance.reserved
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
        self._looked_at = self.loop.time()
        self._is_in_head = True
        self._refusal: HttpAnswer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]  # as far as it is used
        self._waiting_since = now = self.loop.time()
        self._table.enter(self, now)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._table.leave(self)
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
            self._end(error(431, "headers_too_large", "The headers are too large. Send fewer or shorter ones."))

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
            self._refusal = error(
                431, "headers_too_large", "The headers are too large or too many. Send fewer or shorter ones."
            )
            raise _EndConnection
        if len(self.url) > LONGEST_TARGET:
            self._refusal = error(414, "address_too_long", "The address is too long. Ask for less at once.")
            raise _EndConnection
        if len(self._table) > self._unreserved and self._is_too_many():
            self._table.refuse("for too many that are being answered")
            self._refusal = _CROWDED
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
        self._end(
            self._refusal
            or error(400, "bad_request", "This is no valid HTTP request. Send plain HTTP; TLS is for a proxy in front.")
        )

    def look_at_clock(self, now: float) -> None:
        """End the connection when its request is not complete in time, or its answer is not read."""
        self._end_unread(now)
        since_last, self._looked_at = now - self._looked_at, now
        if self._waiting_since is None or self.transport.is_closing():
            return
        if self.flow.read_paused:
            self._waiting_since = min(self._waiting_since + since_last, now)  # that is our time, not the sender's
            return
        allowed = self._allowance.to_send + self._allowance.per_chunk * (self._received // _CHUNK)
        if now - self._waiting_since > allowed:
            is_told = self._is_in_head or self.cycle.response_started
            self._end(None if is_told else error(408, "too_slow", "The request did not come in time. Send again."))

    def _end_unread(self, now: float) -> None:
        """Abort when the client took nothing of what is left to send for as long as a request may take."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > self._allowance.to_send:
            self.transport.abort()

    @property
    def address(self) -> str:
        return self.client[0] if self.client else ""

    @property
    def waits(self) -> bool:
        """Whether it holds no complete request that is being answered."""
        return self._waiting_since is not None or self.cycle is None or self.cycle.response_complete

    @property
    def waiting_since(self) -> float:
        if self._waiting_since is not None:
            return self._waiting_since
        closes = self.timeout_keep_alive_task
        return 0.0 if closes is None else closes.when() - self.timeout_keep_alive

    @property
    def is_claimed(self) -> bool:
        return not self._is_in_head and any(name in _CLAIMS for name, _ in self.headers)

    def abort(self) -> None:
        self.transport.abort()

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

    def _is_too_many(self) -> bool:
        return self.url.partition(b"?")[0] not in self._favoured and self._table.is_crowded


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
