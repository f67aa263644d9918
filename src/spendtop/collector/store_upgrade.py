"""Upgrading the store before anything else is done with it; whoever asks meanwhile is told how far it is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial

from spendtop.api.listener.server import serve
from spendtop.api.listener.upgrade_listener import UpgradeListener
from spendtop.collector.process.lifecycle import Readiness
from spendtop.collector.supervisor import pause, wait_for_any
from spendtop.domain.clock import Clock
from spendtop.store import schema
from spendtop.store.engine import Store

_PATIENCE = 1.0
"""Seconds for which connections wait for the listener itself: a short upgrade refuses no webhook."""
_MOST_SILENCE = 5.0
"""Seconds for which they wait for a change of the schema that fills nothing, such as a new index."""
_SAID_EVERY = 1.0
_SHARE_SAID = 0.1


class StoreUpgrade:
    """One upgrade. `say` gets a sentence now and then while it goes on."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        readiness: Readiness,
        say: Callable[[str], None],
        patience: float = _PATIENCE,
    ) -> None:
        self._store = store
        self._clock = clock
        self._readiness = readiness
        self._say = say
        self._patience = patience
        self.share = 0.0
        """How much is done, from 0 to 1."""

    async def run(self, listening: socket.socket, stop: asyncio.Event) -> bool:
        """Upgrade; False when `stop` was set before the end, the next start then goes on. The socket stays open.

        Raises what `schema.upgrading` raises.
        """
        fills, ended, is_done = asyncio.Event(), asyncio.Event(), False
        failure: Exception | None = None
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._answer(listening, fills, ended), name="upgrading listener")
            try:
                is_done = await asyncio.to_thread(self._upgrade, partial(loop.call_soon_threadsafe, fills.set), stop)
            except Exception as raised:  # not from here: the group would wrap it
                failure = raised
            ended.set()
        if failure is not None:
            raise failure
        return is_done

    def _upgrade(self, fills: Callable[[], object], stop: asyncio.Event) -> bool:
        for share in schema.upgrading(self._store):
            self.share = share
            if share < 1:
                fills()
                if stop.is_set():
                    return False
        return True

    async def _answer(self, listening: socket.socket, fills: asyncio.Event, ended: asyncio.Event) -> None:
        """From when it is clear that it takes long; else connections wait for the listener itself."""
        await pause(ended, self._patience)
        await wait_for_any(fills, ended, seconds=_MOST_SILENCE)
        if ended.is_set():
            return
        listener = UpgradeListener(lambda: self.share, self._clock)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(listener, listening.dup(), ended))
            next_said = 0.0
            while not ended.is_set():
                share = self.share
                self._readiness.upgrading(share)
                if share >= next_said:
                    self._say(f"Upgrading the store: {int(share * 100)} % is done.")
                    next_said = share + _SHARE_SAID
                await pause(ended, _SAID_EVERY)
