"""What keeps the store from taking requests: said, kept from being confirmed, and over when it is over."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from sqlalchemy import event, text

from spendtop.collector.conditions import Conditions
from spendtop.collector.store_health import StoreHealth
from spendtop.domain.condition import Condition, ConditionStatus
from spendtop.domain.errors import CannotWrite
from spendtop.store.engine import SCHEMA, Store
from spendtop.store.schema import upgrade
from spendtop.store.store_id import ensured_id
from tests.collector.conftest import Bench
from tests.waiting import put_forward, soon

MEBIBYTE = 1024 * 1024


class Watched:
    """A recorder on a store with an id, and what is said of it."""

    def __init__(self, bench: Bench) -> None:
        with bench.store.writing() as connection:
            ensured_id(connection)
        bench.start()
        self.bench = bench
        self.recorder = bench.recorder
        self.reserve = 0
        self.conditions = Conditions(bench.clock)
        self.health = StoreHealth(bench.store, bench.recorder, self.conditions, lambda: self.reserve)

    def said(self, name: str) -> Condition | None:
        return next((each for each in self.conditions.present if each.name == name), None)

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.health.run(stop))
            hurry = tasks.create_task(self._hurry())
            yield
            stop.set()
            hurry.cancel()

    async def _hurry(self) -> None:
        while True:
            put_forward(2.0)
            await asyncio.sleep(0.01)


@pytest.fixture
def watched(bench: Bench) -> Watched:
    return Watched(bench)


@pytest.fixture
def on_server(postgres_store: Store, bench: Bench) -> Iterator[Watched]:
    bench.store = postgres_store
    yield Watched(bench)


def begun_anew(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(text(f"ALTER SCHEMA {SCHEMA} RENAME TO former"))
    upgrade(store)
    with store.writing() as connection:
        ensured_id(connection)


def put_back(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
        connection.execute(text(f"ALTER SCHEMA former RENAME TO {SCHEMA}"))


async def test_a_whole_store_is_well(watched: Watched) -> None:
    async with watched.looking():
        await asyncio.sleep(0.1)
        assert watched.conditions.present == ()
        watched.bench.record(watched.bench.request())


async def test_another_store_in_the_same_database_is_not_written(on_server: Watched) -> None:
    store = on_server.bench.store
    async with on_server.looking():
        await soon(lambda: on_server.said("store") is None)
        begun_anew(store)
        condition = await soon(lambda: on_server.said("store"))
        assert condition.status is ConditionStatus.DOWN
        assert "--new-store" in condition.sentence
        with pytest.raises(CannotWrite):
            on_server.recorder.submit([on_server.bench.request()], lambda _: None)
        put_back(store)
        await soon(lambda: on_server.said("store") is None)
        on_server.bench.record(on_server.bench.request())


async def test_a_schema_that_was_dropped_is_said(on_server: Watched) -> None:
    async with on_server.looking():
        with on_server.bench.store.writing() as connection:
            connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
        assert (await soon(lambda: on_server.said("store"))).status is ConditionStatus.DOWN
        with pytest.raises(CannotWrite):
            on_server.recorder.submit([on_server.bench.request()], lambda _: None)


async def test_a_full_disk_is_over_once_something_can_be_written(watched: Watched) -> None:
    pages = 0

    @event.listens_for(watched.bench.store.write_engine, "begin")
    def limit(connection: object) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages or 1 << 30}")  # type: ignore[attr-defined]

    with watched.bench.store.reading() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    big = text("INSERT INTO meta VALUES ('big', :value)")
    with pytest.raises(CannotWrite):
        watched.recorder.run(lambda tx: tx.execute(big, {"value": "n" * 500_000})).result(10)
    watched.health.examine()
    condition = watched.said("disk")
    assert condition is not None and condition.status is ConditionStatus.DOWN
    assert "goes on by itself" in condition.sentence
    pages = 0
    async with watched.looking():
        await soon(lambda: watched.said("disk") is None)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


async def test_bodies_are_left_out_while_less_than_the_reserve_is_free(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 500 * MEBIBYTE
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 0, free))
    watched.reserve = 100_000_000
    async with watched.looking():
        await soon(lambda: watched.recorder.keeps_bodies)
        free = 99_000_000
        condition = await soon(lambda: watched.said("bodies"))
        assert condition.status is ConditionStatus.DEGRADED
        assert "Less than 100MB are free" in condition.sentence
        watched.bench.record(watched.bench.request(request_body=b"{}", response_body=b"{}"))
        assert watched.bench.rows("SELECT body_state FROM request") == [("not kept",)]
        assert watched.bench.rows("SELECT count(*) FROM body") == [(0,)]
        free = 110_000_000
        await soon(lambda: watched.said("bodies") is None)
        watched.bench.record(watched.bench.request(request_body=b"{}", response_body=b"{}"))
        assert watched.bench.rows("SELECT count(*) FROM body") == [(1,)]


async def test_of_a_server_no_disk_is_seen(on_server: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(1, 1, 0))
    on_server.reserve = 10**12
    async with on_server.looking():
        await asyncio.sleep(0.1)
        assert on_server.recorder.keeps_bodies
        assert on_server.conditions.present == ()
