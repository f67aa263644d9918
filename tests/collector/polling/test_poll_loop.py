"""One job for ever: on time, slower while it fails, at once when it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from spendtop.collector.polling.poll_loop import PollLoop
from spendtop.domain.clock import MINUTE
from spendtop.services import checkpoints
from spendtop.sources import unknown_fields
from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.store.reads.sources.remarks import source_remarks
from tests.collector.conftest import Bench
from tests.waiting import DEADLINE, soon


class Scripted:
    """A job whose steps end as written; a list of booleans and failures."""

    name = "scripted"
    every = MINUTE

    def __init__(self, *ends: bool | Exception) -> None:
        self.ends = list(ends)
        self.began: list[int] = []
        self.holds = asyncio.Event()
        self.holds.set()

    async def step(self, run_began_at: int) -> bool:
        self.began.append(run_began_at)
        await self.holds.wait()
        end = self.ends.pop(0) if self.ends else False
        if isinstance(end, Exception):
            raise end
        return end


class Owner:
    """Whether polling is ours."""

    owns = True

    def __call__(self) -> bool:
        return self.owns


def polling_of(bench: Bench, job: Scripted, owner: Owner | None = None) -> PollLoop:
    if not hasattr(bench, "recorder"):
        bench.start()
    return PollLoop(job, bench.recorder, bench.clock, owner or Owner())


@asynccontextmanager
async def running(polling: PollLoop) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(polling.run(stop))
        yield
        stop.set()


def failures(bench: Bench) -> tuple[str | None, int]:
    with bench.store.reading() as connection:
        found = checkpoints.load(connection, "scripted")
    return found.failure, found.failures


async def test_what_nobody_knows_in_answers_is_counted_under_the_name_of_the_poller(bench: Bench) -> None:
    class Telling(Scripted):
        async def step(self, run_began_at: int) -> bool:
            unknown_fields.tell(["data.brand_new"])
            return await super().step(run_began_at)

    polling = polling_of(bench, Telling(True, False))
    for _ in range(2):
        await polling.poll(asyncio.Event())
    with bench.store.reading() as connection:
        (remark,) = source_remarks(connection, bench.clock())
    assert (remark.source, remark.is_loss) == ("scripted", False)
    assert remark.words == "1 field or column is not known here and passed over: `data.brand_new`"
    assert bench.rows("SELECT kind, count FROM remark") == [("unknown field", 3)]


async def test_a_poll_goes_on_step_by_step_to_its_end(bench: Bench) -> None:
    job = Scripted(True, True, False)
    waits = await polling_of(bench, job).poll(asyncio.Event())
    assert len(job.began) == 3 and len(set(job.began)) == 1
    assert 54 <= waits <= 66


@pytest.mark.parametrize(
    ("ends", "waits"),
    [
        ([PollFailed("no")], [60]),
        ([PollFailed("no")] * 4, [60, 120, 240, 480]),
        ([PollFailed("no")] * 6, [60, 120, 240, 480, 900, 900]),
        ([PollFailed("slow down", 30.0)], [30]),
        ([PollFailed("slow down", 9000.0)], [900]),
        ([KeyRefused("no key")], [3600]),
        ([RuntimeError("broken")], [60]),
    ],
)
async def test_after_a_failure_it_waits_longer(
    bench: Bench, ends: Sequence[Exception], waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    polling = polling_of(bench, Scripted(*ends))
    assert [await polling.poll(asyncio.Event()) for _ in ends] == waits
    assert failures(bench)[1] == len(ends)
    assert ("broken" in caplog.text) is isinstance(ends[0], RuntimeError)


async def test_a_failure_is_kept_as_a_sentence(bench: Bench) -> None:
    await polling_of(bench, Scripted(PollFailed("OpenAI is away."))).poll(asyncio.Event())
    assert failures(bench) == ("OpenAI is away.", 1)


async def test_asked_to_poll_it_does_not_wait_and_says_when_it_is_done(bench: Bench) -> None:
    job = Scripted()
    polling = polling_of(bench, job)
    async with running(polling):
        await soon(lambda: len(job.began) == 1)
        await asyncio.wait_for(polling.poll_now(), DEADLINE)
        assert len(job.began) == 2


async def test_asked_in_the_middle_of_a_poll_it_polls_once_more(bench: Bench) -> None:
    job = Scripted()
    polling = polling_of(bench, job)
    job.holds.clear()
    async with running(polling):
        await soon(lambda: len(job.began) == 1)
        asked = asyncio.ensure_future(polling.poll_now())
        await asyncio.sleep(0)
        job.holds.set()
        await asyncio.wait_for(asked, DEADLINE)
        assert len(job.began) == 2


async def test_who_waits_for_a_poll_is_not_left_waiting_at_the_end(bench: Bench) -> None:
    job, owner = Scripted(), Owner()
    owner.owns = False
    polling = polling_of(bench, job, owner)
    async with running(polling):
        asked = asyncio.ensure_future(polling.poll_now())
        await asyncio.sleep(0)
    await asyncio.wait_for(asked, DEADLINE)
    assert job.began == []


async def test_it_polls_only_while_polling_is_ours(bench: Bench) -> None:
    job, owner = Scripted(*[True] * 1000), Owner()
    owner.owns = False
    async with running(polling_of(bench, job, owner)):
        await asyncio.sleep(0)
        assert job.began == []
        owner.owns = True
        await soon(lambda: job.began)
        owner.owns = False
        done = len(job.began)
        await asyncio.sleep(0)
        assert len(job.began) <= done + 1
