"""What faces ask of stored costs: a comparison, a run, taking it back; with progress, and to be stopped."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from spendtop.collector.tasks.repricing_tasks import RepricingTasks
from spendtop.domain.errors import UsageError
from spendtop.domain.requests.request import Usage
from spendtop.services import tasks
from spendtop.services.repricing import repricing
from spendtop.services.repricing.current_costs import PAGE, ComparisonExcerpt
from spendtop.services.repricing.repricing import Run
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.reads.requests.lists import RequestQuery
from tests.collector.conftest import Bench
from tests.collector.polling_bench import Polling
from tests.waiting import DEADLINE

PRICE = '[prices."acme-7b"]\ninput = {0}\noutput = {0}\n'
ALL: dict[str, object] = {"since": None, "until": None, "filter": ""}


class Desk:
    """Pricing anew on a bench."""

    def __init__(self, bench: Bench) -> None:
        bench.configure(PRICE.format(2))
        bench.start()
        self.bench = bench
        self.polling = Polling(bench)
        self.tasks = RepricingTasks(self.polling.context, lambda: bench.active.settings)

    def price(self, dollars: float) -> None:
        """As a configuration that is applied live."""
        self.bench.configure(PRICE.format(dollars))
        self.bench.active.apply(self.bench.load())
        self.bench.recorder.apply(self.bench.active.preparer, self.bench.active.book)

    def record(self, count: int, **fields: Any) -> None:
        usage = Usage(prompt=1_000_000, completion=0)
        self.bench.record(*(self.bench.request(None, model="acme-7b", usage=usage, **fields) for _ in range(count)))

    def task(self, kind: TaskKind, arguments: dict[str, object]) -> Task:
        with self.bench.store.writing() as connection:
            tasks.ask(connection, kind, arguments, self.bench.clock())
            claimed = tasks.claim(connection, self.bench.clock())
        assert claimed is not None
        return claimed

    def look(self, task: Task) -> Task:
        with self.bench.store.reading() as connection:
            seen = tasks.look(connection, task.id)
        assert seen is not None
        return seen

    def stop(self, task: Task) -> None:
        with self.bench.store.writing() as connection:
            tasks.stop(connection, task.id, self.bench.clock())

    def begin(self) -> int:
        with self.bench.store.writing() as connection:
            return repricing.begin(connection, RequestQuery(None), "", "ann", self.bench.clock())

    def run(self, run_id: int) -> Run:
        with self.bench.store.reading() as connection:
            return repricing.run_of(connection, run_id)

    def nano(self) -> set[int]:
        return {nano for (nano,) in self.bench.rows("SELECT cost_nano FROM request")}


@pytest.fixture
def desk(bench: Bench) -> Desk:
    return Desk(bench)


async def test_a_comparison_is_told_and_changes_nothing(desk: Desk) -> None:
    desk.record(PAGE + 3)
    desk.record(1, user_id="bob")
    desk.price(3)
    task = desk.task(TaskKind.REPRICE_COMPARE, {**ALL, "filter": "user:ann"})
    excerpt = msgspec.json.decode(await desk.tasks.compare(task), type=ComparisonExcerpt)
    assert (excerpt.looked_at, excerpt.whole.requests, excerpt.left_out) == (PAGE + 3, PAGE + 3, 0)
    ((named, difference),) = excerpt.by_day_and_model
    assert (named.day, named.model, difference.change.nano) == ("2026-11-20", "acme-7b", (PAGE + 3) * 10**9)
    assert desk.look(task).progress == "200 requests compared"
    assert desk.nano() == {2 * 10**9}


async def test_a_comparison_is_of_the_span_that_was_asked_for(desk: Desk) -> None:
    desk.record(1)
    desk.price(3)
    now = desk.bench.clock()
    task = desk.task(TaskKind.REPRICE_COMPARE, {"since": now + 1, "until": now + 2, "filter": ""})
    assert msgspec.json.decode(await desk.tasks.compare(task), type=ComparisonExcerpt).looked_at == 0


async def test_a_comparison_can_be_stopped(desk: Desk) -> None:
    desk.record(PAGE)
    task = desk.task(TaskKind.REPRICE_COMPARE, ALL)
    desk.stop(task)
    with pytest.raises(tasks.Stopped, match="Nothing was changed"):
        await desk.tasks.compare(task)


async def test_a_run_and_taking_it_back_with_progress(desk: Desk) -> None:
    desk.record(PAGE + 3)
    desk.price(3)
    run_id = desk.begin()
    task = desk.task(TaskKind.REPRICE, {"run": run_id, "by": "ann"})
    said = await desk.tasks.reprice(task)
    assert said == "203 of 203 requests have another cost now: $406.00 -> $609.00."
    assert desk.look(task).progress == "200 requests looked at, 200 changed"
    assert desk.nano() == {3 * 10**9}
    assert desk.polling.stored == 2
    assert await desk.tasks.reprice(task) == said  # as after a kill between the last page and its result
    undo = desk.task(TaskKind.REPRICE_UNDO, {"run": run_id, "by": "bob"})
    assert await desk.tasks.undo(undo) == "Reprice 1 is taken back: 203 as before."
    assert desk.look(undo).progress == "200 of 203 taken back"
    assert desk.nano() == {2 * 10**9}
    assert desk.run(run_id).undone_by == "bob"
    assert "is taken back" in await desk.tasks.undo(undo)


async def test_a_run_that_was_stopped_is_interrupted_and_goes_on(desk: Desk) -> None:
    desk.record(PAGE + 3)
    desk.price(3)
    run_id = desk.begin()
    task = desk.task(TaskKind.REPRICE, {"run": run_id, "by": "ann"})
    desk.stop(task)
    with pytest.raises(tasks.Stopped, match=r"`spendtop reprice --resume 1` goes on there\."):
        await desk.tasks.reprice(task)
    assert desk.nano() == {2 * 10**9, 3 * 10**9}
    assert desk.run(run_id).is_interrupted(desk.bench.clock())
    await desk.tasks.reprice(desk.task(TaskKind.REPRICE, {"run": run_id, "by": "ann"}))
    assert (desk.nano(), desk.run(run_id).changed) == ({3 * 10**9}, PAGE + 3)


async def test_a_run_that_is_taken_back_meanwhile_ends_with_a_sentence(desk: Desk) -> None:
    desk.record(PAGE + 3)
    desk.price(3)
    run_id = desk.begin()
    task = desk.task(TaskKind.REPRICE, {"run": run_id, "by": "ann"})
    desk.stop(task)
    with pytest.raises(tasks.Stopped):
        await desk.tasks.reprice(task)
    undo = desk.task(TaskKind.REPRICE_UNDO, {"run": run_id, "by": "bob"})
    desk.stop(undo)
    with pytest.raises(tasks.Stopped, match=r"`spendtop reprice --undo 1` goes on there\."):
        await desk.tasks.undo(undo)
    with pytest.raises(UsageError, match="is being taken back"):
        await desk.tasks.reprice(task)


async def test_webhooks_that_arrive_meanwhile_are_all_recorded(desk: Desk) -> None:
    desk.record(3 * PAGE)
    desk.price(3)
    run_id = desk.begin()

    async def arriving() -> None:
        for _ in range(20):
            await asyncio.to_thread(desk.record, 1)

    task = desk.task(TaskKind.REPRICE, {"run": run_id, "by": "ann"})
    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        group.create_task(arriving())
        group.create_task(desk.tasks.reprice(task))
    assert desk.nano() == {3 * 10**9}
    ((requests, nano),) = desk.bench.rows("SELECT sum(requests), sum(cost_nano) FROM total WHERE dimension = 'all'")
    assert (requests, nano) == (3 * PAGE + 20, (3 * PAGE + 20) * 3 * 10**9)


async def test_a_task_that_a_collector_left_is_done_by_the_next_one(desk: Desk) -> None:
    desk.record(2)
    desk.price(3)
    run_id = desk.begin()
    task = desk.task(TaskKind.REPRICE, {"run": run_id, "by": "ann"})  # claimed, and then its collector was killed
    with desk.bench.store.writing() as connection:
        tasks.abandon_running(connection, desk.bench.clock())
    again = desk.look(task)
    assert again.state is TaskState.QUEUED
    await desk.tasks.reprice(again)
    assert desk.nano() == {3 * 10**9}
    assert desk.run(run_id).is_over
