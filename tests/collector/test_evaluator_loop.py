from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection, text

from spendtop.collector.evaluator_loop import EvaluatorLoop
from spendtop.domain.clock import SECOND
from spendtop.services.alerting.announcements import Announcement
from spendtop.services.stores.lease import Lease, Ownership, SoleOwner
from spendtop.store.engine import Store
from tests.collector.conftest import Bench
from tests.waiting import soon

REVISITS_ONCE = 3600.0
"""Seconds: what happens in a test is not brought about by a revisit."""
LIMIT = '[[limit]]\nname = "all"\nwindow = "24h"\nusd = 1\nwarn = []\n'
EACH = '[[limit]]\nname = "each"\neach = "user"\nwindow = "24h"\nusd = 1000\nwarn = []\n'


class Said:
    """What was announced."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, announcements: Sequence[Announcement]) -> None:
        self.names += [each.message.limit_name for each in announcements]


class NotOurs(Lease):
    """Another collector holds the lease."""

    def __init__(self) -> None:
        super().__init__("ours")

    def renew(self, connection: Connection) -> int:
        return 0


def evaluation_of(
    bench: Bench, said: Said, ownership: Ownership | None = None, revisit: float = REVISITS_ONCE
) -> EvaluatorLoop:
    return EvaluatorLoop(
        bench.store,
        bench.recorder,
        ownership or SoleOwner(),
        lambda: bench.active.evaluator,
        bench.clock,
        said,
        revisit,
    )


@asynccontextmanager
async def running(evaluation: EvaluatorLoop) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(evaluation.run(stop))
        yield stop
        stop.set()


async def test_a_mark_becomes_an_alert_soon_after_its_commit(bench: Bench) -> None:
    bench.configure(LIMIT)
    bench.start()
    said = Said()
    evaluation = evaluation_of(bench, said)
    bench.recorded.append(evaluation.wake)
    async with running(evaluation):
        await soon(lambda: evaluation.owns)
        for _ in range(3):
            bench.record(bench.request(2.0))
            await soon(lambda: bench.rows("SELECT COUNT(*) FROM limit_mark") == [(0,)])
    assert said.names == ["all"]
    assert bench.rows("SELECT state FROM alert") == [("exceeded",)]


async def test_marks_that_a_crash_left_are_evaluated_at_the_start(bench: Bench) -> None:
    bench.configure(LIMIT)
    bench.start()
    bench.record(bench.request(2.0))
    said = Said()
    async with running(evaluation_of(bench, said)):
        await soon(lambda: said.names == ["all"])


async def test_more_marks_than_one_pass_takes_are_all_evaluated_without_another_commit(bench: Bench) -> None:
    bench.configure(EACH)
    bench.start()
    bench.record(*(bench.request(0.1, user_id=f"user-{number}") for number in range(4_500)))
    async with running(evaluation_of(bench, Said())):
        await soon(lambda: bench.rows("SELECT COUNT(*) FROM limit_mark") == [(0,)])


async def test_only_the_owner_evaluates(bench: Bench) -> None:
    bench.configure(LIMIT)
    bench.start()
    said = Said()
    other = NotOurs()
    evaluation = evaluation_of(bench, said, other)
    async with running(evaluation):
        bench.record(bench.request(2.0))
        evaluation.wake()
        bench.record(bench.request(2.0))
        assert not evaluation.owns
    assert said.names == []
    assert len(bench.rows("SELECT 1 FROM limit_mark")) == 1


async def test_what_falls_by_itself_is_looked_at_without_any_request(bench: Bench) -> None:
    bench.configure('[[limit]]\nname = "hour"\nwindow = "hour"\nusd = 1\nwarn = []\n')
    bench.start()
    bench.record(bench.request(2.0))
    said = Said()
    async with running(evaluation_of(bench, said, revisit=0.1)):
        await soon(lambda: said.names == ["hour"])
        bench.clock.advance(3600 * SECOND)
        await soon(lambda: bench.rows("SELECT state FROM alert") == [("resolved",)])


async def test_it_owns_nothing_any_more_when_it_has_ended_or_failed(bench: Bench) -> None:
    bench.start()

    class Broken(SoleOwner):
        def holds(self, connection: Connection, epoch: int) -> bool:
            raise RuntimeError("the database is away")

    evaluation = evaluation_of(bench, Said(), Broken())
    with pytest.raises(RuntimeError):
        await evaluation.run(asyncio.Event())
    assert not evaluation.owns


async def test_waking_before_it_runs_is_harmless(bench: Bench) -> None:
    bench.start()
    evaluation_of(bench, Said()).wake()


class TestOnPostgreSQL:
    """Where several collectors share a store."""

    @pytest.fixture
    def sqlite_store(self, postgres_store: Store) -> Store:
        return postgres_store

    async def test_marks_of_another_collector_are_noticed_without_being_told(self, bench: Bench) -> None:
        bench.configure(LIMIT)
        bench.start()
        said = Said()
        evaluation = evaluation_of(bench, said, Lease("ours"))
        async with running(evaluation):
            await soon(lambda: evaluation.owns)
            bench.record(bench.request(2.0))
            await soon(lambda: said.names == ["all"])
        await evaluation.release()
        with bench.store.reading() as connection:
            assert connection.execute(text("SELECT owner FROM lease")).scalar() == ""

    async def test_the_lease_passes_to_the_next_when_the_owner_ends(self, bench: Bench) -> None:
        bench.start()
        first, second = (evaluation_of(bench, Said(), Lease(name), 0.1) for name in ("first", "second"))
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            owner = tasks.create_task(first.run(stop))
            await soon(lambda: first.owns)
            async with running(second):
                stop.set()
                await owner
                assert not second.owns
                await first.release()
                await soon(lambda: second.owns)
