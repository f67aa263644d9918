"""The loop that looks at accounts and pollers: soon after each poll, and often enough for what is entered by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from spendtop.collector import from_settings
from spendtop.collector.polling.poll_config import accounts_of, notified, polled
from spendtop.config.settings import Settings
from spendtop.domain.clock import Clock
from spendtop.services.alert_messages import Announcement
from spendtop.services.balance_alerts import Watch, WatchedAccount, WatchedPoller
from spendtop.services.recorder import Recorder
from spendtop.store.engine import Store

_LOOK = 1.0
"""Seconds between two looks; a poll is followed by one at once."""


class AccountWatch:
    """Lets accounts and pollers speak while evaluating is ours."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        settings: Callable[[], Settings],
        clock: Clock,
        owns: Callable[[], bool],
        on_announced: Callable[[Sequence[Announcement]], None],
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._settings = settings
        self._clock = clock
        self._owns = owns
        self._on_announced = on_announced
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something was polled."""
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Look until the stop event."""
        watched: Settings | None = None
        while not stop.is_set():
            settings = self._settings()
            if settings is not watched:
                watched, watch = settings, _watch(settings, self._clock())
            if self._owns() and await asyncio.to_thread(self._has_news, watch):
                self._on_announced(await self._look(watch))
            await self._wait(stop)

    def _has_news(self, watch: Watch) -> bool:
        with self._store.reading() as connection:
            return bool(watch.changes(connection, self._clock()))

    async def _look(self, watch: Watch) -> list[Announcement]:
        def work(connection: Connection) -> list[Announcement]:
            return watch.look(connection, self._clock())

        return await asyncio.wrap_future(self._recorder.run(work))

    async def _wait(self, stop: asyncio.Event) -> None:
        news, stopped = asyncio.ensure_future(self._news.wait()), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((news, stopped), timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            stopped.cancel()
        self._news.clear()


def _watch(settings: Settings, now: int) -> Watch:
    """What is watched under these settings, from `now` on."""
    told = notified(settings)
    return Watch(
        [WatchedAccount(account, told[account.name]) for account in accounts_of(settings)],
        [WatchedPoller(each.name, each.every, each.notify) for each in polled(settings)],
        from_settings.channels_of(settings),
        settings.time.zone,
        now,
    )
