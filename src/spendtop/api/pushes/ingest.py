"""`POST /ingest`, and `POST /log` as older clients call it: requests that clients push themselves."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from spendtop.api.answers import Answer, Header, Receive, Scope
from spendtop.api.bodies import LARGE
from spendtop.api.context import Context
from spendtop.api.guards import Guards, header_values
from spendtop.api.pushes import Desk, Failed, answer_to_batch, answer_to_one, results
from spendtop.domain.request import Request
from spendtop.domain.sources import INGEST
from spendtop.sources.receivers import NotJson, Pushed, Unreadable
from spendtop.sources.receivers.ingest import IngestReceiver
from spendtop.sources.settings import IngestSettings

LARGEST_PUSH = 8 * 1024 * 1024

_SUCCESSOR: tuple[Header, ...] = (
    (b"deprecation", b"@1793491200"),  # 1 November 2026, in the form of RFC 9745
    (b"link", b'</ingest>; rel="successor-version"'),
)


class IngestPush:
    """Takes one request or an array of them; the answer waits for the durable commit."""

    def __init__(self, context: Context, guards: Guards) -> None:
        self._context = context
        self._desk = Desk(context, guards, INGEST)
        self._receiver = IngestReceiver()

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """What became of the request, or of each of the array. Raises Failed and Disconnected."""
        body = await self._desk.body(scope, receive, LARGEST_PUSH)
        pushed = await self._parsed(body, _idempotency_key(scope))
        items = await self._desk.labelled(pushed.items)
        self._desk.count_invalid(items)
        outcomes = await self._desk.record([item for item in items if isinstance(item, Request)])
        found = results(items, outcomes)
        return answer_to_batch(found) if pushed.is_batch else answer_to_one(found[0])

    async def _parsed(self, body: bytes, idempotency_key: str | None) -> Pushed:
        arguments = (body, self._context.clock(), self._context.settings().section(IngestSettings), idempotency_key)
        try:
            if len(body) > LARGE:  # read in a thread, so that others need not wait for it
                return await asyncio.to_thread(self._receiver.parse, *arguments)
            return self._receiver.parse(*arguments)
        except (NotJson, Unreadable) as failure:
            raise self._desk.unreadable(failure) from failure


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
