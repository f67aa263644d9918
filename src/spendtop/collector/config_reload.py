"""Live configuration: a good change is applied and named, a bad one is refused and the old one goes on."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable

from sqlalchemy import Connection

import spendtop
from spendtop.collector import from_settings
from spendtop.collector.active_config import InForce
from spendtop.collector.polling import poll_config
from spendtop.collector.setup import Setup
from spendtop.config.apply import differences
from spendtop.config.file_watch import changes
from spendtop.config.load import Loaded
from spendtop.domain.errors import ConfigError, SpendtopError
from spendtop.services import limit_marks, scoped_totals
from spendtop.services.limit_book import LimitBook
from spendtop.services.recorder import Recorder
from spendtop.store import facts
from spendtop.store.reads.applied_config import CONFIG_NEWS as CONFIG_NEWS
from spendtop.store.reads.applied_config import Applied, CollectorInfo, applied, keep


class Reloading:
    """Follows the configuration file, and SIGHUP."""

    def __init__(
        self,
        setup: Setup,
        in_force: InForce,
        recorder: Recorder,
        url: str,
        asked: asyncio.Event,
        say: Callable[[str], None],
        on_applied: Callable[[], None],
    ) -> None:
        self._setup = setup
        self._in_force = in_force
        self._recorder = recorder
        self._url = url
        self._asked = asked
        self._say = say
        self._on_applied = on_applied
        self._started_at = setup.clock()
        self.rejected: str | None = None
        """Why the file as it is now is not in force."""

    async def publish(self) -> None:
        """Record by what is in force, and write it to the store, where every face reads it."""
        await asyncio.wrap_future(self._recorder.run(self._publish))

    async def run(self, stop: asyncio.Event) -> None:
        """Apply changes until the stop event; first one that nobody watched."""
        watched = changes(self._setup.loaded.places, stop)
        await self.reload()
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(self._answer(stop))
            async for _ in watched:
                await self.reload()
            asked.cancel()

    async def reload(self) -> None:
        """Read the configuration again and apply it, or say why not."""
        try:
            loaded = await asyncio.to_thread(self._read)
            changed = differences(self._in_force.settings, loaded.settings)
            if changed:
                await self._put_into_force(loaded)
        except SpendtopError as failure:
            self.rejected = str(failure)
            await self._tell(False, f"The changed configuration is refused, the old one goes on: {failure}")
            return
        was_rejected, self.rejected = self.rejected is not None, None
        if changed:
            await self._tell(True, "Configuration applied: " + "; ".join(changed))
        elif was_rejected:
            await self._tell(True, "The configuration is again the one that is in force.")

    def _read(self) -> Loaded:
        """Raises ConfigError, also when the file is gone: to remove it is not to save an empty one."""
        path = self._in_force.loaded.path
        if path is not None and not path.is_file():
            raise ConfigError(f"{path} is gone. Put it back, or restart the collector without it.")
        return self._setup.reload()

    async def _put_into_force(self, loaded: Loaded) -> None:
        before = self._in_force.loaded
        self._in_force.apply(loaded)
        try:
            await self.publish()
        except BaseException:
            self._in_force.apply(before)
            self._recorder.apply(self._in_force.preparer, self._in_force.book)
            raise
        self._on_applied()

    async def _answer(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._asked.wait()
            self._asked.clear()
            await self.reload()

    async def _tell(self, ok: bool, text: str) -> None:
        self._say(text)
        news = json.dumps({"at": self._setup.clock(), "ok": ok, "text": text})
        await asyncio.wrap_future(self._recorder.run(lambda connection: facts.put(connection, CONFIG_NEWS, news)))

    def _publish(self, connection: Connection) -> None:
        """Between two groups of events, so that each is counted by the old limits or by the new ones."""
        book = self._in_force.book
        self._recorder.apply(self._in_force.preparer, book)
        scoped_totals.rebuild_changed(connection, book)
        self._mark_changed(connection, book)
        in_force = Applied(
            limits=book.limits,
            calendar=book.calendar,
            channels=tuple(self._in_force.channel_urls),
            collector=CollectorInfo(
                version=spendtop.__version__,
                host=socket.gethostname(),
                pid=os.getpid(),
                url=self._url,
                started_at=self._started_at,
                public_url=self._public_url(connection),
            ),
            at=self._setup.clock(),
            config_digest=self._in_force.digest,
            doors=from_settings.doors_of(self._in_force.settings),
            accounts=poll_config.accounts_of(self._in_force.settings),
            pollers=poll_config.in_force(self._in_force.settings),
            keeps_bodies=from_settings.keeps_bodies(self._in_force.settings),
        )
        keep(connection, in_force)

    def _public_url(self, connection: Connection) -> str:
        """Of a tunnel that this collector opened."""
        before = applied(connection)
        is_ours = before is not None and before.collector.started_at == self._started_at
        return before.collector.public_url if before is not None and is_ours else ""

    def _mark_changed(self, connection: Connection, book: LimitBook) -> None:
        """A limit that is new, or was lowered, may be crossed already."""
        before = applied(connection)
        known = before.limits if before is not None and before.calendar == book.calendar else ()
        changed = [limit for limit in book.limits if limit not in known]
        limit_marks.mark_crossed(connection, changed, book, self._setup.clock())
