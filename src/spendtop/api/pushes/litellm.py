"""`POST /litellm`: batches of LiteLLM's callback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import msgspec

from spendtop.api.answers import Answer, Problem, Receive, Scope, error
from spendtop.api.bodies import LARGE
from spendtop.api.context import Context
from spendtop.api.counters import Count
from spendtop.api.guards import Guards
from spendtop.api.pushes import MESSAGES, Desk
from spendtop.domain.request import Request, Source
from spendtop.services.recording import Outcome
from spendtop.sources.receivers import Invalid, NotJson, Pushed, Unreadable
from spendtop.sources.receivers.litellm import LitellmReceiver

LARGEST_BATCH = 32 * 1024 * 1024

_NOT_JSON = error(400, "not_json", "The body is not JSON.")
_UNUSABLE = "Some fields cannot be used."


class LitellmPush:
    """Takes batches of clients that hold an ingest key; the answer waits for the durable commit."""

    def __init__(self, context: Context, guards: Guards) -> None:
        self._context = context
        self._desk = Desk(context, guards, Source.LITELLM)
        self._receiver = LitellmReceiver()

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """What became of each item: 200, 207 where some cannot be taken, 422 where none can.

        Raises Failed and Disconnected.
        """
        body = await self._desk.body(scope, receive, LARGEST_BATCH)
        items = await self._desk.under_token(scope, (await self._parsed(body)).items)
        rejected = sum(isinstance(item, Invalid) for item in items)
        if rejected:
            self._context.counters.add(Count.INGEST_INVALID)
            self._context.counters.refuse(Source.LITELLM, Count.INGEST_INVALID, rejected)
        outcomes = await self._desk.record([item for item in items if isinstance(item, Request)])
        content = {
            "accepted": len(outcomes),
            "rejected": rejected,
            "results": list(_results(items, outcomes)),
        }
        status = 200 if not rejected else 207 if outcomes else 422
        return Answer(status, msgspec.json.encode(content))

    async def _parsed(self, body: bytes) -> Pushed:
        now = self._context.clock()
        try:
            if len(body) > LARGE:  # read in a thread, so that others need not wait for it
                return await asyncio.to_thread(self._receiver.parse, body, now)
            return self._receiver.parse(body, now)
        except NotJson as failure:
            raise self._desk.refused(Count.INGEST_NOT_JSON, _NOT_JSON) from failure
        except Unreadable as failure:
            answer = error(422, failure.code, str(failure))
            raise self._desk.refused(Count.INGEST_INVALID, answer) from failure


def _results(items: Sequence[Request | Invalid], outcomes: Sequence[Outcome]) -> Iterator[dict[str, object]]:
    """One result per item, in the items' order."""
    recorded = iter(outcomes)
    for item in items:
        if isinstance(item, Invalid):
            yield {"error": Problem(item.code, MESSAGES.get(item.code, _UNUSABLE), item.fields)}
        else:
            outcome = next(recorded)
            yield {"status": outcome.status, "id": str(outcome.id)}
