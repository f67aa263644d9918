"""Whether what is recorded reaches the store that was opened, looked at while nobody writes too."""

from __future__ import annotations

import asyncio
import shutil

from sqlalchemy import Connection

from spendtop.collector.conditions import Conditions
from spendtop.collector.held_writer import held_up
from spendtop.collector.supervisor import pause
from spendtop.domain.condition import ConditionStatus
from spendtop.domain.errors import SpendtopError
from spendtop.services.recorder import Recorder
from spendtop.store import facts
from spendtop.store.engine import Store
from spendtop.store.transactions import write

_EVERY = 2.0
"""Seconds between two looks."""
_ROOM = 1024 * 1024
"""Bytes that are free on a disk that is full no longer."""
_FACT = "there is room"


class StoreHealth:
    """Says what keeps the store from taking requests, as the conditions `store`, `disk` and `writer`."""

    def __init__(self, store: Store, recorder: Recorder, conditions: Conditions) -> None:
        self._store = store
        self._recorder = recorder
        self._conditions = conditions

    async def run(self, stop: asyncio.Event) -> None:
        """Look until the stop event, and try again to write to a disk that was full."""
        while not stop.is_set():
            self.examine()
            if self._recorder.no_room is not None:
                await self._look_for_room()
            await pause(stop, _EVERY)

    def examine(self) -> None:
        """What can be said at once."""
        self._conditions.keep("store", ConditionStatus.DOWN, self._store.loss)
        self._conditions.keep("disk", ConditionStatus.DOWN, self._full_disk())
        self._conditions.keep("writer", ConditionStatus.DEGRADED, self._held_up())

    def _full_disk(self) -> str | None:
        no_room = self._recorder.no_room
        return None if no_room is None else f"{no_room} Nothing is recorded until then; it goes on by itself."

    def _held_up(self) -> str | None:
        is_explained = self._store.loss is not None or self._recorder.no_room is not None
        return None if is_explained else held_up(self._recorder)

    async def _look_for_room(self) -> None:
        path = self._store.path
        try:
            if path is None or shutil.disk_usage(path.parent).free >= _ROOM:
                await write(self._recorder, _leave_a_trace)
                self._recorder.found_room()
        except (SpendtopError, OSError):
            return


def _leave_a_trace(connection: Connection) -> None:
    facts.put(connection, _FACT, "")
    facts.drop(connection, _FACT)
