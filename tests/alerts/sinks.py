"""Real receivers on loopback: an HTTP service with good and bad manners, and a mail server."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from email import message_from_bytes
from email.message import Message as Mail
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.waiting import DEADLINE

Arrival = tuple[str, dict[str, Any]]
"""Path and JSON body of a post."""


class Arrivals:
    """What arrived, for a test to wait on."""

    def __init__(self) -> None:
        self.all: list[Arrival] = []
        self._news = threading.Condition()

    def add(self, arrival: Arrival) -> int:
        with self._news:
            self.all.append(arrival)
            self._news.notify_all()
            return sum(path == arrival[0] for path, _ in self.all)

    def wait_for(self, enough: Callable[[list[Arrival]], bool], seconds: float = DEADLINE) -> None:
        with self._news:
            assert self._news.wait_for(lambda: enough(self.all), seconds), f"only {len(self.all)} arrived"

    def bodies(self, path: str) -> list[str]:
        return [body["message"] for arrived, body in self.all if arrived == path]


class HttpSink:
    """`/ok`, `/404` (any code), `/500-500-200` (one code per try), `/drip`, `/huge` and `/redirect`."""

    def __init__(self) -> None:
        self.arrivals = Arrivals()
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def url(self, path: str) -> str:
        return f"json://127.0.0.1:{self.port}{path}"

    def _handler(sink) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                count = sink.arrivals.add((self.path, json.loads(body)))
                with suppress(OSError):
                    answer(self, self.path.strip("/"), count, sink.closing)

            def do_GET(self) -> None:
                sink.arrivals.add((f"GET {self.path}", {}))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

    def __enter__(self) -> HttpSink:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def answer(handler: BaseHTTPRequestHandler, manner: str, count: int, closing: threading.Event) -> None:
    if manner == "drip":
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not closing.wait(0.2):
            handler.wfile.write(b".")
            handler.wfile.flush()
    elif manner == "huge":
        handler.send_response(200)
        handler.end_headers()
        for _ in range(300):
            handler.wfile.write(b"x" * 1024 * 1024)
    elif manner == "redirect":
        handler.send_response(302)
        handler.send_header("Location", "/landed")
        handler.end_headers()
    else:
        codes = [int(code) for code in manner.split("-") if code.isdigit()] or [200]
        handler.send_response(codes[min(count, len(codes)) - 1])
        handler.send_header("Content-Length", "0")
        handler.end_headers()


class MailSink:
    """A mail server that answers by recipient: `451@...` and `550@...` are refused so."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, Mail]] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())

    def url(self, recipient: str) -> str:
        return f"mailto://127.0.0.1:{self._controller.port}/?from=spendtop@example.com&to={recipient}"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        code = address.partition("@")[0]
        if code.isdigit():
            return f"{code} not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.mails += [(recipient, message_from_bytes(content, policy=default)) for recipient in envelope.rcpt_tos]
        return "250 OK"

    def __enter__(self) -> MailSink:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
