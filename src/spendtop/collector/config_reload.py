"""Live configuration: a good change is applied and named, a bad one is refused and the old one goes on."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable

from sqlalchemy import Connection

import spendtop
from spendtop.alerts.url_check import unusable
from spendtop.collector import from_settings
from spendtop.collector.active_config import ActiveConfig
from spendtop.collector.polling import poll_config
from spendtop.config.file_watch import changes
from spendtop.config.load import Loaded
from spendtop.config.setting_changes import differences
from spendtop.config.toml import dotted
from spendtop.domain.clock import Clock
from spendtop.domain.config_slips import first_slip
from spendtop.domain.errors import ConfigError, SpendtopError
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.untrusted import clean_line
from spendtop.services.alerting import episodes
from spendtop.services.alerting.evaluator import mark_crossed
from spendtop.services.applied_changes import applied_changes
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording import scoped_totals
from spendtop.services.recording.recorder import Recorder
from spendtop.sources.privacy import keeps_bodies
from spendtop.store import facts
from spendtop.store.reads.configuration import configured_by
from spendtop.store.reads.configuration.applied import CONFIG_NEWS as CONFIG_NEWS
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, applied, keep
from spendtop.store.reads.configuration.configured_by import ConfiguredBy
from spendtop.store.transactions import write

CHANNELS_AFTER_SECONDS = 2.0
"""A start is busy enough without the process that looks at the channels."""


class ConfigReload:
    """Follows the configuration file, and SIGHUP."""

    def __init__(
        self,
        read: Callable[[], Loaded],
        active: ActiveConfig,
        recorder: Recorder,
        clock: Clock,
        url: str,
        asked: asyncio.Event,
        say: Callable[[str], None],
        on_applied: Callable[[], None],
    ) -> None:
        """`read` reads the configuration again; `asked` is set when somebody wants that at once."""
        self._read_anew = read
        self._active = active
        self._clock = clock
        self._recorder = recorder
        self._url = url
        self._asked = asked
        self._say = say
        self._on_applied = on_applied
        self._started_at = clock()
        self._replaced: str | None = None
        """What is to be said of the files that configured the store before, and of what they had otherwise."""
        self.rejected: str | None = None
        """Why the file as it is now is not in force, a slip a line."""
        self._unusable: dict[str, str] = {}
        """Channels that cannot work, and why."""

    @property
    def amiss(self) -> str | None:
        """The same, and which channels cannot work, in sentences with the next step."""
        sentences = list(map(_cannot_work, self._unusable.items()))
        if self.rejected is not None:
            refused = f"{first_slip(self.rejected)}. The configuration before goes on; correct the file and save it."
            sentences.insert(0, refused)
        return " ".join(sentences) or None

    async def publish(self) -> None:
        """Record by what is in force, and write it to the store, where every face reads it."""
        await write(self._recorder, self._publish)

    async def run(self, stop: asyncio.Event) -> None:
        """Apply changes until the stop event; first one that nobody watched."""
        watched = changes(self._active.loaded.files.places, stop)
        if self._replaced is not None:
            await self._tell(True, self._replaced)
            self._replaced = None
        await self.reload()
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(self._answer(stop))
            looking = tasks.create_task(self._look_at_channels())
            async for _ in watched:
                await self.reload()
            asked.cancel()
            looking.cancel()

    async def _look_at_channels(self) -> None:
        """Warn of those that cannot work, which else only the first alert would show."""
        await asyncio.sleep(CHANNELS_AFTER_SECONDS)
        urls = self._active.channel_urls
        refused = await unusable(urls)
        now = self._active.channel_urls
        self._unusable = {name: why for name, why in refused.items() if now.get(name) == urls[name]}
        for channel in self._unusable.items():
            self._say(f"WARNING {_cannot_work(channel)}")

    async def reload(self) -> None:
        """Read the configuration again and apply it, or say why not."""
        try:
            loaded = await asyncio.to_thread(self._read)
            changed = differences(self._active.settings, loaded.settings)
            if changed:
                await self._refuse_unusable(loaded)
                await self._apply(loaded)
        except SpendtopError as failure:
            self.rejected = str(failure)
            self._say(f"The changed configuration is refused, the old one goes on: {failure}")
            await self._keep_news(False, self.rejected)
            return
        was_rejected, self.rejected = self.rejected is not None, None
        if changed:
            await self._tell(True, "Configuration applied: " + "; ".join(changed))
        elif was_rejected:
            await self._tell(True, "The configuration is again the one that is in force.")

    async def _refuse_unusable(self, loaded: Loaded) -> None:
        """Raises ConfigError for channels that are new, or have another URL, and cannot work."""
        before, urls = self._active.channel_urls, from_settings.channel_urls(loaded.settings)
        refused = await unusable({name: url for name, url in urls.items() if before.get(name) != url})
        if refused:
            origins = {name: loaded.origins[dotted(("channel", name, "url"))] for name in refused}
            raise ConfigError("\n".join(f"{origins[name]}: [channel] url: {why}" for name, why in refused.items()))
        self._unusable = {name: why for name, why in self._unusable.items() if before.get(name) == urls.get(name)}

    def _read(self) -> Loaded:
        """Raises ConfigError, also when the file is gone: to remove it is not to save an empty one."""
        path = self._active.loaded.path
        if path is not None and not path.is_file():
            raise ConfigError(f"{path} is gone. Put it back, or restart the collector without it.")
        return self._read_anew()

    async def price_by(self, catalogue: PublishedPrices) -> None:
        """Record by another price list from now on; what is priced already stays as it is. Raises ConfigError."""
        before = self._active.catalogue
        self._active.price_by(catalogue)
        await self._publish_or(lambda: self._active.price_by(before))

    async def _apply(self, loaded: Loaded) -> None:
        before = self._active.loaded
        self._active.apply(loaded)
        await self._publish_or(lambda: self._active.apply(before))
        self._on_applied()

    async def _publish_or(self, go_back: Callable[[], None]) -> None:
        try:
            await self.publish()
        except BaseException:
            go_back()
            self._recorder.apply(self._active.preparer, self._active.book)
            raise

    async def _answer(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._asked.wait()
            self._asked.clear()
            await self.reload()

    async def _tell(self, ok: bool, text: str) -> None:
        self._say(text)
        await self._keep_news(ok, text)

    async def _keep_news(self, ok: bool, text: str) -> None:
        news = json.dumps({"at": self._clock(), "ok": ok, "text": text})
        await write(self._recorder, lambda connection: facts.put(connection, CONFIG_NEWS, news))

    def _publish(self, connection: Connection) -> None:
        """Between two groups of events, so that each is counted by the old limits or by the new ones."""
        book = self._active.book
        self._recorder.apply(self._active.preparer, book)
        scoped_totals.rebuild_changed(connection, book)
        self._mark_changed(connection, book)
        in_force = Applied(
            limits=book.limits,
            calendar=book.calendar,
            channels=tuple(self._active.channel_urls),
            collector=CollectorInfo(
                version=spendtop.__version__,
                host=socket.gethostname(),
                pid=os.getpid(),
                url=self._url,
                started_at=self._started_at,
                public_url=self._public_url(connection),
            ),
            at=self._clock(),
            config_digest=self._active.digest,
            doors=from_settings.doors_of(self._active.settings),
            accounts=poll_config.accounts_of(self._active.settings),
            pollers=poll_config.polled_sources(self._active.settings),
            keeps_bodies=keeps_bodies(self._active.settings),
            include_provider=self._active.settings.limit_rules.include_provider,
        )
        self._replaced = self._remember_files(connection, in_force) or self._replaced
        keep(connection, in_force)

    def _remember_files(self, connection: Connection, in_force: Applied) -> str | None:
        """So that a start that finds no file goes by these; says what is otherwise where others configured before."""
        files, host = self._active.loaded.files, in_force.collector.host
        before, applied_before = configured_by.configured_by(connection, host), applied(connection)
        now = ConfiguredBy(
            document=str(files.document.absolute()) if files.document is not None else None,
            env_file=str(files.env_file.absolute()) if files.env_file is not None else None,
            digest=self._active.loaded.digest,
            at=in_force.at,
        )
        if now.words:
            configured_by.keep(connection, host, now)
        if before is None or before.words == now.words:
            return None
        by = f"Configured by {now.words}" if now.words else "No configuration file counts this time"
        changed = applied_changes(applied_before, in_force) if applied_before is not None else []
        return f"{by}; before it was {before.words}: {'; '.join(changed) or 'nothing that counts differs'}"

    def _public_url(self, connection: Connection) -> str:
        """Of a tunnel that this collector opened."""
        before = applied(connection)
        is_ours = before is not None and before.collector.started_at == self._started_at
        return before.collector.public_url if before is not None and is_ours else ""

    def _mark_changed(self, connection: Connection, book: LimitBook) -> None:
        """A limit that is back goes on where it was; one that is new, or was lowered, may be crossed already."""
        before = applied(connection)
        unchanged = before.limits if before is not None and before.calendar == book.calendar else ()
        changed = [limit for limit in book.limits if limit not in unchanged]
        for limit in changed:
            episodes.resume(connection, limit, book.calendar, self._clock())
        mark_crossed(connection, changed, book, self._clock())


def _cannot_work(channel: tuple[str, str]) -> str:
    name, why = channel
    return f"Channel {clean_line(name)} cannot work: its URL {why}. Correct it under [[channel]]."
