"""Asking what calls cost whose client hung up before the provider could push it."""

from __future__ import annotations

from spendtop.collector.polling.poll_steps import PollContext
from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.sources.records import OPENROUTER_PUSH
from spendtop.services import checkpoints
from spendtop.sources.pollers.openrouter_generations import OpenRouterGenerations
from spendtop.store.reads.requests.uncharged import uncharged
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.transactions import read

_MOST = 20
"""Calls of one poll; a question each."""
_KNOWN_AFTER = MINUTE
"""A call is not known at once."""


class GenerationSteps:
    """Completes calls of the last day, as if the push had told it."""

    def __init__(self, name: str, every: int, poller: OpenRouterGenerations, context: PollContext) -> None:
        self.name = name
        self.every = every
        self._poller = poller
        self._context = context

    async def step(self, run_began_at: int) -> bool:
        """Ask for those that lack a cost. Raises PollFailed."""
        now = self._context.clock()
        span = Span(now - DAY, now - _KNOWN_AFTER)
        ids = await read(
            self._context.store, lambda connection: uncharged(connection, OPENROUTER_PUSH.provider, span, _MOST)
        )
        requests = await self._poller.requests(ids, now) if ids else ()
        await self._context.record(
            requests, lambda connection, outcomes: checkpoints.succeeded(connection, self.name, self._context.clock())
        )
        self._context.stored()
        return False
