"""Sends what was read of coding agents here to the collector that the configuration names."""

from __future__ import annotations

import asyncio
import random
import socket
from functools import partial

from spendtop.collector.agents.poster import PostFailed, posting
from spendtop.collector.setup import CompanionContext
from spendtop.collector.supervisor import pause
from spendtop.services.agents import spool as agent_spool
from spendtop.sources.agents.item import without_texts
from spendtop.sources.privacy import keeps_texts
from spendtop.sources.settings import AgentsSettings
from spendtop.store.transactions import read, write

_LOOK_EVERY = 2.0
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 300.0
_NO_KEY = "there is no key to push with: set push_key under [agents]"


class PushLoop:
    """Empties the spool while there is somewhere to push to."""

    def __init__(self, context: CompanionContext) -> None:
        self._context = context
        self._host = socket.gethostname()
        self._failures = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            settings = self._settings()
            before = await read(self._context.store, lambda connection: agent_spool.state(connection, self._host))
            if before.to != settings.push_to:
                await write(self._context.recorder, partial(agent_spool.begin, host=self._host, to=settings.push_to))
            elif before.waiting and settings.push_key:
                await self._send(settings, stop)
            elif before.waiting:
                await self._note_failure(_NO_KEY)
            elif before.left:
                again = partial(agent_spool.make_up_for_what_was_left, host=self._host)
                await write(self._context.recorder, again)
            await pause(stop, _LOOK_EVERY)

    def _settings(self) -> AgentsSettings:
        return self._context.settings().section(AgentsSettings)

    async def _send(self, settings: AgentsSettings, stop: asyncio.Event) -> None:
        """Until nothing waits, something else is wanted, or the stop event."""
        async with posting(settings.push_to, settings.push_key.get_secret_value()) as poster:
            while not stop.is_set() and self._settings() == settings:
                parcel = await read(self._context.store, lambda connection: agent_spool.oldest(connection, self._host))
                if parcel is None:
                    return
                sends_texts = keeps_texts(self._context.settings())
                items = parcel.items if sends_texts else [without_texts(each) for each in parcel.items]
                try:
                    taken = await poster.post(items)
                except PostFailed as failure:
                    await self._note_failure(str(failure))
                    await pause(stop, max(failure.wait, self._backoff()))
                    continue
                self._failures = 0
                done = partial(
                    agent_spool.taken,
                    host=self._host,
                    parcel=parcel,
                    refused=taken.refused,
                    now=self._context.clock(),
                )
                await write(self._context.recorder, done)

    async def _note_failure(self, problem: str) -> None:
        await write(self._context.recorder, lambda connection: agent_spool.failed(connection, self._host, problem))

    def _backoff(self) -> float:
        """Seconds, longer with each failure in a row."""
        self._failures += 1
        return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(self._failures - 1, 10)) * random.uniform(0.5, 1)
