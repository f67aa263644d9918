"""Whether what is recorded reaches the store that was opened, looked at while nobody writes too."""

from __future__ import annotations

import asyncio
import shutil

from sqlalchemy import Connection

from spendtop.collector.conditions import Conditions
from spendtop.collector.held_writer import held_up
from spendtop.collector.supervisor import pause
from spendtop.domain.condition import ConditionStatus
from spendtop.domain.errors import SpendtopError, StoreCorrupt, StoreFull
from spendtop.services.recorder import Recorder
from spendtop.store import facts
from spendtop.store.engine import Store, named
from spendtop.store.store_id import store_id
from spendtop.store.transactions import read, write

_EVERY = 2.0
"""Seconds between two looks."""
_ROOM = 1024 * 1024
"""Bytes that are free on a disk that is full no longer."""
_FACT = "last try to write"


class StoreHealth:
    """Says what keeps the store from taking requests, as the conditions `store`, `disk` and `writer`."""

    def __init__(self, store: Store, recorder: Recorder, conditions: Conditions) -> None:
        self._store = store
        self._recorder = recorder
        self._conditions = conditions
        with named(store), store.reading() as connection:
            self._id = store_id(connection)
        self._unread: str | None = None
        """Why the store cannot be read, or what was found in its place."""

    async def run(self, stop: asyncio.Event) -> None:
        """Look until the stop event, and try again to write where the disk was full or writing forbidden."""
        while not stop.is_set():
            await self._look()
            refused = self._recorder.refused
            if refused is not None and not isinstance(refused, StoreCorrupt):
                await self._try_again()
            self.examine()
            await pause(stop, _EVERY)

    def examine(self) -> None:
        """What can be said at once."""
        refused = self._recorder.refused
        is_full = isinstance(refused, StoreFull)
        disk = f"{refused} Nothing is recorded until then; it goes on by itself." if is_full else None
        lost = self._store.loss or self._unread or (None if refused is None or is_full else str(refused))
        self._conditions.keep("store", ConditionStatus.DOWN, lost)
        self._conditions.keep("disk", ConditionStatus.DOWN, disk)
        is_explained = lost is not None or disk is not None
        self._conditions.keep("writer", ConditionStatus.DEGRADED, None if is_explained else held_up(self._recorder))

    async def _look(self) -> None:
        try:
            found = await read(self._store, store_id)
        except SpendtopError as failure:
            self._unread = str(failure)
            return
        self._unread = None if found == self._id else self._replaced()
        self._recorder.bar(self._unread)

    def _replaced(self) -> str:
        return (
            f"{self._store.name} holds another store than the one that was opened, or none: nothing is recorded. Put"
            " the same one back, and recording goes on; or stop the collector (`spendtop stop`), and start it again"
            " with --new-store."
        )

    async def _try_again(self) -> None:
        path = self._store.path
        try:
            if path is None or shutil.disk_usage(path.parent).free >= _ROOM:
                await write(self._recorder, _leave_a_trace)
                self._recorder.stored()
        except (SpendtopError, OSError):
            return


def _leave_a_trace(connection: Connection) -> None:
    facts.put(connection, _FACT, "")
    facts.drop(connection, _FACT)
