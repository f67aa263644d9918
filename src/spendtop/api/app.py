"""The one ASGI application: guards, then the hot routes, then FastAPI for everything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from spendtop.api.access_rules import current_rules
from spendtop.api.answers import SAFE_HEADERS, Answer, App, Header, Message, Receive, Scope, Send, error, send_answer
from spendtop.api.bodies import Disconnected, read_body
from spendtop.api.context import Context
from spendtop.api.counters import Count
from spendtop.api.guards import Guards
from spendtop.api.pushes import Failed
from spendtop.api.pushes.ingest import IngestPush, LogPush
from spendtop.api.pushes.litellm import LitellmPush
from spendtop.api.pushes.otlp import OtlpPush
from spendtop.api.verdict import Verdict
from spendtop.api.webhook import HealthCheck, Ping, Webhook
from spendtop.domain.untrusted import clean_line
from spendtop.sources import SIGNED_RECEIVERS

LARGEST_ADMIN_BODY = 64 * 1024
_UNPACKED = frozenset({"/v1/traces"})
"""Paths that take a body with a Content-Encoding."""
_INTERNAL = error(500, "internal", "Something went wrong here. The log of the collector says more.")
_log = logging.getLogger(__name__)

HotRoute = Callable[[Scope, Receive], Awaitable[Answer]]


class Listener:
    """Answers every HTTP request. The admin API is imported with its first request, so that webhooks need not wait."""

    def __init__(self, context: Context) -> None:
        rules = current_rules(context.settings)
        self._context = context
        self._guards = Guards(rules, context.counters, context.monotonic)
        verdict = Verdict(context, self._guards)
        ingest = IngestPush(context, self._guards)
        self._hot: Mapping[str, tuple[str, HotRoute]] = {
            "/ping": ("GET", Ping(self._guards)),
            "/health": ("GET", HealthCheck(context, self._guards)),
            "/verdict": ("GET", verdict),
            "/api/verdict": ("GET", verdict),
            "/ingest": ("POST", ingest),
            "/log": ("POST", LogPush(ingest)),
            "/litellm": ("POST", LitellmPush(context, self._guards)),
            "/v1/traces": ("POST", OtlpPush(context, self._guards)),
            **{kind.path: ("POST", Webhook(context, rules, kind())) for kind in SIGNED_RECEIVERS.values()},
        }
        self._admin: App | None = None
        self._admin_is_built = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is served")
        try:
            await self._respond(scope, receive, send)
        except Disconnected:
            return

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._guards.entry(scope)
        if refusal is None and scope["path"] not in _UNPACKED:
            refusal = self._guards.coding(scope)
        if refusal is not None:
            await send_answer(send, self._guards.failure(scope, refusal))
            return
        cors = self._guards.cors(scope)
        route = self._hot.get(scope["path"])
        preflight = self._guards.preflight(scope)
        if preflight is not None:
            await send_answer(send, preflight, cors)
        elif route is not None:
            answer = await self._hot_answer(*route, scope, receive)
            if answer.status >= 400:
                answer = self._guards.failure(scope, answer)
            await send_answer(send, answer, cors)
        else:
            await self._admin_answer(scope, receive, send, cors)

    async def _hot_answer(self, method: str, route: HotRoute, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] != method:
            return error(405, "method_not_allowed", f"Use {method}.", headers=((b"allow", method.encode()),))
        try:
            return await route(scope, receive)
        except Disconnected:
            raise
        except Failed as failure:
            return failure.answer
        except Exception:
            _log.exception("%s failed", clean_line(scope["path"]))
            self._context.counters.add(Count.FAILED)
            return _INTERNAL

    async def _admin_answer(self, scope: Scope, receive: Receive, send: Send, cors: tuple[Header, ...]) -> None:
        body = await read_body(scope, receive, LARGEST_ADMIN_BODY)
        if isinstance(body, Answer):
            await send_answer(send, self._guards.failure(scope, body), cors)
            return
        response = _Response(scope, send, cors, self._guards)
        try:
            admin = self._admin or await self._build_admin()
            await admin(scope, _replay(body, receive), response)
        except Exception:
            _log.exception("%s failed", clean_line(scope["path"]))
            self._context.counters.add(Count.FAILED)
            if not response.started:
                await send_answer(send, _INTERNAL, cors)

    async def _build_admin(self) -> App:
        from spendtop.api.admin import build_admin

        async with self._admin_is_built:
            if self._admin is None:
                self._admin = await asyncio.to_thread(build_admin, self._context, self._guards)
        return self._admin


class _Response:
    """Passes an answer on with the headers that every answer has; 429 in place of one refusal too many."""

    def __init__(self, scope: Scope, send: Send, cors: tuple[Header, ...], guards: Guards) -> None:
        self._scope = scope
        self._send = send
        self._extra = (*SAFE_HEADERS, *cors)
        self._cors = cors
        self._guards = guards
        self._is_replaced = False
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            refusal = Answer(message["status"], b"")
            answer = self._guards.failure(self._scope, refusal)
            if answer is not refusal:
                self._is_replaced = True
                await send_answer(self._send, answer, self._cors)
                return
            message["headers"] = [*message["headers"], *self._extra]
        if not self._is_replaced:
            await self._send(message)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read already, then what comes."""
    pending = [body]

    async def replayed() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replayed
