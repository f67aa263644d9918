"""Asking what calls cost whose client hung up before the provider could push it.

Some are known after a minute, some never. Each is asked for once at every age of `_AGES` at most, and those of an age
have their share of a poll: neither do old ones keep new ones waiting, nor the other way round.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from spendtop.collector.polling.poll_steps import PollContext
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.sources.records import OPENROUTER_PUSH
from spendtop.services import checkpoints
from spendtop.sources.pollers.openrouter.generations import OpenRouterGenerations
from spendtop.store.reads.requests.uncharged import Uncharged, uncharged
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.transactions import read

_AGES = (MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 8 * HOUR)
"""A call is not known at once; after a day it is given up."""
_SHARE = 4
"""Calls of one age in one poll; a question each."""

_Asked = dict[int, int]
"""By age, up to when what happened was asked for at that age, UTC µs."""


class GenerationSteps:
    """Completes calls of the last day, as if the push had told it."""

    def __init__(self, name: str, every: int, poller: OpenRouterGenerations, context: PollContext) -> None:
        self.name = name
        self.every = every
        self._poller = poller
        self._context = context

    async def step(self, run_began_at: int) -> bool:
        """Ask for those that lack a cost and have their turn. Raises PollFailed."""
        now = self._context.clock()
        asked = _decoded((await self._context.checkpoint(self.name)).cursor)
        turns = await read(self._context.store, lambda connection: _turns(connection, asked, now))
        ids = tuple(each.id for calls in turns.values() for each in calls)
        requests = await self._poller.requests(ids, now) if ids else ()
        reached = {age: calls[-1].at if len(calls) == _SHARE else now - age for age, calls in turns.items()}
        cursor = msgspec.json.encode(reached).decode()
        await self._context.record(
            requests,
            lambda connection, outcomes: checkpoints.succeeded(
                connection, self.name, self._context.clock(), cursor=cursor
            ),
        )
        self._context.stored()
        return False


def _turns(connection: Connection, asked: _Asked, now: int) -> dict[int, tuple[Uncharged, ...]]:
    """By age, whose turn it is: those who are that old, and not yet of the next age."""
    return {
        age: uncharged(
            connection,
            OPENROUTER_PUSH.provider,
            Span(max(now - older, asked.get(age, 0)) + 1, now - age + 1),
            _SHARE,
        )
        for age, older in zip(_AGES, (*_AGES[1:], DAY), strict=True)
    }


def _decoded(cursor: str | None) -> _Asked:
    return {} if cursor is None else msgspec.json.decode(cursor, type=_Asked)
