"""What stops recording is told to every channel once, without the store."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from spendtop.alerts.backoff import Timing
from spendtop.alerts.delivery_process import DeliveryJob, DeliveryOutcome, DeliveryResult
from spendtop.collector.conditions import Conditions
from spendtop.collector.emergency import EmergencyMessages
from spendtop.domain.clock import MINUTE, SECOND
from spendtop.domain.condition import ConditionStatus
from tests.conftest import SettableClock
from tests.waiting import put_forward, soon

DOWN, DEGRADED = ConditionStatus.DOWN, ConditionStatus.DEGRADED
SENT = DeliveryResult(outcome=DeliveryOutcome.SENT, detail="")
FAILED = DeliveryResult(outcome=DeliveryOutcome.TRANSIENT, detail="HTTP 500")


class Box:
    """A courier that keeps what it gets; answers as told, then that it was sent."""

    def __init__(self) -> None:
        self.jobs: list[DeliveryJob] = []
        self.answers: deque[DeliveryResult] = deque()

    async def deliver(self, job: DeliveryJob) -> DeliveryResult:
        self.jobs.append(job)
        return self.answers.popleft() if self.answers else SENT

    @property
    def titles(self) -> list[str]:
        return [job.title for job in self.jobs]


class Bench:
    def __init__(self, clock: SettableClock) -> None:
        self.clock = clock
        self.conditions = Conditions(clock)
        self.box = Box()
        self.channels = {"ops": "json://ops"}
        self.owns = True
        self.rounds = 0
        self.messages = EmergencyMessages(
            self.conditions,
            lambda: self.channels,
            self.box,
            clock,
            self._looked,
            lambda: "Europe/Berlin",
            lambda: "build-7",
            Timing(transient=(0,)),
        )

    def _looked(self) -> bool:
        self.rounds += 1
        return self.owns

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.messages.run(stop))
            await self.look()
            yield
            stop.set()

    async def look(self, micros: int = 0) -> None:
        """Let so much time pass, and two rounds begin: the first is over then."""
        self.clock.advance(micros)
        wanted = self.rounds + 2

        def have_begun() -> bool:
            put_forward(2.0)
            return self.rounds >= wanted

        await soon(have_begun)


@pytest.fixture
def bench(clock: SettableClock) -> Bench:
    return Bench(clock)


async def test_what_stops_recording_is_told_once_to_every_channel(bench: Bench) -> None:
    bench.channels = {"ops": "json://ops", "boss": "json://boss"}
    async with bench.running():
        bench.conditions.begin("store", DOWN, "The store was deleted.\nPut it back.")
        await bench.look(5 * SECOND)
        await bench.look(60 * MINUTE)
        assert bench.box.titles == ["spendtop is not recording: store"] * 2
        assert {job.url.partition("?")[0] for job in bench.box.jobs} == {"json://ops", "json://boss"}
        text = bench.box.jobs[0].body
        assert "The store was deleted.\nPut it back.\nSince: 2026-11-20 15:03 Europe/Berlin" in text
        assert bench.box.jobs[0].type == "failure"


async def test_what_only_degrades_or_is_over_at_once_is_told_to_nobody(bench: Bench) -> None:
    async with bench.running():
        bench.conditions.begin("channels", DEGRADED, "One is away.")
        bench.conditions.begin("store", DOWN, "It is away.")
        await bench.look(2 * SECOND)
        bench.conditions.end("store")
        await bench.look(60 * MINUTE)
        assert bench.box.titles == []


async def test_what_comes_and_goes_is_told_once_in_a_quarter_of_an_hour(bench: Bench) -> None:
    async with bench.running():
        told = []
        for _ in range(8):
            bench.conditions.begin("disk", DOWN, "It is full.")
            await bench.look(4 * SECOND)
            bench.conditions.end("disk")
            await bench.look(4 * MINUTE)
            told.append(len(bench.box.jobs))
        assert told == [1, 1, 1, 1, 2, 2, 2, 2]


async def test_a_channel_that_fails_is_tried_again_while_it_lasts(bench: Bench) -> None:
    bench.box.answers.extend([FAILED, FAILED])
    async with bench.running():
        bench.conditions.begin("store", DOWN, "The store was deleted.")
        await bench.look(5 * SECOND)
        await soon(lambda: len(bench.box.jobs) == 3)
        await bench.look(60 * MINUTE)
        assert [job.body[-3:] for job in bench.box.jobs] == ["·1]", "·2]", "·3]"]


async def test_of_several_collectors_the_one_that_delivered_tells(bench: Bench) -> None:
    bench.owns = False
    async with bench.running():
        bench.conditions.begin("store", DOWN, "The database is another one.")
        await bench.look(5 * SECOND)
        assert bench.box.titles == []
        bench.owns = True
        await bench.look(SECOND)
        bench.owns = False
        bench.conditions.begin("disk", DOWN, "It is full.")
        await bench.look(5 * SECOND)
        assert bench.box.titles == ["spendtop is not recording: store", "spendtop is not recording: disk"]
