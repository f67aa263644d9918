"""`POST /ingest`, and `POST /log` as older clients call it: requests that clients push themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from spendtop.api.answers import Answer, Header, Problem, Receive, Scope, error
from spendtop.api.bodies import LARGE
from spendtop.api.context import Context
from spendtop.api.counters import Count
from spendtop.api.guards import Guards, header_values
from spendtop.api.pushes import TOKEN_CODES, Desk, Failed, problem, refusal
from spendtop.domain.request import Request, Source
from spendtop.services.recording import Outcome
from spendtop.sources.receivers import Invalid, NotJson, Pushed, Unreadable
from spendtop.sources.receivers.ingest import IngestReceiver
from spendtop.sources.settings import IngestSettings

LARGEST_PUSH = 8 * 1024 * 1024

Result = Outcome | Invalid
"""What became of one item."""

_NOT_JSON = error(400, "not_json", "The body is not JSON.")
_CONFLICT = Problem(
    "conflict", "This request_id or Idempotency-Key was pushed before, with other content. Use a new one."
)
_SUCCESSOR: tuple[Header, ...] = (
    (b"deprecation", b"@1793491200"),  # 1 November 2026, in the form of RFC 9745
    (b"link", b'</ingest>; rel="successor-version"'),
)


class IngestPush:
    """Takes one request or an array of them; the answer waits for the durable commit."""

    def __init__(self, context: Context, guards: Guards) -> None:
        self._context = context
        self._desk = Desk(context, guards, Source.INGEST)
        self._receiver = IngestReceiver()

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """What became of the request, or of each of the array. Raises Failed and Disconnected."""
        body = await self._desk.body(scope, receive, LARGEST_PUSH)
        pushed = await self._parsed(body, _idempotency_key(scope))
        items = await self._desk.labelled(pushed.items)
        outcomes = iter(await self._desk.record([item for item in items if isinstance(item, Request)]))
        results = [item if isinstance(item, Invalid) else next(outcomes) for item in items]
        self._count_invalid(results)
        return _of_many(results) if pushed.is_batch else _of_one(results[0])

    async def _parsed(self, body: bytes, idempotency_key: str | None) -> Pushed:
        arguments = (body, self._context.clock(), self._context.settings().section(IngestSettings), idempotency_key)
        try:
            if len(body) > LARGE:  # read in a thread, so that others need not wait for it
                return await asyncio.to_thread(self._receiver.parse, *arguments)
            return self._receiver.parse(*arguments)
        except NotJson as failure:
            raise self._desk.refused(Count.INGEST_NOT_JSON, _NOT_JSON) from failure
        except Unreadable as failure:
            is_large = failure.code == "too_many_items"
            answer = error(413 if is_large else 422, failure.code, str(failure))
            raise self._desk.refused(Count.INGEST_TOO_LARGE if is_large else Count.INGEST_INVALID, answer) from failure

    def _count_invalid(self, results: Sequence[Result]) -> None:
        for result in results:
            if isinstance(result, Invalid):
                why = Count.INGEST_BAD_TOKEN if result.code in TOKEN_CODES else Count.INGEST_INVALID
                self._context.counters.add(why)
                self._context.counters.refuse(Source.INGEST, why)


class LogPush:
    """The older name of a push: the same, and every answer names the successor."""

    def __init__(self, push: IngestPush) -> None:
        self._push = push

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """What the push answers. Raises Disconnected."""
        try:
            answer = await self._push(scope, receive)
        except Failed as failure:
            answer = failure.answer
        named: Answer = replace(answer, headers=(*answer.headers, *_SUCCESSOR))
        return named


def _idempotency_key(scope: Scope) -> str | None:
    """The header's value; several are as good as an empty one."""
    given = header_values(scope, b"idempotency-key")
    if not given:
        return None
    return given[0].decode("latin-1") if len(given) == 1 else ""


def _of_one(result: Result) -> Answer:
    if isinstance(result, Invalid):
        return refusal(result, status=403 if result.code in TOKEN_CODES else 422)
    if result.status == "conflict":
        return error(409, _CONFLICT.code, _CONFLICT.message)
    return Answer(200, msgspec.json.encode(_told(result)))


def _of_many(results: Sequence[Result]) -> Answer:
    told = [_told(result) for result in results]
    rejected = sum("error" in each for each in told)
    content = {"accepted": len(told) - rejected, "rejected": rejected, "results": told}
    if not rejected:
        status = 200
    elif rejected < len(told):
        status = 207
    else:
        is_by_token = all(isinstance(result, Invalid) and result.code in TOKEN_CODES for result in results)
        status = 403 if is_by_token else 422
    return Answer(status, msgspec.json.encode(content))


def _told(result: Result) -> dict[str, object]:
    """One result as its sender reads it."""
    if isinstance(result, Invalid):
        return {"status": "rejected", "error": problem(result)}
    if result.status == "conflict":
        return {"status": "rejected", "error": _CONFLICT}
    return {"status": result.status, "id": str(result.id)}
