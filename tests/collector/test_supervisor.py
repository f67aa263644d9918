from __future__ import annotations

import asyncio
import logging

import pytest

from spendtop.collector.supervisor import Supervisor, pause, wait_for_any
from spendtop.domain.errors import CannotWrite
from tests.waiting import DEADLINE, soon


class Flaky:
    """Fails as often as told, then runs until the stop event."""

    def __init__(self, failures: int, failure: BaseException | None = None) -> None:
        self.left = failures
        self.failure = failure or RuntimeError("broken")
        self.starts: list[float] = []
        self.runs = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self.starts.append(asyncio.get_running_loop().time())
        if self.left:
            self.left -= 1
            raise self.failure
        self.runs.set()
        await stop.wait()


async def test_a_loop_that_fails_is_named_and_started_anew_ever_later(caplog: pytest.LogCaptureFixture) -> None:
    stop = asyncio.Event()
    supervisor, loop = Supervisor(stop, (0.02, 30.0)), Flaky(3)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.keep("poller", loop.run))
        async with asyncio.timeout(DEADLINE):
            await loop.runs.wait()
        assert supervisor.failures == {"poller": 3}
        stop.set()
    pauses = [later - earlier for earlier, later in zip(loop.starts, loop.starts[1:], strict=False)]
    assert [pause >= least for pause, least in zip(pauses, (0.02, 0.04, 0.08), strict=True)] == [True] * 3
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert messages == ["poller failed"] * 3


async def test_a_loop_that_would_end_the_program_is_started_anew() -> None:
    stop = asyncio.Event()
    supervisor, loop = Supervisor(stop, (0.01, 30.0)), Flaky(1, SystemExit(0))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.keep("poller", loop.run))
        async with asyncio.timeout(DEADLINE):
            await loop.runs.wait()
        assert supervisor.failures == {"poller": 1}
        stop.set()


GONE = CannotWrite("The store was deleted.")


@pytest.mark.parametrize("failure", [GONE, ExceptionGroup("of tasks", [GONE, ExceptionGroup("inside", [GONE])])])
async def test_an_expected_failure_is_said_once_and_without_a_traceback(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    stop = asyncio.Event()
    supervisor, loop = Supervisor(stop, (0.01, 30.0)), Flaky(3, failure)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.keep("poller", loop.run))
        async with asyncio.timeout(DEADLINE):
            await loop.runs.wait()
        assert supervisor.failures == {}
        stop.set()
    assert [record.getMessage() for record in caplog.records] == ["poller failed: The store was deleted."]
    assert caplog.records[0].exc_info is None


async def test_an_expected_failure_beside_a_bug_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    stop = asyncio.Event()
    supervisor, loop = Supervisor(stop, (0.01, 30.0)), Flaky(2, ExceptionGroup("of tasks", [GONE, KeyError("bug")]))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.keep("poller", loop.run))
        async with asyncio.timeout(DEADLINE):
            await loop.runs.wait()
        stop.set()
    assert caplog.text.count("KeyError: 'bug'") == 2


async def test_a_loop_that_runs_well_again_is_no_longer_named() -> None:
    stop = asyncio.Event()
    supervisor, loop = Supervisor(stop, (0.01, 0.05)), Flaky(2)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.keep("poller", loop.run))
        await soon(lambda: len(loop.starts) == 3)
        await soon(lambda: not supervisor.failures)
        stop.set()


async def test_a_pause_is_never_longer_than_the_longest() -> None:
    stop = asyncio.Event()
    supervisor, loop = Supervisor(stop, (0.01, 0.02)), Flaky(12)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.keep("poller", loop.run))
        async with asyncio.timeout(DEADLINE):
            await loop.runs.wait()
        stop.set()
    assert len(loop.starts) == 13


async def test_a_loop_that_returns_is_started_anew_too() -> None:
    stop, calls = asyncio.Event(), 0

    async def short(_: asyncio.Event) -> None:
        nonlocal calls
        calls += 1

    supervisor = Supervisor(stop, (0.001, 0.01))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.keep("short", short))
        await soon(lambda: calls >= 3)
        stop.set()
    assert supervisor.failures == {}


async def test_one_loop_that_fails_leaves_the_others_alone() -> None:
    stop = asyncio.Event()
    supervisor, broken, well = Supervisor(stop, (30.0, 60.0)), Flaky(1), Flaky(0)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.keep("broken", broken.run))
        tasks.create_task(supervisor.keep("well", well.run))
        async with asyncio.timeout(DEADLINE):
            await well.runs.wait()
        await soon(lambda: supervisor.failures == {"broken": 1})
        stop.set()
    assert len(broken.starts) == 1


async def test_a_pause_ends_with_the_stop_event() -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(DEADLINE):
        await pause(stop, 10 * DEADLINE)


async def test_waiting_ends_with_whichever_event_is_set_first_and_leaves_no_task_behind() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    before = asyncio.all_tasks()
    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as tasks:
        tasks.create_task(wait_for_any(first, second))
        second.set()
    await soon(lambda: asyncio.all_tasks() == before)
    assert not first.is_set()


async def test_waiting_for_events_ends_with_its_time() -> None:
    async with asyncio.timeout(DEADLINE):
        await wait_for_any(asyncio.Event(), asyncio.Event(), seconds=0)
