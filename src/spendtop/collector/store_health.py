"""Whether what is recorded reaches the store that was opened, looked at while nobody writes too."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection

from spendtop.collector.conditions import Conditions
from spendtop.collector.held_writer import held_up
from spendtop.collector.supervisor import pause
from spendtop.config.types import size_text
from spendtop.domain.condition import ConditionStatus
from spendtop.domain.errors import SpendtopError, StoreCorrupt, StoreFull
from spendtop.services.recording.recorder import Recorder
from spendtop.store import facts
from spendtop.store.engine import Store, named
from spendtop.store.schema import refuse_gaps
from spendtop.store.store_id import store_id
from spendtop.store.transactions import read, write

_EVERY = 2.0
"""Seconds between two looks."""
_ROOM = 1024 * 1024
"""Bytes that are free on a disk that is full no longer."""
_FACT = "last try to write"


class StoreHealth:
    """Says what keeps the store from taking requests, as the conditions `store`, `disk` and `writer`; keeps a reserve
    on its disk by leaving out prompts and responses, the condition `bodies`."""

    def __init__(
        self, store: Store, recorder: Recorder, conditions: Conditions, disk_reserve: Callable[[], int]
    ) -> None:
        """`disk_reserve` are the bytes that prompts and responses leave free."""
        self._store = store
        self._disk_reserve = disk_reserve
        self._recorder = recorder
        self._conditions = conditions
        with named(store), store.reading() as connection:
            self._id = store_id(connection)
        self._unread: str | None = None
        """Why the store cannot be read, or what was found in its place."""

    async def run(self, stop: asyncio.Event) -> None:
        """Look until the stop event, and try again to write where that failed: a damaged file alone does not heal."""
        while not stop.is_set():
            await self._look()
            self._keep_reserve()
            refused = self._recorder.refused
            if refused is not None and not (self._store.is_sqlite and isinstance(refused, StoreCorrupt)):
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

    def _keep_reserve(self) -> None:
        """The server's disk of a PostgreSQL cannot be seen from here."""
        free, reserve = self._free, self._disk_reserve()
        if free is None:
            return
        enough = reserve if self._recorder.keeps_bodies else reserve + reserve // 20
        self._recorder.keeps_bodies = free >= enough
        scarce = (
            f"Less than {size_text(reserve)} are free on the disk of the store {self._store.name}: prompts and"
            " responses are not kept, requests and costs are. Make room, or lower disk_reserve under [database]."
        )
        self._conditions.keep("bodies", ConditionStatus.DEGRADED, None if self._recorder.keeps_bodies else scarce)

    @property
    def _free(self) -> int | None:
        """Bytes that are free on the store's disk; None where that cannot be seen."""
        try:
            return None if self._store.path is None else shutil.disk_usage(self._store.path.parent).free
        except OSError:
            return None

    async def _try_again(self) -> None:
        if (free := self._free) is not None and free < _ROOM:
            return
        with suppress(SpendtopError):
            await asyncio.to_thread(refuse_gaps, self._store)
            await write(self._recorder, _leave_a_trace)
            self._recorder.stored()


def _leave_a_trace(connection: Connection) -> None:
    facts.put(connection, _FACT, "")
    facts.drop(connection, _FACT)
