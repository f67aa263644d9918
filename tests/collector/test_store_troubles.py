"""What is amiss with the store is an alert that begins and ends by itself, also where it could not be written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import Connection

from spendtop.collector.conditions import Conditions
from spendtop.collector.store_troubles import StoreTroubles
from spendtop.domain.clock import MINUTE, SECOND
from spendtop.domain.condition import ConditionStatus
from spendtop.domain.errors import StoreFull
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.attention import AlertRow, alerts
from tests.conftest import SettableClock
from tests.waiting import soon

T = TypeVar("T")
DOWN, DEGRADED = ConditionStatus.DOWN, ConditionStatus.DEGRADED


class Queue:
    """Writes, unless the disk is full."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_full = False
        self.tries = 0

    def run(self, work: Callable[[Connection], T]) -> Future[T]:
        self.tries += 1
        future: Future[T] = Future()
        if self.is_full:
            future.set_exception(StoreFull("The disk is full."))
            return future
        with self._store.writing() as connection:
            future.set_result(work(connection))
        return future


@asynccontextmanager
async def watched(store: Store, clock: SettableClock) -> AsyncIterator[tuple[Conditions, Queue]]:
    conditions, queue, stop = Conditions(clock), Queue(store), asyncio.Event()
    troubles = StoreTroubles(conditions, queue, clock, lambda: True, every=0.001)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(troubles.run(stop))
        await soon(lambda: queue.tries)
        yield conditions, queue
        stop.set()


def listed(store: Store, is_open: bool = False) -> tuple[AlertRow, ...]:
    with store.reading() as connection:
        return alerts(connection, is_open, 10)


async def test_a_short_disk_is_an_alert_until_there_is_room(sqlite_store: Store, clock: SettableClock) -> None:
    async with watched(sqlite_store, clock) as (conditions, _):
        conditions.begin("bodies", DEGRADED, "Less than 200 MB are free.")
        conditions.begin("configuration", DEGRADED, "No business of the store.")
        began = clock()
        clock.advance(MINUTE)
        await soon(lambda: listed(sqlite_store))
        (alert,) = listed(sqlite_store, is_open=True)
        assert (alert.kind, alert.about, alert.severity, alert.crossed_at) == ("store", "bodies", "warning", began)
        conditions.end("bodies")
        await soon(lambda: not listed(sqlite_store, is_open=True))
        assert listed(sqlite_store)[0].resolved_at == clock()


async def test_what_could_not_be_written_is_told_once_it_is_over(sqlite_store: Store, clock: SettableClock) -> None:
    async with watched(sqlite_store, clock) as (conditions, queue):
        queue.is_full = True
        conditions.begin("disk", DOWN, "The disk is full.")
        began = clock()
        clock.advance(MINUTE)
        tried = queue.tries
        await soon(lambda: queue.tries > tried)
        conditions.end("disk")
        ended = clock()
        tried = queue.tries
        await soon(lambda: queue.tries > tried + 1)
        clock.advance(MINUTE)
        queue.is_full = False
        await soon(lambda: listed(sqlite_store))
        (alert,) = listed(sqlite_store)
        assert (alert.about, alert.severity, alert.state) == ("disk", "critical", "resolved")
        assert (alert.crossed_at, alert.resolved_at) == (began, ended)


async def test_a_collector_closes_what_the_last_one_left_and_what_is_short_is_no_alert(
    sqlite_store: Store, clock: SettableClock
) -> None:
    async with watched(sqlite_store, clock) as (conditions, _):
        conditions.begin("writer", DEGRADED, "Held up.")
        clock.advance(MINUTE)
        await soon(lambda: listed(sqlite_store, is_open=True))
    async with watched(sqlite_store, clock) as (conditions, queue):
        assert not listed(sqlite_store, is_open=True)
        conditions.begin("store", DOWN, "Gone for a moment.")
        clock.advance(SECOND)
        conditions.end("store")
        assert len(listed(sqlite_store)) == 1 and queue.tries == 1
