"""What happens, for all who follow it. The store is watched and read only while somebody does, once for all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from spendtop.api.recent import Recent
from spendtop.api.shapes.alerts import AlertItem, alert_items
from spendtop.domain.clock import Clock
from spendtop.services.exchange.export import record
from spendtop.store.changes import Changes
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.attention import AlertRow
from spendtop.store.reads.change_feed import Happened, Position, news_after, now_at
from spendtop.store.reads.limits.uses import Ceiling
from spendtop.store.reads.rows import RequestRow

_MOST_AT_ONCE = 100
"""Requests, and alerts, of one read."""
_LOOK_SECONDS = 0.05
"""Between two looks whether the store changed."""
_SHARED_SECONDS = 1.0
"""How long a read is kept for others who stand at the same position."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it is sent. `alert` is what it tells of, so that a follower can leave out what it had."""

    text: bytes
    alert: AlertRow | None


@dataclass(frozen=True, slots=True)
class Events:
    """What happened, where the follower stands behind it, and whether more is there already."""

    events: tuple[Event, ...]
    position: Position
    more: bool


class Feed:
    """For followers in one loop. Each stands at a position of its own, so that a slow one holds up nobody."""

    def __init__(
        self, store: Store, clock: Clock, ceilings: Callable[[], Mapping[str, Ceiling]], most_followers: int
    ) -> None:
        """`ceilings` is by name of limit, for those with a `reserve`."""
        self.most_followers = most_followers
        self._ceilings = ceilings
        self._store = store
        self._clock = clock
        self._followers = 0
        self._changes: Changes | None = None
        self._looking = asyncio.Lock()
        self._read: Recent[tuple[int, str], Events] = Recent(self._read_positions, _SHARED_SECONDS)
        self.changes = 0
        """Changes of the store that were noticed."""

    @property
    def is_full(self) -> bool:
        """Whether as many follow as may."""
        return self._followers >= self.most_followers

    @contextmanager
    def following(self) -> Iterator[None]:
        """Somebody follows until the block ends."""
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers and self._changes is not None:
                self._changes.close()
                self._changes = None

    async def end(self) -> Position:
        """The position behind all that happened."""
        return await asyncio.to_thread(self._read_end)

    async def after(self, position: Position) -> Events:
        key = (self.changes, str(position))
        return (await self._read.get((key,)))[key]

    async def changed(self, since: int, seconds: float) -> bool:
        """Whether `changes` is no longer `since`; waits for that about `seconds`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self.changes == since:
            if loop.time() >= until:
                return False
            async with self._looking:  # one looks for all
                if self.changes == since and not await self._look():
                    await asyncio.sleep(_LOOK_SECONDS)
        return True

    async def _look(self) -> bool:
        try:
            changed = await asyncio.to_thread(self._store_changed)
        except asyncio.CancelledError:
            self.changes += 1  # the look goes on, and nobody hears what it saw
            raise
        self.changes += changed
        return changed

    def _store_changed(self) -> bool:
        if self._changes is None:
            self._changes = Changes(self._store)
            return True
        return self._changes.poll()

    def _read_end(self) -> Position:
        with self._store.reading() as connection:
            return now_at(connection)

    def _read_positions(self, keys: Collection[tuple[int, str]]) -> Mapping[tuple[int, str], Events]:
        with self._store.reading() as connection:
            return {key: self._events(connection, Position.read(key[1])) for key in keys}

    def _events(self, connection: Connection, position: Position) -> Events:
        now = self._clock()
        news = news_after(connection, position, now, _MOST_AT_ONCE)
        alerts = [each.what for each in news.happened if isinstance(each.what, AlertRow)]
        items = {item.id: item for item in alert_items(connection, alerts, now, self._ceilings())}
        return Events(tuple(_written(news.happened, items)), news.position, news.more)


def _written(happened: Sequence[Happened], alerts: Mapping[int, AlertItem]) -> Iterator[Event]:
    for each in happened:
        if isinstance(each.what, RequestRow):
            item = msgspec.json.encode(record(each.what)).decode()
            yield Event(_text("request", item, each.position), None)
        else:
            item = alerts[each.what.id].model_dump_json()
            yield Event(_text("alert", item, each.position), each.what)


def _text(name: str, data: str, position: Position) -> bytes:
    """One server-sent event; JSON has no line ends."""
    return f"id: {position}\nevent: {name}\ndata: {data}\n\n".encode("utf-8", "surrogatepass")
