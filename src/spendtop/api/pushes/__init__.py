"""Routes to which clients push usage with an ingest key: one module per source, on what they share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from spendtop.api.answers import Answer, Problem, Receive, Scope, busy, error
from spendtop.api.bodies import LARGE, MOST_LARGE, read_body
from spendtop.api.commit_waiters import Acks
from spendtop.api.context import Context
from spendtop.api.counters import Count
from spendtop.api.guards import Guards, header_values
from spendtop.domain.errors import CannotWrite
from spendtop.domain.request import Request
from spendtop.domain.sources import Source
from spendtop.services.recording import Outcome
from spendtop.sources.receivers import Invalid, NotJson, Unreadable

PATIENCE = 5.0
"""Seconds for which a push waits for a locked store; its client can send again."""
_MOST_IN_LOOP = 50
"""Requests that are priced and packed in the loop, unless their bodies are large; others need not wait for more."""
TOKEN_HEADER = b"x-tracking-token"
"""Puts all that a post holds under a tracking token, for clients whose format has no room for one."""

_UNKNOWN = Invalid(
    {"tracking_token": "is none that exists here; create it with `spendtop token create`"}, "unknown_token"
)
_DISABLED = Invalid({"tracking_token": "is switched off; switch it on with `spendtop token enable`"}, "disabled_token")
TOKEN_CODES = frozenset({_UNKNOWN.code, _DISABLED.code})

_NOT_JSON = error(400, "not_json", "The body is not JSON.")
_CONFLICT = Problem(
    "conflict", "This request_id or Idempotency-Key was pushed before, with other content. Use a new one."
)
_NOT_WRITABLE = busy("store_unavailable", "The store cannot be used at the moment. Send again.")
_STORE_FULL = busy(
    "store_full", "The disk of the store is full. Send again when there is room.", status=507, seconds=60
)
_NOT_RECORDED = error(500, "internal", "The requests could not be recorded. The log of the collector says more.")
_log = logging.getLogger(__name__)


class Failed(Exception):
    """Raised to answer `answer`."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Desk:
    """Admits pushes of one source, reads them, and records what they hold."""

    def __init__(self, context: Context, guards: Guards, source: Source) -> None:
        self.context = context
        self._guards = guards
        self._source = source
        self._acks: Acks[Outcome] = Acks()
        self._large = asyncio.Semaphore(MOST_LARGE)

    async def body(self, scope: Scope, receive: Receive, most: int) -> bytes:
        """The whole body of a client that holds an ingest key. Raises Failed, and Disconnected."""
        refusal = self._guards.ingest(scope)
        if refusal is not None:
            raise self.refused(Count.RATE_LIMITED if refusal.status == 429 else Count.INGEST_BAD_AUTH, refusal)
        body = await read_body(scope, receive, most, self._large)
        if isinstance(body, Answer):
            raise self.refused(Count.INGEST_TOO_LARGE, body)
        return body

    async def labelled(self, items: Sequence[Request | Invalid]) -> list[Request | Invalid]:
        """The items, where those of tokens that may not push are invalid, and those of shadow tokens do not count.

        Raises Failed when the tokens cannot be read.
        """
        wanted = {item.token for item in items if isinstance(item, Request) and item.token is not None}
        if not wanted:
            return list(items)
        try:
            book = await self.context.tokens.book(wanted)
        except DBAPIError as failure:
            raise self.refused(Count.INGEST_NOT_STORED, _NOT_WRITABLE) from failure

        def label(item: Request | Invalid) -> Request | Invalid:
            if isinstance(item, Invalid) or item.token is None:
                return item
            token = book.get(item.token)
            if token is None or not token.active:
                return _UNKNOWN if token is None else _DISABLED
            return replace(item, counted=False) if token.shadow else item

        return [label(item) for item in items]

    async def under_token(self, scope: Scope, items: Sequence[Request | Invalid]) -> list[Request | Invalid]:
        """The items under the tracking token that the post's header names, if any.

        Raises Failed with 403 for a token that may not push.
        """
        given = header_values(scope, TOKEN_HEADER)
        if not given:
            return list(items)
        token = given[0].decode("latin-1") if len(given) == 1 else ""
        named = [replace(item, token=token) if isinstance(item, Request) else item for item in items]
        labelled = await self.labelled(named)
        for item in labelled:
            if isinstance(item, Invalid) and item.code in TOKEN_CODES:
                raise self.refused(Count.INGEST_BAD_TOKEN, refusal(item, status=403))
        return labelled

    async def record(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """Record durably, as one submission; one outcome per request. Raises Failed."""
        if not requests:
            return ()
        outcomes, done = self._acks.waiter()
        try:
            if len(requests) > _MOST_IN_LOOP or _bytes(requests) > LARGE:
                await asyncio.to_thread(self.context.recorder.submit, requests, done, PATIENCE)
            else:
                self.context.recorder.submit(requests, done, PATIENCE)
            found = await outcomes
        except CannotWrite as failure:
            raise self.refused(Count.INGEST_NOT_STORED, _STORE_FULL if failure.is_full else _NOT_WRITABLE) from failure
        except Exception as failure:
            _log.exception("pushed requests could not be recorded")
            raise self.refused(Count.INGEST_NOT_STORED, _NOT_RECORDED) from failure
        for outcome in found:
            self.context.counters.add(_COUNTED_AS[outcome.status])
            if outcome.status == "conflict":
                self.context.counters.refuse(self._source, Count.INGEST_CONFLICT)
        return found

    def count_invalid(self, items: Iterable[Request | Invalid]) -> None:
        """Count those that cannot be taken."""
        for item in items:
            if isinstance(item, Invalid):
                self._count(Count.INGEST_BAD_TOKEN if item.code in TOKEN_CODES else Count.INGEST_INVALID)

    def refused(self, why: Count, answer: Answer) -> Failed:
        """The failure to raise, counted."""
        self._count(why)
        return Failed(answer)

    def unreadable(self, failure: NotJson | Unreadable, status: int = 422) -> Failed:
        """The failure to raise for a post that cannot be taken as a whole, counted."""
        if isinstance(failure, NotJson):
            return self.refused(Count.INGEST_NOT_JSON, _NOT_JSON)
        is_large = failure.code == "too_many_items"
        answer = error(413 if is_large else status, failure.code, str(failure))
        return self.refused(Count.INGEST_TOO_LARGE if is_large else Count.INGEST_INVALID, answer)

    def _count(self, why: Count) -> None:
        self.context.counters.add(why)
        self.context.counters.refuse(self._source, why)


_COUNTED_AS = {
    "stored": Count.INGEST_SUCCESS,
    "duplicate": Count.INGEST_DUPLICATE,
    "conflict": Count.INGEST_CONFLICT,
}


def _bytes(requests: Sequence[Request]) -> int:
    """Of all bodies."""
    return sum(len(each.request_body or b"") + len(each.response_body or b"") for each in requests)


Result = Outcome | Invalid
"""What became of one item."""


def results(items: Sequence[Request | Invalid], outcomes: Sequence[Outcome]) -> list[Result]:
    """What became of each item; there is one outcome for each that could be taken."""
    recorded = iter(outcomes)
    return [item if isinstance(item, Invalid) else next(recorded) for item in items]


def answer_to_batch(found: Sequence[Result]) -> Answer:
    """What became of each item: 200, 207 where some were rejected, 422 where all were."""
    told = [_told(result) for result in found]
    rejected = sum("error" in each for each in told)
    content = {"accepted": len(told) - rejected, "rejected": rejected, "results": told}
    status = 200 if not rejected else 207 if rejected < len(told) else 422
    return Answer(status, msgspec.json.encode(content))


def answer_to_one(result: Result) -> Answer:
    """What became of the only item: 200, 403 for its token, 409 for a conflict, 422 for its fields."""
    if isinstance(result, Invalid):
        return refusal(result, status=403 if result.code in TOKEN_CODES else 422)
    if result.status == "conflict":
        return error(409, _CONFLICT.code, _CONFLICT.message)
    return Answer(200, msgspec.json.encode(_told(result)))


def refusal(item: Invalid, status: int = 422) -> Answer:
    """The answer for one item that cannot be taken."""
    told = _problem(item)
    return error(status, told.code, told.message, fields=told.fields)


def _told(result: Result) -> dict[str, object]:
    """One result as its sender reads it."""
    if isinstance(result, Invalid):
        return {"status": "rejected", "error": _problem(result)}
    if result.status == "conflict":
        return {"status": "rejected", "error": _CONFLICT}
    return {"status": result.status, "id": str(result.id)}


def _problem(item: Invalid) -> Problem:
    return Problem(item.code, MESSAGES.get(item.code, "Some fields cannot be used."), item.fields)


MESSAGES = {
    _UNKNOWN.code: "There is no such tracking token.",
    _DISABLED.code: "The tracking token is switched off.",
}
