"""Says what is billed and left as soon as it is known, where the start banner could not know it yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlalchemy import Connection

from spendtop.collector.supervisor import wait_for_any
from spendtop.store.engine import Store
from spendtop.store.reads.bills import Bills
from spendtop.store.transactions import read


class FirstBill:
    """Looks after each poll, until the first bill is there or requests show what is spent."""

    def __init__(
        self, store: Store, bills: Callable[[Connection], Bills | None], tell: Callable[[Bills], None]
    ) -> None:
        self._store = store
        self._bills = bills
        self._tell = tell
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something was polled."""
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            bills = await read(self._store, self._bills)
            if bills is None or bills.day is not None:
                if bills is not None:
                    self._tell(bills)
                await stop.wait()
                return
            await wait_for_any(self._news, stop)
            self._news.clear()
