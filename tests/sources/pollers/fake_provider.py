"""A provider's API on this machine: real HTTP, a script of faults, and a record of what it was asked."""

from __future__ import annotations

import ssl
import sys
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec

MIB = 1 << 20
_DRIP = 0.02
_CERTIFICATE = Path(__file__).parents[2] / "fixtures" / "self_signed.pem"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question as it arrived."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    port: int = 0
    """Of the other side: tells connections apart."""

    def one(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next(iter(self.query.get(name, ())), None)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer; a body in pieces has no length and ends with the connection."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})

    def with_headers(self, **headers: str) -> Answer:
        """The same with these on top; `Retry_After` is the header Retry-After."""
        return replace(
            self, headers={**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        )

    @property
    def whole(self) -> bytes:
        """The body of an answer that has it in one piece."""
        assert isinstance(self.body, bytes)
        return self.body


Fault: TypeAlias = Callable[[Answer], Answer]
"""Makes a bad answer of the good one."""


def answer(content: object, status: int = 200) -> Answer:
    """JSON; a `msgspec.Raw` in it is written as it is."""
    return Answer(status=status, body=msgspec.json.encode(content))


class FakeProvider:
    """Answers as `good` says unless the script has a fault; a context, within which it listens on `url`."""

    def __init__(self, *, tls: bool = False) -> None:
        self.asked: list[Asked] = []
        self.always: Fault | None = None
        """A fault of every answer that the script says nothing about."""
        self._script: deque[Fault | None] = deque()
        self._ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(_CERTIFICATE)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def script(self, *faults: Fault | None) -> None:
        """What becomes of the next answers, one after the other; None leaves one as it is."""
        self._script.extend(faults)

    def good(self, asked: Asked) -> Answer:
        """The answer of a provider that is well."""
        return answer({"ok": True})

    def respond(self, asked: Asked) -> Answer:
        """What is answered in the end."""
        self.asked.append(asked)
        good = self.good(asked)
        fault = self._script.popleft() if self._script else self.always
        return good if fault is None else fault(good)

    def drip(self, good: Answer) -> Answer:
        """The good answer, a byte at a time: every single read is quick and the whole takes for ever."""
        return replace(good, body=self._drops(good.whole))

    def endless(self, good: Answer) -> Answer:
        """More and more bytes, for as long as somebody reads."""
        return replace(good, body=iter(lambda: b" " * 65_536, b""))

    def _drops(self, whole: bytes) -> Iterator[bytes]:
        for byte in whole:
            if self._ended.wait(_DRIP):
                return
            yield bytes((byte,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class FakeRoutes(FakeProvider):
    """Answers the same for a path at all times; 404 for others."""

    def __init__(self, routes: Mapping[str, Answer]) -> None:
        super().__init__()
        self.routes = dict(routes)

    def good(self, asked: Asked) -> Answer:
        return self.routes.get(asked.path, Answer(status=404, body=b"{}"))


def failed(status: int, error: object = "the canary-answer-text") -> Fault:
    """An HTTP status with an error: an object with a message, or just a text."""
    return lambda good: answer({"error": error}, status)


def slow_down(after: int | str | None = None) -> Fault:
    """429, with a Retry-After or without."""
    refused = answer({"error": {"message": "slow down", "type": "requests", "param": None, "code": None}}, 429)
    return lambda good: refused if after is None else refused.with_headers(Retry_After=str(after))


def no_scopes(good: Answer) -> Answer:
    """403 with a bare text, as for a project key."""
    text = "You have insufficient permissions for this operation. Missing scopes: api.usage.read."
    return answer({"error": text}, 403)


def bad_key(good: Answer) -> Answer:
    """401 that quotes what was sent."""
    message = "Incorrect API key provided: canary-key."
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    return answer({"error": error}, 401)


def truncated(good: Answer) -> Answer:
    """Half the JSON, as if it were all."""
    return replace(good, body=good.whole[: len(good.whole) // 2])


def cut_off(good: Answer) -> Answer:
    """Half the bytes that were announced, then the end of the connection."""
    return replace(truncated(good), headers={**good.headers, "Content-Length": str(len(good.whole))})


def web_page(good: Answer) -> Answer:
    """HTML where JSON was asked for."""
    return Answer(body=b"<!doctype html><title>Sign in</title>", headers={"Content-Type": "text/html"})


def error_in_200(good: Answer) -> Answer:
    """An error that calls itself a success."""
    return answer({"error": {"message": "canary-answer-text"}})


def redirected(to: str) -> Fault:
    """302 to another address."""
    return lambda good: Answer(status=302, headers={"Location": to})


def packed(good: Answer) -> Answer:
    """The good answer in gzip, although nobody asked for that."""
    return Answer(body=_gzip((good.whole,)), headers={**good.headers, "Content-Encoding": "gzip"})


def bomb(good: Answer) -> Answer:
    """300 KiB that unpack to 300 MiB."""
    return Answer(body=_gzip((b" " * MIB,), times=300), headers={**good.headers, "Content-Encoding": "gzip"})


def edited(**fields: object) -> Fault:
    """The good JSON object with other fields on top; a field of None is left out."""

    def edit(good: Answer) -> Answer:
        document: dict[str, Any] = msgspec.json.decode(good.whole)
        return answer({name: each for name, each in {**document, **fields}.items() if each is not None})

    return edit


def _gzip(pieces: Iterable[bytes], times: int = 1) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    header = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = b"".join(packer.compress(piece) for piece in pieces) + packer.flush(zlib.Z_FULL_FLUSH)
    return header + block * times + packer.flush(zlib.Z_FINISH)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Told on stderr, unless the other side had enough and went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _handler_for(fake: FakeProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 10

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PATCH(self) -> None:
            self._serve()

        def do_DELETE(self) -> None:
            self._serve()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: tests look at `asked`."""

        def _serve(self) -> None:
            address = urlsplit(self.path)
            given = fake.respond(
                Asked(
                    method=self.command,
                    path=address.path,
                    query=parse_qs(address.query, keep_blank_values=True),
                    headers={name.lower(): text for name, text in self.headers.items()},
                    body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
                    port=self.client_address[1],
                )
            )
            self._send(given)

        def _send(self, given: Answer) -> None:
            self.send_response_only(given.status)
            pieces = (given.body,) if isinstance(given.body, bytes) else given.body
            headers = {"Date": self.date_time_string(), **given.headers}
            if isinstance(given.body, bytes):
                headers.setdefault("Content-Length", str(len(given.body)))
                self.close_connection |= headers["Content-Length"] != str(len(given.body))
            else:
                self.close_connection = True
            for name, text in headers.items():
                self.send_header(name, text)
            self.end_headers()
            for piece in pieces:
                self.wfile.write(piece)

    return Handler
