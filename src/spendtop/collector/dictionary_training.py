"""Trains the dictionary by which prompts and responses are packed on those that the store holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from spendtop.collector.supervisor import pause
from spendtop.domain.clock import DAY, Clock
from spendtop.services.recording.recorder import Recorder
from spendtop.services.stores.lease import LostLease, OwnedWrites
from spendtop.store import dictionaries
from spendtop.store.engine import Store
from spendtop.store.transactions import read, write

_EVERY = 15.0
"""Seconds between two looks."""
_OLD_AFTER = DAY
"""µs after which another one is tried."""
_WORTH = 0.95
"""A new one is taken when bodies take at most this share of the room."""
_log = logging.getLogger(__name__)


class DictionaryTraining:
    """Once there are enough bodies, then once a day; the collector that has the lease does it, and all go by it."""

    def __init__(
        self, store: Store, recorder: Recorder, writes: OwnedWrites, owns: Callable[[], bool], clock: Clock
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._writes = writes
        self._owns = owns
        self._clock = clock
        self._tried_at = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.look()
            await pause(stop, _EVERY)

    async def look(self) -> None:
        """Go by the newest one, and train another where that one is old."""
        now = self._clock()
        present = self._recorder.dictionary = await read(self._store, partial(dictionaries.newest, now=now))
        since = self._tried_at if present is None else max(present.made_at, self._tried_at)
        if not self._owns() or not self._recorder.keeps_bodies or (since and now - since < _OLD_AFTER):
            return
        pairs = await read(self._store, partial(dictionaries.samples, now=now))
        if not pairs:
            return
        self._tried_at = now
        try:
            trained = await asyncio.to_thread(dictionaries.train, pairs, None if present is None else present.id)
        except ValueError:
            _log.debug("the bodies have too little in common for a dictionary")
            return
        if trained.share <= _WORTH:
            add = partial(dictionaries.add, content=trained.content, now=now)
            with suppress(LostLease):
                self._recorder.dictionary = await write(self._writes, add)
