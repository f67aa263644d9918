"""The task that takes out what `send-test` sent."""

from __future__ import annotations

import pytest

from spendtop.collector.tasks.sent_tests_removal import SentTestsRemoval
from spendtop.domain.requests.request import TEST_PROPERTY
from spendtop.services import tasks
from spendtop.services.tasks import TaskKind
from tests.collector.conftest import Bench
from tests.collector.polling_bench import Polling
from tests.collector.tasks.test_slow_tasks import SlowOffice

MARK = {TEST_PROPERTY: "1"}


async def test_it_says_what_it_took_out_and_how_far_it_is(bench: Bench) -> None:
    desk = SlowOffice(bench)
    removal = SentTestsRemoval(Polling(bench).context)
    bench.record(*(bench.request(properties=MARK) for _ in range(250)), bench.request())
    task = desk.task(TaskKind.REMOVE_TESTS)
    assert await removal.remove(task) == "250 test requests are taken out of every figure: $25.00."
    assert desk.look(task).progress == "250 of 250 taken out"
    assert bench.rows("SELECT count(*) FROM request") == [(1,)]
    said = await removal.remove(desk.task(TaskKind.REMOVE_TESTS))
    assert said == "There are no test requests: those sent with --keep have no mark."


async def test_it_can_be_stopped_and_asked_for_again(bench: Bench) -> None:
    desk = SlowOffice(bench)
    removal = SentTestsRemoval(Polling(bench).context)
    bench.record(*(bench.request(properties=MARK) for _ in range(201)))
    task = desk.task(TaskKind.REMOVE_TESTS)
    with bench.store.writing() as connection:
        tasks.stop(connection, task.id, bench.clock())
    with pytest.raises(tasks.Stopped, match="200 of 201 test requests are taken out"):
        await removal.remove(task)
    said = await removal.remove(desk.task(TaskKind.REMOVE_TESTS))
    assert said == "1 test request is taken out of every figure: $0.100."
