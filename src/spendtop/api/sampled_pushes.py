"""Which providers push only a sample of their requests, of which no sum may be made: a copy of what polls found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from spendtop.domain.requests.request import Request
from spendtop.domain.sources.records import ProviderPush
from spendtop.sources.receivers import Item
from spendtop.store.engine import Store
from spendtop.store.reads.sources.completeness import pollers

REFRESH_SECONDS = 10.0


class SampledPushes:
    """Asks the store only while such providers push. Used in the listener's loop only."""

    def __init__(self, store: Store, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._names: frozenset[str] = frozenset()
        self._read_at: float | None = None

    async def uncounted(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items, where those of samples are kept and shown, but count for nothing.

        Raises SQLAlchemy's DBAPIError when the store cannot be read.
        """
        if not any(_is_pushed(item) for item in items):
            return items
        names = await self._sampled()
        return [
            replace(item, counted=False) if isinstance(item, Request) and item.source.name in names else item
            for item in items
        ]

    async def _sampled(self) -> frozenset[str]:
        now = self._monotonic()
        if self._read_at is None or now - self._read_at >= REFRESH_SECONDS:
            self._names = await asyncio.to_thread(self._read)
            self._read_at = now
        return self._names

    def _read(self) -> frozenset[str]:
        with self._store.reading() as connection:
            return frozenset(row.name for row in pollers(connection) if row.push_health and row.push_health.sampled)


def _is_pushed(item: Item) -> bool:
    return isinstance(item, Request) and isinstance(item.source, ProviderPush)
