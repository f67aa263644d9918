"""A real listener on a real socket, with a recorder that the test steers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection

from spendtop.api.app import Listener
from spendtop.api.context import Context, Done, EventRecorder, Health, Result
from spendtop.api.listener.connections import Allowance
from spendtop.api.listener.server import bind, serve
from spendtop.api.refusals import Refusals
from spendtop.api.token_book import TokenCopy
from spendtop.config.settings import Settings, settings_class
from spendtop.domain.clock import Clock
from spendtop.domain.requests.request import Event, NotUnderstood, Request, TestEvent
from spendtop.services.recording.transaction import Outcome
from spendtop.sources.registry import READERS, Readers
from spendtop.sources.settings import SECTIONS
from spendtop.store.dictionaries import Dictionary
from spendtop.store.engine import Store
from tests.helicone_captures import secret, sign
from tests.waiting import DEADLINE


def settings_of(
    server: dict[str, Any] | None = None, helicone: dict[str, Any] | None = None, **sections: dict[str, Any]
) -> Settings:
    """Settings with the captures' webhook secret, and these values on top."""
    values = {
        "server": server or {},
        "helicone": {"webhook_secrets": [secret().decode()], **(helicone or {})},
        **sections,
    }
    return settings_class(SECTIONS).model_validate(values)


@dataclass
class FakeRecorder:
    """Answers from another thread, as the writer does. `failure` is told instead, `refusal` raised by `submit`."""

    events: list[Event] = field(default_factory=list)
    failure: Exception | None = None
    refusal: Exception | None = None
    writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    held: list[tuple[Sequence[Outcome], Done]] = field(default_factory=list)
    holds: bool = False
    dictionary: Dictionary | None = None
    _wanted: int = 0
    _enough: asyncio.Event = field(default_factory=asyncio.Event)
    _ids: count[int] = field(default_factory=lambda: count(1))

    def submit(self, events: Sequence[Event], done: Done, patience: float = 60.0) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.events.extend(events)
        outcomes = [self._outcome(event) for event in events]
        if self.holds:
            self.held.append((outcomes, done))
            if len(self.held) == self._wanted:
                self._enough.set()
        else:
            self.writer.submit(done, self.failure or outcomes)

    def run(self, work: Callable[[Connection], Result]) -> Future[Result]:
        raise AssertionError("only events are recorded here")

    async def holding(self, number: int) -> None:
        """Waits until so many submissions are held."""
        self._wanted = number
        if len(self.held) < number:
            async with asyncio.timeout(DEADLINE):
                await self._enough.wait()

    def commit_group(self) -> None:
        """Answer all that is held, from another thread, one after the other."""

        def tell() -> None:
            for outcomes, done in self.held:
                done(outcomes)

        self.writer.submit(tell).result()

    def _outcome(self, event: Event) -> Outcome:
        if isinstance(event, TestEvent):
            return Outcome("test", next(self._ids))
        if isinstance(event, NotUnderstood):
            return Outcome("quarantined", next(self._ids))
        if not isinstance(event, Request):
            return Outcome("noted", 0)
        known = [each.external_id for each in self.events[:-1] if isinstance(each, Request | TestEvent)]
        return Outcome("duplicate" if event.external_id in known else "stored", next(self._ids))


@dataclass
class Live:
    """A listener that answers."""

    port: int
    client: httpx.AsyncClient
    context: Context
    settings: list[Settings]
    """Its last item is in force."""
    stop: asyncio.Event

    async def post_signed(self, raw: bytes, **headers: str) -> httpx.Response:
        """Post a webhook as Helicone does."""
        return await self.client.post("/webhook", content=raw, headers={"Helicone-Signature": sign(raw), **headers})

    async def exchange(self, sent: bytes, *, ends: bool = True) -> bytes:
        """What a bare connection gets for these bytes until the listener closes it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            await writer.drain()
            async with asyncio.timeout(DEADLINE):
                return await (reader.read() if ends else reader.readuntil(b"\r\n\r\n"))
        finally:
            writer.close()


@asynccontextmanager
async def listening(
    store: Store,
    clock: Clock,
    recorder: EventRecorder,
    settings: Settings | None = None,
    allowance: Allowance | None = None,
    health: Health | None = None,
    monotonic: Callable[[], float] = lambda: 0.0,
    stopping: asyncio.Event | None = None,
    readers: Readers = READERS,
) -> AsyncIterator[Live]:
    """Serves on a free port until the block ends."""
    in_force = [settings or settings_of()]
    stop = asyncio.Event()
    context = Context(
        recorder=recorder,
        store=store,
        settings=lambda: in_force[-1],
        clock=clock,
        health=lambda: health or Health(),
        monotonic=monotonic,
        refusals=Refusals(clock),
        tokens=TokenCopy(store, time.monotonic),
        stopping=stopping or stop,
        backups=store.path.parent / "backups" if store.path else Path("backups"),
    )
    listening_socket = bind("127.0.0.1", 0)
    port = listening_socket.getsockname()[1]
    async with asyncio.TaskGroup() as tasks:
        listener = Listener(context, readers)
        tasks.create_task(serve(listener, listening_socket, stop, allowance, listener.favoured))
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=False, timeout=DEADLINE
        ) as client:
            try:
                yield Live(port, client, context, in_force, stop)
            finally:
                stop.set()
