"""What a receiver holds back until more of it is told: it lies in the store, and is recorded after a while as it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from spendtop.api.context import Context
from spendtop.api.intake import Acks
from spendtop.api.sampled_pushes import SampledPushes
from spendtop.api.token_book import TokenCopy
from spendtop.domain.errors import SpendtopError
from spendtop.domain.requests.request import Request
from spendtop.services.recording.preparation import WAITING
from spendtop.services.recording.transaction import Outcome
from spendtop.sources.receivers import Invalid, Item, WaitingReceiver
from spendtop.store import facts

EVERY = 15.0
"""Seconds between two looks."""
_log = logging.getLogger(__name__)


async def record_overdue(context: Context, receiver: WaitingReceiver, stop: asyncio.Event) -> None:
    """Look for what waited when the last collector ended, and for what has waited long enough, until `stop`."""
    while not stop.is_set():
        try:
            await look(context, receiver)
        except (DBAPIError, SpendtopError) as failure:
            _log.warning("what waits could not be looked at, and is again: %s", type(failure).__name__)
        try:
            async with asyncio.timeout(EVERY):
                await stop.wait()
        except TimeoutError:
            continue


async def under_own_tokens(tokens: TokenCopy, items: Sequence[Item]) -> list[Item]:
    """Requests that waited, under the tracking tokens that they came with; one that is gone since, or switched off,
    labels them no more. What did not wait has none. Raises DBAPIError."""
    wanted = {item.token for item in items if isinstance(item, Request) and item.token}
    book = await tokens.book(wanted) if wanted else {}

    def under_own(item: Item) -> Item:
        if not isinstance(item, Request) or item.token is None:
            return item
        token = book.get(item.token)
        if token is None or not token.active:
            return replace(item, token=None)
        return replace(item, counted=item.counted and not token.shadow)

    return [under_own(each) for each in items]


async def look(context: Context, receiver: WaitingReceiver) -> None:
    """Record what has waited long enough. Raises DBAPIError and SpendtopError; then it waits on."""

    def read() -> Mapping[str, str]:
        with context.store.reading() as connection:
            return facts.beginning(connection, WAITING)

    now = context.clock()
    receiver.recall(await asyncio.to_thread(read), now)
    found = [each for each in receiver.overdue(now) if not isinstance(each, Invalid)]
    events = [
        each
        for each in await SampledPushes(context.store, context.monotonic).uncounted(found)
        if not isinstance(each, Invalid)
    ]
    events = [each for each in await under_own_tokens(context.tokens, events) if not isinstance(each, Invalid)]
    if not events:
        return
    acks: Acks[Outcome] = Acks()
    committed, done = acks.waiter()
    context.recorder.submit(events, done)
    await committed
