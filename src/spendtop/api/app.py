"""The one ASGI application: guards, then the hot routes, then FastAPI for everything else."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from time import process_time

import msgspec

from spendtop import __version__
from spendtop.api.answers import (
    INTERNAL,
    SAFE_HEADERS,
    App,
    Header,
    HttpAnswer,
    Message,
    Receive,
    Refused,
    Scope,
    Send,
    error,
    send_answer,
)
from spendtop.api.context import Context
from spendtop.api.counters import Count
from spendtop.api.guards import Guards, current_rules
from spendtop.api.listener.http_request import Disconnected, HttpRequest
from spendtop.api.listener.server import serve
from spendtop.api.listener.upgrade_listener import PONG
from spendtop.api.pushes import OlderPath, PushRoute
from spendtop.api.verdict import VerdictRoute
from spendtop.api.waiting import record_overdue
from spendtop.api.webhook import WebhookRoute
from spendtop.domain.clock import to_iso
from spendtop.domain.untrusted import clean_line
from spendtop.sources.receivers import WaitingReceiver
from spendtop.sources.registry import READERS, Readers

LARGEST_ADMIN_BODY = 64 * 1024
_WARM_AFTER_SECONDS = 1.0
_BUSY_SECONDS = 0.5
"""Of the processor within that time, above which there is something else to do than to warm up."""
_MOST_PUT_OFF = 30
"""How many times warming up is put off for that."""
_log = logging.getLogger(__name__)

HotRoute = Callable[[HttpRequest], Awaitable[HttpAnswer]]


async def listen(context: Context, listening: socket.socket, stop: asyncio.Event) -> None:
    """Answer until `stop` is set. Closes the socket."""
    listener = Listener(context)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(listener.warm(stop), name="admin API")
        for receiver in listener.waiting:
            tasks.create_task(record_overdue(context, receiver, stop), name=f"waiting {receiver.source}")
        await serve(listener, listening, stop, favoured=listener.favoured)


class Listener:
    """Answers every HTTP request. The admin API is imported by `warm`, or with its first request: webhooks do not wait
    for the second that this takes."""

    def __init__(self, context: Context, readers: Readers = READERS) -> None:
        self._context = context
        self._readers = readers
        self.waiting: list[WaitingReceiver] = []
        """Receivers of which some items wait for others."""
        self._rules = current_rules(context.settings, readers.signed)
        self._guards = Guards(self._rules, context.counters, context.clock, context.monotonic)
        verdict = VerdictRoute(context, self._guards)
        self._hot: dict[str, tuple[str, HotRoute]] = {
            "/ping": ("GET", self._ping),
            "/health": ("GET", self._health),
            "/verdict": ("GET", verdict),
            "/api/verdict": ("GET", verdict),
            **{path: ("POST", route) for path, route in self._posted()},
        }
        self._unpacking = frozenset(
            path for kind in readers.batches.values() if kind.unpacks for path in kind.source.paths
        )
        """Paths that take a body with a Content-Encoding."""
        self.favoured = frozenset({"/ping", "/health", *(kind.source.path for kind in readers.signed.values())})
        """Paths that are answered however many others are: signs of life, and what nobody sends again."""
        self._admin: App | None = None
        self._admin_is_built = asyncio.Lock()

    async def warm(self, stop: asyncio.Event) -> None:
        """Have the admin API ready before anybody asks, so that the first answer takes as long as later ones.

        Not in the first second, which belongs to whoever waited for the start, nor once `stop` is set; and later where
        the process is busy, as with a first back-fill.
        """
        for _ in range(_MOST_PUT_OFF):
            worked = process_time()
            with suppress(TimeoutError):
                async with asyncio.timeout(_WARM_AFTER_SECONDS):
                    await stop.wait()
            if stop.is_set():
                return
            if process_time() - worked <= _BUSY_SECONDS:
                break
        await self._build_admin()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is served")
        http = HttpRequest(scope, receive)
        if http.method == "POST":
            http.path = _without_more_slashes(http.path)
        refusal = self._guards.entry(http, http.path in self._unpacking)
        if refusal is not None:
            _log.debug("refused at the door: %d", refusal.status)
            await send_answer(send, self._guards.failure(http, refusal))
            return
        # Guards have let pages of allowed origins pass only; these may read the answer.
        origins = http.headers.get(b"origin")
        cors: tuple[Header, ...] = ()
        if origins:
            cors = (b"access-control-allow-origin", origins[0]), (b"vary", b"Origin")
        hot = self._hot.get(http.path)
        try:
            if http.method == "OPTIONS" and (preflight := self._guards.preflight(http)) is not None:
                await send_answer(send, preflight, cors)
            elif hot is not None:
                await self._answer(http, *hot, send, cors)
            else:
                await self._answer_by_admin(http, send, cors)
        except Disconnected:
            return

    def _posted(self) -> Iterator[tuple[str, HotRoute]]:
        """Path and route of every source that posts to us."""
        for signed in self._readers.signed.values():
            yield signed.source.path, WebhookRoute(self._context, self._rules, signed())
        for pushed in self._readers.batches.values():
            source, receiver = pushed.source, pushed()
            if isinstance(receiver, WaitingReceiver):
                self.waiting.append(receiver)
            for path in (source.path, *source.further_paths):
                yield path, PushRoute(self._context, self._guards, receiver, path)
            for path in source.older_paths:
                yield path, OlderPath(PushRoute(self._context, self._guards, receiver, path), source.path)

    async def _answer(
        self, http: HttpRequest, method: str, route: HotRoute, send: Send, cors: tuple[Header, ...]
    ) -> None:
        if http.method != method:
            answer = error(405, "method_not_allowed", f"Use {method}.", headers=((b"allow", method.encode()),))
        else:
            try:
                answer = await route(http)
            except Disconnected:
                raise
            except Exception:
                answer = self._failed(http)
        if answer.status >= 400:
            answer = self._guards.failure(http, answer)
        _log.debug("%s %s: %d", method, http.path, answer.status)
        await send_answer(send, answer, cors)

    async def _ping(self, http: HttpRequest) -> HttpAnswer:
        return self._guards.rate_of_peer(http) or PONG

    async def _health(self, http: HttpRequest) -> HttpAnswer:
        """Status, time and version; the detail for the holder of the api key. 503 when the collector is down."""
        limited = self._guards.rate_of_peer(http)
        if limited is not None:
            return limited
        health = self._context.health()
        content: dict[str, object] = {
            "status": health.status,
            "timestamp": to_iso(self._context.clock()),
            "version": __version__,
        }
        if self._guards.holds_api_key(http):
            content["detail"] = {**health.detail, "counters": self._context.counters.snapshot()}
        return HttpAnswer(503 if health.status == "down" else 200, msgspec.json.encode(content))

    async def _answer_by_admin(self, http: HttpRequest, send: Send, cors: tuple[Header, ...]) -> None:
        try:
            body = await http.body(LARGEST_ADMIN_BODY)
        except Refused as refused:
            await send_answer(send, self._guards.failure(http, refused.answer), cors)
            return
        response = _AdminResponse(http, send, cors, self._guards)
        try:
            admin = self._admin or await self._build_admin()
            await admin(http.scope, _replay(body, http.receive), response)
        except Exception:
            answer = self._failed(http)
            if not response.started:
                await send_answer(send, answer, cors)

    def _failed(self, http: HttpRequest) -> HttpAnswer:
        """The answer while an exception is handled."""
        _log.exception("%s failed", clean_line(http.path))
        self._context.counters.add(Count.FAILED)
        return INTERNAL

    async def _build_admin(self) -> App:
        from spendtop.api.admin import build_admin

        async with self._admin_is_built:
            if self._admin is None:
                self._admin = await asyncio.to_thread(build_admin, self._context, self._guards, self._readers)
        return self._admin


class _AdminResponse:
    """Passes an answer on with the headers that every answer has; 429 in place of one refusal too many."""

    def __init__(self, http: HttpRequest, send: Send, cors: tuple[Header, ...], guards: Guards) -> None:
        self._http = http
        self._send = send
        self._extra = (*SAFE_HEADERS, *cors)
        self._cors = cors
        self._guards = guards
        self._is_replaced = False
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            _log.debug("%s %s: %d", self._http.method, _template(self._http.scope), message["status"])
            refusal = HttpAnswer(message["status"], b"")
            answer = self._guards.failure(self._http, refusal)
            if answer is not refusal:
                self._is_replaced = True
                await send_answer(self._send, answer, self._cors)
                return
            message["headers"] = [*message["headers"], *self._extra]
        if not self._is_replaced:
            await self._send(message)


def _without_more_slashes(path: str) -> str:
    """The path that somebody means whose address ends with a slash, or was put together with one too many. A redirect
    to it would be no answer: who pushes takes one for the end of the address."""
    return f"/{'/'.join(filter(None, path.split('/')))}" if "//" in path or path.endswith("/") else path


def _template(scope: Scope) -> str:
    """The route without what a caller put in it, which may be a name."""
    return str(getattr(scope.get("route"), "path", "(no route)"))


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read already, then what comes."""
    pending = [body]

    async def replayed() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replayed
