"""The routes that must be fast: plain functions from a request to its whole answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

import msgspec

from spendtop import __version__
from spendtop.api.access_rules import Rules
from spendtop.api.answers import Answer, Receive, Scope, busy, error
from spendtop.api.bodies import LARGE, MOST_LARGE, read_body
from spendtop.api.commit_waiters import Acks
from spendtop.api.context import Context, Done
from spendtop.api.counters import Count
from spendtop.api.guards import Guards, header_values
from spendtop.domain.clock import to_iso
from spendtop.domain.errors import CannotWrite
from spendtop.services.recording import Outcome
from spendtop.sources.receivers import NotJson, SignedReceiver

LARGEST_WEBHOOK = 32 * 1024 * 1024

_COUNTED_AS: Mapping[str, Count] = {
    "stored": Count.INGEST_SUCCESS,
    "duplicate": Count.INGEST_DUPLICATE,
    "test": Count.INGEST_TEST,
    "quarantined": Count.INGEST_QUARANTINED,
}
_BAD_SIGNATURE = error(401, "bad_signature", "The signature is missing or wrong.")
_NOT_JSON = error(400, "not_json", "The body is not JSON.")
_NO_SECRET = error(
    403,
    "not_configured",
    "No webhook secret is set. Put Helicone's signing secret into webhook_secrets under [helicone].",
)
_NOT_WRITABLE = busy("store_unavailable", "The store cannot be written at the moment. Send again.")
_STORE_FULL = busy(
    "store_full", "The disk of the store is full. Send again when there is room.", status=507, seconds=60
)
_NOT_RECORDED = error(500, "internal", "The event could not be recorded.")
_PONG = Answer(200, b"pong", content_type=b"text/plain; charset=utf-8")
_log = logging.getLogger(__name__)


class Webhook:
    """Takes signed events; the answer waits for the durable commit."""

    def __init__(self, context: Context, rules: Callable[[], Rules], receiver: SignedReceiver) -> None:
        self._context = context
        self._rules = rules
        self._receiver = receiver
        self._acks: Acks[Outcome] = Acks()
        self._large = asyncio.Semaphore(MOST_LARGE)

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """The answer to one event. Raises Disconnected."""
        rules = self._rules()
        if not rules.webhook_secrets and not rules.allow_unsigned:
            return self._refused(Count.INGEST_BAD_AUTH, _NO_SECRET)
        body = await read_body(scope, receive, LARGEST_WEBHOOK, self._large)
        if isinstance(body, Answer):
            return self._refused(Count.INGEST_TOO_LARGE, body)
        signatures = header_values(scope, self._receiver.signature_header)
        outcomes, done = self._acks.waiter()
        if len(body) > LARGE:  # worked on in a thread, so that others need not wait for it
            refusal = await asyncio.to_thread(self._take, body, signatures, rules, done)
        else:
            refusal = self._take(body, signatures, rules, done)
        if refusal is not None:
            return self._refused(*refusal)
        try:
            (outcome,) = await outcomes
        except CannotWrite as failure:
            return self._refused(Count.INGEST_NOT_STORED, _STORE_FULL if failure.is_full else _NOT_WRITABLE)
        except Exception:
            _log.exception("an event could not be recorded")
            return self._refused(Count.INGEST_NOT_STORED, _NOT_RECORDED)
        self._context.counters.add(_COUNTED_AS[outcome.status])
        body = b'{"status":"%b","id":"%d"}' % (outcome.status.encode(), outcome.id)
        return Answer(202 if outcome.status == "quarantined" else 200, body)

    def _take(self, body: bytes, signatures: Sequence[bytes], rules: Rules, done: Done) -> tuple[Count, Answer] | None:
        """Verify, read, hand over. None when `done` will be called."""
        if not self._is_admitted(body, signatures, rules):
            return Count.INGEST_BAD_AUTH, _BAD_SIGNATURE
        try:
            event = self._receiver.parse(body, self._context.clock())
        except NotJson:
            return Count.INGEST_NOT_JSON, _NOT_JSON
        try:
            self._context.recorder.submit((event,), done)
        except CannotWrite:
            return Count.INGEST_NOT_STORED, _NOT_WRITABLE
        return None

    def _is_admitted(self, body: bytes, signatures: Sequence[bytes], rules: Rules) -> bool:
        if rules.allow_unsigned and not (signatures and rules.webhook_secrets):
            return True
        return self._receiver.verify(body, signatures, rules.webhook_secrets)

    def _refused(self, count: Count, answer: Answer) -> Answer:
        self._context.counters.add(count)
        self._context.counters.refuse(self._receiver.source, count)
        return answer


class Ping:
    """Says that the listener listens."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """`pong`."""
        return self._guards.rate_of_peer(scope) or _PONG


class HealthCheck:
    """Says how the collector is; 503 when it is down."""

    def __init__(self, context: Context, guards: Guards) -> None:
        self._context = context
        self._guards = guards

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """Status, time and version; the detail for the holder of the api key."""
        limited = self._guards.rate_of_peer(scope)
        if limited is not None:
            return limited
        health = self._context.health()
        content: dict[str, object] = {
            "status": health.status,
            "timestamp": to_iso(self._context.clock()),
            "version": __version__,
        }
        if self._guards.holds_api_key(scope):
            content["detail"] = {**health.detail, "counters": self._context.counters.snapshot()}
        return Answer(503 if health.status == "down" else 200, msgspec.json.encode(content))
