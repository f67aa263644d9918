"""`POST /litellm`: batches of LiteLLM's callback."""

from __future__ import annotations

import asyncio

from spendtop.api.answers import Answer, Receive, Scope
from spendtop.api.bodies import LARGE
from spendtop.api.context import Context
from spendtop.api.guards import Guards
from spendtop.api.pushes import Desk, answer_to_batch, results
from spendtop.domain.request import Request
from spendtop.domain.sources import LITELLM
from spendtop.sources.receivers import NotJson, Pushed, Unreadable
from spendtop.sources.receivers.litellm import LitellmReceiver

LARGEST_BATCH = 32 * 1024 * 1024


class LitellmPush:
    """Takes batches of clients that hold an ingest key; the answer waits for the durable commit."""

    def __init__(self, context: Context, guards: Guards) -> None:
        self._context = context
        self._desk = Desk(context, guards, LITELLM)
        self._receiver = LitellmReceiver()

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """What became of each item: 200, 207 where some cannot be taken, 422 where none can.

        Raises Failed and Disconnected.
        """
        body = await self._desk.body(scope, receive, LARGEST_BATCH)
        items = await self._desk.under_token(scope, (await self._parsed(body)).items)
        self._desk.count_invalid(items)
        outcomes = await self._desk.record([item for item in items if isinstance(item, Request)])
        return answer_to_batch(results(items, outcomes))

    async def _parsed(self, body: bytes) -> Pushed:
        now = self._context.clock()
        try:
            if len(body) > LARGE:  # read in a thread, so that others need not wait for it
                return await asyncio.to_thread(self._receiver.parse, body, now)
            return self._receiver.parse(body, now)
        except (NotJson, Unreadable) as failure:
            raise self._desk.unreadable(failure) from failure
