"""The loop that runs the rules of `services.alerting.balances` and of `services.alerting.provider_limits`: soon after
each poll, and often enough for what is entered by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from spendtop.collector import from_settings
from spendtop.collector.polling.poll_config import PolledLimits, accounts_of, is_optional, notified, polled
from spendtop.collector.supervisor import wait_for_any
from spendtop.config.settings import Settings
from spendtop.domain.clock import Clock
from spendtop.services.alerting.announcements import Announcement
from spendtop.services.alerting.balances import BalanceAlerts, WatchedAccount, WatchedPoller
from spendtop.services.alerting.provider_limits import ProviderLimitAlerts
from spendtop.services.stores.lease import LostLease
from spendtop.store.engine import Store
from spendtop.store.transactions import WriteQueue, read, write

_LOOK = 1.0
"""Seconds between two looks; a poll is followed by one at once."""


class AccountWatch:
    """Lets accounts and pollers speak while evaluating is ours."""

    def __init__(
        self,
        store: Store,
        writes: WriteQueue,
        settings: Callable[[], Settings],
        clock: Clock,
        owns: Callable[[], bool],
        on_announced: Callable[[Sequence[Announcement]], None],
    ) -> None:
        self._store = store
        self._writes = writes
        self._settings = settings
        self._clock = clock
        self._owns = owns
        self._on_announced = on_announced
        self._news = asyncio.Event()
        self.doubts: str | None = None
        """Whose bills the last answers lack, in sentences."""

    def wake(self) -> None:
        """Something was polled."""
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        followed: Settings | None = None
        while not stop.is_set():
            settings = self._settings()
            if settings is not followed:
                followed, alerts, limits = settings, _alerts(settings, self._clock()), _limit_alerts(settings)
            if self._owns():
                with suppress(LostLease):
                    await self._look(alerts, limits)
            await wait_for_any(self._news, stop, seconds=_LOOK)
            self._news.clear()

    async def _look(self, alerts: BalanceAlerts, limits: ProviderLimitAlerts) -> None:
        now = self._clock()
        self.doubts = await read(self._store, lambda connection: alerts.doubts(connection, now))
        for rules in (alerts, limits):
            if await read(self._store, partial(rules.changes, now=now)):
                self._on_announced(await write(self._writes, partial(rules.look, now=self._clock())))


def _alerts(settings: Settings, now: int) -> BalanceAlerts:
    """What is watched under these settings, from `now` on."""
    notify = notified(settings)
    return BalanceAlerts(
        [WatchedAccount(account, notify[account.name]) for account in accounts_of(settings)],
        [WatchedPoller(each.name, each.every, each.notify, is_optional=is_optional(each)) for each in polled(settings)],
        from_settings.channels_of(settings),
        settings.time.zone,
        now,
    )


def _limit_alerts(settings: Settings) -> ProviderLimitAlerts:
    pollers = [each.name for each in polled(settings) if isinstance(each, PolledLimits)]
    return ProviderLimitAlerts(pollers, from_settings.channels_of(settings), settings.time.calendar)
