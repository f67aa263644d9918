"""What is billed and left, for the start banner, and said later where it was not known yet then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlalchemy import Connection

from spendtop.collector.active_config import ActiveConfig
from spendtop.collector.polling.poll_config import accounts_of
from spendtop.collector.supervisor import wait_for_any
from spendtop.domain.clock import Clock
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.bills import Bills, bills_unseen
from spendtop.store.transactions import read


class FirstBill:
    """Looks after each poll, until the first bill is there or requests show what is spent."""

    def __init__(
        self,
        store: Store,
        active: Callable[[], ActiveConfig],
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        self._store = store
        self._active = active
        self._clock = clock
        self._say = say
        self._news = asyncio.Event()
        self._is_awaited = False

    async def look(self) -> Bills | None:
        """What the banner says; None where requests say what is spent."""
        bills = await read(self._store, self._bills)
        self._is_awaited = bills is not None and bills.day is None
        return bills

    def wake(self) -> None:
        """Something was polled."""
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        while self._is_awaited and not stop.is_set():
            bills = await self.look()
            if bills is not None and bills.day is not None:
                self._say(" · ".join(bills.words(self._clock(), self._active().book.calendar)))
            await wait_for_any(self._news, stop)
            self._news.clear()
        await stop.wait()

    def _bills(self, connection: Connection) -> Bills | None:
        return bills_unseen(connection, accounts_of(self._active().settings), self._clock())
