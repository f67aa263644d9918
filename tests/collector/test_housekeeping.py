from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import event

from spendtop.collector.housekeeping import Housekeeping
from spendtop.domain.clock import DAY
from spendtop.services.retention import RetentionPeriods
from spendtop.services.stores.lease import Lease, LostLease, OwnedWrites
from spendtop.store import partitions
from spendtop.store.engine import Store
from spendtop.store.ids import SLOTS
from spendtop.store.transactions import OwnTransactions, write
from tests.collector.conftest import Bench, bench_on
from tests.conftest import SettableClock
from tests.services.conftest import day_sums, hour_sums_by_day
from tests.waiting import DEADLINE, soon

BODY = b'{"messages": []}'
KEPT = '[retention]\nbodies = "7d"\nrequests = "400d"\n'


@asynccontextmanager
async def keeping_house(bench: Bench, owns: bool = True) -> AsyncIterator[None]:
    housekeeping = Housekeeping(
        bench.recorder,
        bench.recorder,
        lambda: bench.active.retention,
        bench.clock,
        lambda: owns,
        bench.store.checkpoint,
        (0.0, 0.05),
    )
    async with running(housekeeping):
        yield


@asynccontextmanager
async def running(housekeeping: Housekeeping) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(housekeeping.run(stop))
        yield
        stop.set()


def bodies(bench: Bench) -> int:
    return int(bench.rows("SELECT COUNT(*) FROM body")[0][0])


async def test_bodies_that_are_too_old_are_forgotten_in_batches_and_the_others_stay(bench: Bench) -> None:
    bench.configure(KEPT)
    bench.start()
    bench.record(*(bench.request(request_body=BODY) for _ in range(1_100)))
    bench.clock.advance(8 * DAY)
    bench.record(bench.request(request_body=BODY))
    async with keeping_house(bench):
        await soon(lambda: bodies(bench) == 1)
    assert bench.rows("SELECT body_state, COUNT(*) FROM request GROUP BY 1 ORDER BY 1") == [
        ("purged", 1_100),
        ("stored", 1),
    ]


async def test_what_is_kept_longer_from_now_on_is_spared_at_once(bench: Bench) -> None:
    bench.start()
    bench.record(*(bench.request(request_body=BODY) for _ in range(300)))
    bench.clock.advance(8 * DAY)
    said = iter([RetentionPeriods(bodies=7 * DAY, requests=400 * DAY)] * 2)
    kept = RetentionPeriods(bodies=30 * DAY, requests=400 * DAY)
    housekeeping = Housekeeping(
        bench.recorder, bench.recorder, lambda: next(said, kept), bench.clock, lambda: True, bench.store.checkpoint
    )
    await housekeeping.work(asyncio.Event())
    assert 0 < bodies(bench) < 300


async def test_room_is_given_back_to_the_disk_once_bodies_are_forgotten(bench: Bench) -> None:
    bench.configure(KEPT)
    bench.start()
    path = bench.store.path
    assert path is not None
    bench.record(*(bench.request(request_body=Random(number).randbytes(8_000)) for number in range(300)))
    bench.store.checkpoint()
    full = path.stat().st_size
    bench.clock.advance(8 * DAY)
    async with keeping_house(bench):
        await soon(lambda: bodies(bench) == 0 and path.stat().st_size < full / 2)


async def test_a_request_that_is_forgotten_is_still_known(bench: Bench) -> None:
    bench.configure(KEPT)
    bench.start()
    request = bench.request(request_body=BODY)
    bench.record(request)
    bench.clock.advance(500 * DAY)
    async with keeping_house(bench):
        await soon(lambda: bench.rows("SELECT COUNT(*) FROM request") == [(0,)])
    assert [outcome.status for outcome in bench.record(request)] == ["duplicate"]
    assert bench.rows("SELECT requests FROM total WHERE dimension = 'all'") == [(1,)]


async def test_hours_that_are_over_are_summed_by_days(bench: Bench) -> None:
    bench.start()
    for _ in range(3):
        bench.record(bench.request())
        bench.clock.advance(DAY)
    bench.record(bench.request())
    async with keeping_house(bench):
        await soon(lambda: bench.rows("SELECT count(*) FROM day_total WHERE dimension = 'all'") == [(3,)])
    assert day_sums(bench.store) == hour_sums_by_day(bench.store)


async def test_a_month_is_dropped_beside_the_writer_and_by_the_owner_alone(
    postgres_store: Store, clock: SettableClock, tmp_path: Path
) -> None:
    bench = bench_on(postgres_store, clock, tmp_path)
    bench.start()
    clock.now = past_end(postgres_store) - DAY
    request = bench.request(request_body=BODY)
    bench.record(request)
    clock.advance(500 * DAY)
    droppers: list[str] = []

    @event.listens_for(postgres_store.write_engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        if statement.startswith("DROP TABLE"):
            droppers.append(threading.current_thread().name)

    former, owner = Lease("former"), Lease("owner")
    former.epoch = owner.epoch = await write(bench.recorder, owner.renew)
    try:
        with pytest.raises(LostLease):
            await housekeeping_beside(bench, former).work(asyncio.Event())
        assert (droppers, bench.rows("SELECT count(*) FROM request")) == ([], [(1,)])
        await housekeeping_beside(bench, owner).work(asyncio.Event())
        assert {name.rpartition("_")[0] for name in droppers} == {"beside the writer"}
        assert bench.rows("SELECT (SELECT count(*) FROM request), (SELECT count(*) FROM body)") == [(0, 0)]
        assert [outcome.status for outcome in bench.record(request)] == ["duplicate"]
        assert bench.rows("SELECT requests FROM total WHERE dimension = 'all'") == [(1,)]
    finally:
        bench.recorder.stop(DEADLINE)


def housekeeping_beside(bench: Bench, lease: Lease) -> Housekeeping:
    beside = OwnedWrites(OwnTransactions(bench.store), lease)
    kept = RetentionPeriods(bodies=7 * DAY, requests=400 * DAY)
    return Housekeeping(bench.recorder, beside, lambda: kept, bench.clock, lambda: True, bench.store.checkpoint)


def past_end(store: Store) -> int:
    """The end of the last month that has a partition."""
    with store.reading() as connection:
        return max(partitions._ends(connection, "request").values()) // SLOTS


async def test_it_comes_round_again(bench: Bench) -> None:
    bench.configure(KEPT)
    bench.start()
    async with keeping_house(bench):
        for _ in range(2):
            bench.record(bench.request(request_body=BODY))
            bench.clock.advance(8 * DAY)
            await soon(lambda: bodies(bench) == 0)


async def test_only_the_owner_keeps_house(bench: Bench) -> None:
    bench.configure(KEPT)
    bench.start()
    bench.record(bench.request(request_body=BODY))
    bench.clock.advance(8 * DAY)
    async with keeping_house(bench, owns=False):
        await asyncio.to_thread(bench.record, bench.request())
    assert bodies(bench) == 1


async def test_a_clock_that_jumps_forward_erases_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.configure(KEPT)
    bench.start()
    bench.record(bench.request(request_body=BODY))
    passed = 0.0
    housekeeping = Housekeeping(
        bench.recorder,
        bench.recorder,
        lambda: bench.active.retention,
        bench.clock,
        lambda: True,
        bench.store.checkpoint,
        (0.0, 3600.0),
        lambda: passed,
    )
    bench.clock.advance(8 * DAY)
    async with running(housekeeping):
        await soon(lambda: "the clock has jumped" in caplog.text)
    assert bodies(bench) == 1
    bench.clock.advance(DAY)
    passed = 24 * 3600.0
    async with running(housekeeping):
        await soon(lambda: bodies(bench) == 0)
