"""Posts with an ingest key, one request or many at once: one handler for all sources that push so."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import msgspec
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from spendtop.api.answers import NOT_JSON, STORE_UNAVAILABLE, ErrorBody, Header, HttpAnswer, Refused, error
from spendtop.api.context import Context, Done
from spendtop.api.counters import Count
from spendtop.api.guards import Guards
from spendtop.api.intake import Intake, aside
from spendtop.api.listener.http_request import LARGE, HttpRequest
from spendtop.api.sampled_pushes import SampledPushes
from spendtop.api.waiting import under_own_tokens
from spendtop.domain.requests.request import Request, TestEvent, WaitedFor, Waiting
from spendtop.domain.sources.refusals import RefusalReason
from spendtop.services.recording.transaction import Outcome
from spendtop.services.tokens import TokenBook
from spendtop.sources.receivers import TOKEN_HEADER, BatchReceiver, Invalid, Item, NotJson, Post, Pushed, Unreadable

PATIENCE = 5.0
"""Seconds for which a push waits for a locked store; its client can send again."""
MOST_UNPACKED = 2
"""Posts of a source that are unpacked and read at once."""
_MOST_IN_LOOP = 50
"""Requests that are priced and packed in the loop, unless their bodies are large; others need not wait for more."""
_UNKNOWN_TOKEN = {"tracking_token": "is none that exists here; create it with `spendtop token create`"}
_DISABLED_TOKEN = {"tracking_token": "is switched off; switch it on with `spendtop token enable`"}
_TOKEN_MESSAGES: Mapping[str, str] = {
    RefusalReason.UNKNOWN_TOKEN: "There is no such tracking token.",
    RefusalReason.DISABLED_TOKEN: "The tracking token is switched off.",
}
_CONFLICT = ErrorBody(
    "conflict", "This request_id or Idempotency-Key was pushed before, with other content. Use a new one."
)
_DEPRECATED_SINCE = b"@1793491200"
"""1 November 2026, in the form of RFC 9745."""
_COUNTED_AS = {
    "stored": Count.INGEST_SUCCESS,
    "duplicate": Count.INGEST_DUPLICATE,
    "conflict": Count.INGEST_CONFLICT,
    "test": Count.INGEST_TEST,
}


class Barred(Invalid, frozen=True):
    """An item under a tracking token that may not push; `token` is the name of one that is switched off."""

    token: str = ""


Recordable: TypeAlias = Request | TestEvent | Waiting | WaitedFor
ItemResult = Outcome | Invalid
"""What became of one item."""


class PushRoute:
    """Takes what one source pushes; the answer waits for the durable commit."""

    def __init__(self, context: Context, guards: Guards, receiver: BatchReceiver, path: str) -> None:
        """`path` is the one of the source's paths where this is."""
        self._context = context
        self._path = path
        self._guards = guards
        self._receiver = receiver
        self._intake = Intake(context, receiver)
        self._places = asyncio.Semaphore(MOST_UNPACKED)
        self._sampled = SampledPushes(context.store, context.monotonic)

    async def __call__(self, http: HttpRequest) -> HttpAnswer:
        """What became of each item. Raises Disconnected."""
        try:
            return await self._answer(http)
        except Refused as refused:
            return self._intake.refuse(http, refused)

    async def _answer(self, http: HttpRequest) -> HttpAnswer:
        refusal = self._guards.ingest(http)
        if refusal is not None:
            if refusal.status == 429:
                raise Refused(refusal, Count.RATE_LIMITED)
            raise Refused(refusal, Count.INGEST_BAD_AUTH, self._guards.why_not(http))
        token = None if self._receiver.source.written_by_hand else await self._token(http)
        pushed = await self._read(http, await self._intake.body(http))
        if pushed.remarks:
            self._context.counters.remark(self._receiver.source, pushed.remarks)
        for provider, remarks in pushed.provider_remarks.items():
            self._context.counters.remark(provider, remarks)
        if self._receiver.source.written_by_hand:
            items = await self._labelled(pushed.items)
        else:
            items = await self._under_token(token, await self._uncounted(pushed.items))
        rejected = [item for item in items if isinstance(item, Invalid)]
        for item in rejected:
            if isinstance(item, Barred):
                self._intake.turn_away(http, Count.INGEST_BAD_TOKEN, RefusalReason(item.code), item.token)
            else:
                self._intake.reject(Count.INGEST_INVALID)
        outcomes = await self._record([item for item in items if not isinstance(item, Invalid)])
        if outcomes and not any(isinstance(item, Barred) for item in rejected):
            self._intake.admit(http)
        if pushed.reply is not None:
            reply = pushed.reply(rejected)
            return HttpAnswer(200, reply.body, content_type=reply.content_type)
        recorded = iter(outcomes)
        results = [item if isinstance(item, Invalid) else next(recorded) for item in items]
        return _answer_to_batch(results, pushed.hints) if pushed.is_batch else _answer_to_one(results[0], pushed.hints)

    async def _read(self, http: HttpRequest, body: bytes) -> Pushed:
        post = Post(body, self._context.clock(), self._context.settings(), http.headers, self._path)
        try:
            if self._receiver.unpacks:
                async with self._places:
                    return await asyncio.to_thread(self._receiver.read, post)
            return await aside(len(body), partial(self._receiver.read, post))
        except NotJson as failure:
            raise Refused(NOT_JSON, Count.INGEST_NOT_JSON) from failure
        except Unreadable as failure:
            count = Count.INGEST_TOO_LARGE if failure.status == 413 else Count.INGEST_INVALID
            raise Refused(error(failure.status, failure.code, str(failure)), count) from failure

    async def _uncounted(self, items: Sequence[Item]) -> Sequence[Item]:
        try:
            return await self._sampled.uncounted(items)
        except DBAPIError as failure:
            raise Refused(STORE_UNAVAILABLE, Count.INGEST_NOT_STORED) from failure

    async def _token(self, http: HttpRequest) -> str | None:
        """The tracking token that the post's header names, if any; 403 for one that may not push, before anything of
        the post is read: a part of it may wait for others."""
        sent = http.header(TOKEN_HEADER)
        if not sent:
            return None
        token = sent[0].decode("latin-1") if len(sent) == 1 else ""
        barred = _barred(await self._book({token}), token)
        if barred is not None:
            raise Refused(_refusal(barred, 403), Count.INGEST_BAD_TOKEN, RefusalReason(barred.code), barred.token)
        return token

    async def _book(self, wanted: Collection[str]) -> TokenBook:
        try:
            return await self._context.tokens.book(wanted)
        except DBAPIError as failure:
            raise Refused(STORE_UNAVAILABLE, Count.INGEST_NOT_STORED) from failure

    async def _under_token(self, token: str | None, items: Sequence[Item]) -> Sequence[Item]:
        """The items under the post's token, if any, but for those that waited, which came under their own."""
        try:
            told = await under_own_tokens(self._context.tokens, items)
        except DBAPIError as failure:
            raise Refused(STORE_UNAVAILABLE, Count.INGEST_NOT_STORED) from failure
        if token is None:
            return told
        return await self._labelled(
            [
                replace(item, token=token)
                if isinstance(came, Request) and isinstance(item, Request) and came.token in (None, token)
                else item
                for came, item in zip(items, told, strict=True)
            ]
        )

    async def _labelled(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items, where those of tokens that may not push are invalid, and those of shadow tokens do not count."""
        wanted = {item.token for item in items if isinstance(item, Request) and item.token is not None}
        if not wanted:
            return items
        book = await self._book(wanted)

        def label(item: Item) -> Item:
            if not isinstance(item, Request) or item.token is None:
                return item
            barred = _barred(book, item.token)
            if barred is not None:
                return barred
            return replace(item, counted=False) if book[item.token].shadow else item

        return [label(item) for item in items]

    async def _record(self, events: Sequence[Recordable]) -> Sequence[Outcome]:
        """Record durably, as one submission; one outcome per event."""
        if not events:
            return ()
        requests = (each for each in events if isinstance(each, Request))
        size = sum(len(each.request_body or b"") + len(each.response_body or b"") for each in requests)

        def submit(done: Done) -> None:
            self._context.recorder.submit(events, done, PATIENCE)

        outcomes = await self._intake.record(size if len(events) <= _MOST_IN_LOOP else LARGE + 1, submit)
        for outcome in outcomes:
            if outcome.status in _COUNTED_AS:
                self._context.counters.add(_COUNTED_AS[outcome.status])
            if outcome.status == "conflict":
                self._context.counters.refuse(self._receiver.source, Count.INGEST_CONFLICT)
        return outcomes


class OlderPath:
    """The same under an older path: every answer names the successor."""

    def __init__(self, route: PushRoute, successor: str) -> None:
        self._route = route
        self._headers: tuple[Header, ...] = (
            (b"deprecation", _DEPRECATED_SINCE),
            (b"link", f'<{successor}>; rel="successor-version"'.encode()),
        )

    async def __call__(self, http: HttpRequest) -> HttpAnswer:
        """What the route answers. Raises Disconnected."""
        answer = await self._route(http)
        return HttpAnswer(answer.status, answer.body, (*answer.headers, *self._headers), answer.content_type)


def _barred(book: TokenBook, value: str) -> Barred | None:
    """Why nothing may be pushed under a token; None where it may."""
    token = book.get(value)
    if token is None:
        return Barred(_UNKNOWN_TOKEN, RefusalReason.UNKNOWN_TOKEN.value)
    return None if token.active else Barred(_DISABLED_TOKEN, RefusalReason.DISABLED_TOKEN.value, token.name)


def _answer_to_batch(results: Sequence[ItemResult], hints: Mapping[str, str]) -> HttpAnswer:
    """What became of each item: 200, 207 where some were rejected, 422 where all were."""
    shapes = [_shape(result) for result in results]
    rejected = sum("error" in each for each in shapes)
    content = {"accepted": len(shapes) - rejected, "rejected": rejected, "results": shapes, **_hinted(hints)}
    status = 200 if not rejected else 207 if rejected < len(shapes) else 422
    return HttpAnswer(status, msgspec.json.encode(content))


def _answer_to_one(result: ItemResult, hints: Mapping[str, str]) -> HttpAnswer:
    """What became of the only item: 200, 403 for its token, 409 for a conflict, 422 for its fields."""
    if isinstance(result, Invalid):
        return _refusal(result, status=403 if isinstance(result, Barred) else 422)
    if result.status == "conflict":
        return error(409, _CONFLICT.code, _CONFLICT.message)
    return HttpAnswer(200, msgspec.json.encode({**_shape(result), **_hinted(hints)}))


def _hinted(hints: Mapping[str, str]) -> Mapping[str, object]:
    return {"hints": hints} if hints else {}


def _refusal(item: Invalid, status: int) -> HttpAnswer:
    body = _error_of(item)
    return error(status, body.code, body.message, fields=body.fields)


def _shape(result: ItemResult) -> dict[str, object]:
    """One result as its sender reads it."""
    if isinstance(result, Invalid):
        return {"status": "rejected", "error": _error_of(result)}
    if result.status == "conflict":
        return {"status": "rejected", "error": _CONFLICT}
    return {"status": result.status, "id": str(result.id)}


def _error_of(item: Invalid) -> ErrorBody:
    return ErrorBody(item.code, _TOKEN_MESSAGES.get(item.code, "Some fields cannot be used."), item.fields)
