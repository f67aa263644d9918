from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection

from spendtop.collector.tasks.slow_tasks import SlowTask
from spendtop.collector.tasks.task_runner import TaskRunner
from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.errors import SpendtopError
from spendtop.domain.requests.request import NotUnderstood
from spendtop.domain.sources.records import HELICONE
from spendtop.services import tasks
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.tasks import Task, TaskKind, TaskState
from tests.collector.conftest import Bench
from tests.helicone_captures import captures
from tests.waiting import DEADLINE, soon


class Office:
    """A task runner with what they reach."""

    def __init__(self, bench: Bench, long: Mapping[TaskKind, SlowTask] | None = None) -> None:
        bench.start()
        self.bench = bench
        self.owns = True
        self.stopped = asyncio.Event()
        self.done = 0
        self.runner = TaskRunner(
            bench.store,
            bench.recorder,
            bench.recorder,
            bench.clock,
            lambda: ["ops", "mail"],
            lambda: self.owns,
            self.stopped.set,
            self._count,
            long,
        )

    def _count(self) -> None:
        self.done += 1

    def ask(self, kind: TaskKind, **arguments: object) -> int:
        with self.bench.store.writing() as connection:
            return tasks.ask(connection, kind, arguments, self.bench.clock())

    def look(self, task_id: int) -> Task:
        with self.bench.store.reading() as connection:
            found = tasks.look(connection, task_id)
        assert found is not None
        return found

    async def result(self, task_id: int) -> tuple[TaskState, str | None]:
        await soon(lambda: self.look(task_id).finished)
        return self.look(task_id).state, self.look(task_id).result


@asynccontextmanager
async def working(office: Office) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(office.runner.run(stop))
        yield
        stop.set()


async def test_what_was_not_understood_is_tried_again(bench: Bench) -> None:
    office = Office(bench)
    raw = captures()["no_user_id"].raw
    now = bench.clock()
    bench.record(*(NotUnderstood(source=HELICONE, received_at=now, reason="?", raw=each) for each in (raw, b"[]")))
    async with working(office):
        asked = office.ask(TaskKind.QUARANTINE_RETRY)
        assert await office.result(asked) == (
            TaskState.DONE,
            "1 understood and recorded, 1 still not understood.",
        )
        await soon(lambda: office.done == 1)
    assert bench.rows("SELECT cost_nano FROM request") == [(202_500,)]
    assert bench.rows("SELECT state FROM quarantine ORDER BY id") == [("done",), ("open",)]


async def test_only_the_chosen_ones_are_tried_again(bench: Bench) -> None:
    office = Office(bench)
    raws = [captures()[name].raw for name in ("no_user_id", "anthropic_stream_success")]
    first, _ = bench.record(
        *(NotUnderstood(source=HELICONE, received_at=bench.clock(), reason="?", raw=raw) for raw in raws)
    )
    async with working(office):
        _, said = await office.result(office.ask(TaskKind.QUARANTINE_RETRY, ids=[first.id]))
    assert said == "1 understood and recorded, 0 still not understood."


def bury(bench: Bench, channel: str) -> None:
    now = bench.clock()
    with bench.store.writing() as connection:
        message = Message(kind=MessageKind.EXCEEDED, limit_name="daily")
        outbox_rules.enqueue(
            connection, alert_id=1, seq=1, message=message, severity="critical", channels=[channel], now=now
        )
        outbox_rules.give_up(connection, channel, "gone", created_before=now + 1, now=now)


async def test_dead_messages_are_sent_again(bench: Bench) -> None:
    office = Office(bench)
    bury(bench, "ops")
    bury(bench, "mail")
    async with working(office):
        assert await office.result(office.ask(TaskKind.DELIVERY_RETRY, id=1)) == (
            TaskState.DONE,
            "1 messages are sent again.",
        )
        assert await office.result(office.ask(TaskKind.DELIVERY_RETRY)) == (
            TaskState.DONE,
            "1 messages are sent again.",
        )
        _, said = await office.result(office.ask(TaskKind.DELIVERY_RETRY))
    assert said == "There are no dead messages to send again."
    assert bench.rows("SELECT state FROM delivery") == [("pending",), ("pending",)]


async def test_a_channel_is_tested_by_a_message(bench: Bench) -> None:
    office = Office(bench)
    async with working(office):
        assert await office.result(office.ask(TaskKind.CHANNEL_TEST, name="ops")) == (
            TaskState.DONE,
            "A test message is on its way to ops.",
        )
        _, said = await office.result(office.ask(TaskKind.CHANNEL_TEST))
        assert said == "A test message is on its way to ops, mail."
        state, said = await office.result(office.ask(TaskKind.CHANNEL_TEST, name="nobody"))
    assert (state, said) == (
        TaskState.FAILED,
        "There is no such channel. `spendtop channel list` names them.",
    )
    channels = bench.rows("SELECT channel, kind FROM delivery ORDER BY id")
    assert channels == [("ops", "test"), ("ops", "test"), ("mail", "test")]


async def test_stopping_is_done_once_its_result_is_written(bench: Bench) -> None:
    office = Office(bench)
    async with working(office):
        asked = office.ask(TaskKind.STOP)
        async with asyncio.timeout(DEADLINE):
            await office.stopped.wait()
        assert office.look(asked).state is TaskState.DONE


async def test_a_task_that_breaks_is_told_and_the_next_is_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office = Office(bench)

    def broken(connection: Connection, now: int, delivery_id: int | None) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("spendtop.services.alerting.outbox.retry", broken)
    async with working(office):
        state, said = await office.result(office.ask(TaskKind.DELIVERY_RETRY))
        assert (state, said) == (TaskState.FAILED, "This failed; the collector's log says more.")
        assert (await office.result(office.ask(TaskKind.CHANNEL_TEST)))[0] is TaskState.DONE
    assert "delivery-retry" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_what_an_earlier_collector_left_running_is_failed(bench: Bench) -> None:
    office = Office(bench)
    asked = office.ask(TaskKind.STOP)
    with bench.store.writing() as connection:
        assert tasks.claim(connection, bench.clock()) is not None
    async with working(office):
        state, said = await office.result(asked)
    assert state is TaskState.FAILED
    assert said is not None and said.startswith("The collector ended before")
    assert not office.stopped.is_set()


async def test_one_of_several_collectors_does_them(bench: Bench) -> None:
    office = Office(bench)
    office.owns = False
    asked = office.ask(TaskKind.CHANNEL_TEST)
    with bench.store.writing() as connection:
        assert tasks.claim(connection, bench.clock()) is not None
    later = office.ask(TaskKind.CHANNEL_TEST)
    async with working(office):
        bench.record(bench.request())
        assert office.look(asked).state is TaskState.RUNNING
        assert office.look(later).state is TaskState.QUEUED
        office.owns = True
        assert (await office.result(later))[0] is TaskState.DONE
    assert office.look(asked).state is TaskState.FAILED


def test_every_short_kind_of_task_can_be_done(bench: Bench) -> None:
    office = Office(bench)
    for kind in office.runner._quick:
        task = Task(id=1, kind=kind, arguments={}, state=TaskState.RUNNING, created_at=1, updated_at=1)
        with bench.store.writing() as connection:
            try:
                assert office.runner._quick[kind](connection, task).endswith(".")
            except SpendtopError as failure:
                assert str(failure)


class Long:
    """Back-fills that end when they are let go."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.let_go = asyncio.Event()

    async def __call__(self, task: Task) -> str:
        self.began.append(task.id)
        await self.let_go.wait()
        return "Filled."


async def test_what_was_stopped_is_told_apart_from_what_failed(bench: Bench) -> None:
    async def stopped(task: Task) -> str:
        raise tasks.Stopped("Stopped at 43%.")

    office = Office(bench, {TaskKind.BACKFILL: stopped})
    async with working(office):
        assert await office.result(office.ask(TaskKind.BACKFILL)) == (TaskState.STOPPED, "Stopped at 43%.")


async def test_what_takes_long_holds_up_nothing_else_but_its_own_kind(bench: Bench) -> None:
    long = Long()
    office = Office(bench, {TaskKind.BACKFILL: long})
    async with working(office):
        first, second = office.ask(TaskKind.BACKFILL), office.ask(TaskKind.BACKFILL)
        await soon(lambda: long.began == [first])
        assert (await office.result(office.ask(TaskKind.CHANNEL_TEST)))[0] is TaskState.DONE
        assert (office.look(first).state, long.began) == (TaskState.RUNNING, [first])
        long.let_go.set()
        assert await office.result(first) == (TaskState.DONE, "Filled.")
        assert await office.result(second) == (TaskState.DONE, "Filled.")


async def test_a_back_fill_goes_on_with_the_next_collector(bench: Bench) -> None:
    long = Long()
    office = Office(bench, {TaskKind.BACKFILL: long})
    async with working(office):
        asked = office.ask(TaskKind.BACKFILL)
        await soon(lambda: long.began)
    assert office.look(asked).state is TaskState.RUNNING
    long.let_go.set()
    async with working(office):
        assert await office.result(asked) == (TaskState.DONE, "Filled.")
    assert long.began == [asked, asked]


async def test_who_loses_the_lease_gives_up_what_takes_long(bench: Bench) -> None:
    long = Long()
    office = Office(bench, {TaskKind.BACKFILL: long})
    async with working(office):
        asked = office.ask(TaskKind.BACKFILL)
        await soon(lambda: long.began)
        office.owns = False
        await soon(lambda: not office.runner._under_way)
        office.owns = True
        long.let_go.set()
        assert (await office.result(asked))[0] is TaskState.DONE


async def test_what_this_collector_cannot_do_is_said(bench: Bench) -> None:
    office = Office(bench)
    async with working(office):
        asked = office.ask(TaskKind.POLL_NOW)
        assert await office.result(asked) == (TaskState.FAILED, "This collector cannot do that.")
