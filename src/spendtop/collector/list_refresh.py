"""The loop that keeps the price list as the settings want it: the package's own, or fetched again and again."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from msgspec.structs import replace

from spendtop.collector.active_config import ActiveConfig
from spendtop.collector.config_reload import ConfigReload
from spendtop.collector.price_lists.kept_list import KeptList, first_list
from spendtop.collector.supervisor import wait_for_any
from spendtop.config.settings import PricingSettings
from spendtop.domain.clock import HOUR, SECOND, Clock
from spendtop.domain.errors import SpendtopError
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.list_version import ListVersion
from spendtop.domain.pricing.published_list import PublishedList
from spendtop.services.recording.recorder import Recorder
from spendtop.store.reads import price_list
from spendtop.store.reads.price_list import PriceListState
from spendtop.store.transactions import write

_AGAIN = HOUR
"""µs after which a fetch that failed is tried again, where the settings want no sooner one."""
_EARLY = 0.1
"""Up to this part of the interval is taken off at random, so that not all the world asks at the same time."""
_log = logging.getLogger(__name__)


class ListRefresh:
    """Of this collector alone: where several share a store, each fetches for itself and keeps a file of its own."""

    def __init__(
        self,
        active: ActiveConfig,
        reload: ConfigReload,
        recorder: Recorder,
        clock: Clock,
        say: Callable[[str], None],
        kept: KeptList | None = None,
    ) -> None:
        self._active = active
        self._reload = reload
        self._recorder = recorder
        self._clock = clock
        self._say = say
        self._kept = kept or KeptList()
        self._followed = _source(active.settings.pricing)
        self._state: PriceListState | None = None
        self._due = 0
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """The settings may have changed."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        in_use = await asyncio.to_thread(lambda: self._active.catalogue.price_list)
        await self._begin(in_use, self._active.settings.pricing)
        while not stop.is_set():
            wait = await self._look(self._active.settings.pricing)
            await wait_for_any(self._woken, stop, seconds=wait)
            self._woken.clear()

    async def _look(self, pricing: PricingSettings) -> float | None:
        """Do what is due; gives the seconds until the next look, None for one only when the settings change."""
        if _source(pricing) != self._followed:
            first = await asyncio.to_thread(first_list, pricing, self._kept)
            if first.version.name != self._name_in_use:
                await self._use(first)
            self._followed = _source(pricing)
            await self._begin(first, pricing)
        if not pricing.update:
            return None
        now = self._clock()
        self._due = min(self._due, now + pricing.update_every)
        if now >= self._due:
            between = await self._fetch(pricing)
            self._due = now + round(between * random.uniform(1 - _EARLY, 1))
        return (self._due - now) / SECOND

    async def _fetch(self, pricing: PricingSettings) -> int:
        """Fetch the list and use it; gives the µs until the next attempt."""
        try:
            fetched = await asyncio.to_thread(self._newest, pricing.update_url)
            if fetched.version.name != self._name_in_use:
                await self._use(fetched)
        except SpendtopError as failure:
            await self._tell(self._version(), pricing, str(failure))
            return min(pricing.update_every, _AGAIN)
        await self._tell(fetched.version, pricing, None)
        return pricing.update_every

    def _newest(self, url: str) -> PublishedList:
        from spendtop.collector.price_lists.list_update import ListUpdate

        update = ListUpdate(url, self._kept, self._active.catalogue.price_list, self._clock)
        snapshot = update.fetch()
        return PublishedList(snapshot, update.version)

    async def _use(self, given: PublishedList) -> None:
        catalogue = PublishedPrices(lambda: given)
        await asyncio.to_thread(catalogue.load)
        await self._reload.price_by(catalogue)
        self._say(f"Prices are taken from {given.version.name} from now on.")

    async def _begin(self, first: PublishedList, pricing: PricingSettings) -> None:
        version = replace(first.version, newest_price=first.newest_price(self._clock()))
        await self._tell(version, pricing, first.problem)
        self._due = 0 if version.as_of is None else version.as_of + pricing.update_every

    @property
    def _name_in_use(self) -> str:
        return self._active.catalogue.price_list.version.name

    def _version(self) -> ListVersion:
        assert self._state is not None
        return self._state.version

    async def _tell(self, version: ListVersion, pricing: PricingSettings, problem: str | None) -> None:
        """Write what is in use to the store, where every face reads it; a problem is logged once."""
        if problem is not None and (self._state is None or problem != self._state.problem):
            _log.warning("%s", problem)
        every = pricing.update_every if pricing.update else None
        self._state = state = PriceListState(version=version, at=self._clock(), every=every, problem=problem)
        await write(self._recorder, lambda connection: price_list.keep(connection, state))


def _source(pricing: PricingSettings) -> tuple[bool, str]:
    return pricing.update, pricing.update_url
