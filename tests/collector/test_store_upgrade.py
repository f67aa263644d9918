from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket

import httpx
import pytest

from spendtop.api.answers import HttpAnswer, Receive, Scope, Send, send_answer
from spendtop.api.listener.server import bind, serve
from spendtop.collector.process.lifecycle import Readiness
from spendtop.collector.store_upgrade import StoreUpgrade
from spendtop.domain.errors import ConfigError
from spendtop.services.stores.presence import running_collector
from spendtop.store import schema
from spendtop.store.engine import Store
from tests.conftest import SettableClock
from tests.waiting import DEADLINE, soon


@dataclass
class Upgrading:
    """An upgrade that goes on when the test says so, and what is seen of it."""

    listening: socket
    holder: Path
    upgrade: StoreUpgrade
    pipe: int
    sentences: list[str]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    shares: list[float | Exception] = field(default_factory=list)

    def advance(self, share: float | Exception) -> None:
        """Let one step come to its end, with this share done, or fail."""
        self.shares.append(share)
        self.turns.release()

    def steps(self, _store: Store) -> Iterator[float]:
        while True:
            assert self.turns.acquire(timeout=DEADLINE)
            share = self.shares.pop(0)
            if isinstance(share, Exception):
                raise share
            yield share
            if share == 1:
                return

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.Task[bool]]]:
        async with httpx.AsyncClient(base_url=self.address, trust_env=False, timeout=DEADLINE) as client:
            task = asyncio.ensure_future(self.upgrade.run(self.listening, self.stop))
            yield client, task
            if not task.done():
                self.advance(1)
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def upgrading(tmp_path: Path, clock: SettableClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upgrading]:
    read, write = os.pipe()
    holder, sentences = tmp_path / "holder.json", list[str]()
    readiness = Readiness(holder, "http://here", "viewer", clock, write)
    store = Store(f"sqlite:///{tmp_path}/spendtop.db")
    with closing(bind("127.0.0.1", 0)) as listening:
        upgrade = StoreUpgrade(store, clock, readiness, sentences.append, patience=0)
        one = Upgrading(listening, holder, upgrade, read, sentences)
        monkeypatch.setattr(schema, "upgrading", one.steps)
        yield one
    store.close()
    for descriptor in (read, write):
        os.close(descriptor)


async def test_the_listener_answers_that_it_is_alive_and_how_far_the_upgrade_is(
    upgrading: Upgrading, clock: SettableClock
) -> None:
    async with upgrading.running() as (client, _):
        upgrading.advance(0.437)
        assert (await client.get("/ping")).text == "pong"
        await soon(lambda: upgrading.upgrade.share == 0.437)
        health = await client.get("/health")
        assert health.status_code == 503
        said = health.json()
        assert (said["status"], said["upgraded_percent"]) == ("down", 43)
        assert set(said) == {"status", "timestamp", "version", "upgraded_percent"}
        for path in ("/webhook", "/ingest", "/v1/traces", "/requests"):
            answer = await client.post(path, content=b"{}")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert answer.json()["error"] == {
                "code": "store_upgrading",
                "message": "The store is being upgraded: 43 % is done. Send again.",
            }


async def test_the_log_the_file_and_the_pipe_say_how_far_it_is(upgrading: Upgrading) -> None:
    async with upgrading.running():
        upgrading.advance(0.25)
        await soon(lambda: upgrading.sentences[-1:] == ["Upgrading the store: 25 % is done."])
        held = running_collector(upgrading.holder)
        assert held is not None
        assert held.upgraded is not None
    lines = os.read(upgrading.pipe, 65_536).splitlines()
    assert {"ready": False, "upgraded": 0.25} in map(json.loads, lines)


async def test_the_socket_is_handed_on(upgrading: Upgrading) -> None:
    async def real(scope: Scope, receive: Receive, send: Send) -> None:
        await send_answer(send, HttpAnswer(200, b"real"))

    async with upgrading.running() as (client, task):
        upgrading.advance(0.5)
        assert (await client.get("/ping")).text == "pong"
        upgrading.advance(1)
        assert await task
        waiting = asyncio.ensure_future(client.get("/ping"))
        stop = asyncio.Event()
        serving = asyncio.ensure_future(serve(real, upgrading.listening.dup(), stop))
        assert (await waiting).text == "real"
        stop.set()
        await serving


async def test_what_an_upgrade_raises_is_raised_as_it_is(upgrading: Upgrading) -> None:
    async with upgrading.running() as (_, task):
        upgrading.advance(ConfigError("of a newer spendtop"))
        with pytest.raises(ConfigError, match="newer"):
            await task


async def test_a_stop_leaves_it_after_the_step(upgrading: Upgrading) -> None:
    async with upgrading.running() as (_, task):
        upgrading.stop.set()
        upgrading.advance(0.5)
        assert not await task


async def test_a_change_that_fills_nothing_is_told_of_when_it_takes_long(
    upgrading: Upgrading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendtop.collector.store_upgrade._MOST_SILENCE", 0.0)
    async with upgrading.running() as (client, _):
        assert (await client.get("/ping")).text == "pong"
        assert upgrading.sentences == ["Upgrading the store: 0 % is done."]


async def test_a_fresh_store_is_waited_for(upgrading: Upgrading) -> None:
    async with upgrading.running() as (client, task):
        waiting = asyncio.ensure_future(client.get("/ping"))
        upgrading.advance(1)
        assert await task
        assert not waiting.done()
        waiting.cancel()
    assert upgrading.sentences == []
