from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from spendtop.services.tasks import TaskKind, TaskState, abandon_running, are_queued, ask, claim, finish, go_on, look
from spendtop.store.engine import Store

Result = TypeVar("Result")


def write(store: Store, work: Callable[[Connection], Result]) -> Result:
    with store.writing() as connection:
        return work(connection)


def test_a_task_is_asked_done_and_answered(store: Store) -> None:
    asked = write(store, lambda c: ask(c, TaskKind.CHANNEL_TEST, {"name": "ops"}, 1))
    assert write(store, are_queued)
    task = write(store, lambda c: claim(c, 2))
    assert task is not None
    assert (task.id, task.kind, task.arguments, task.state, task.finished) == (
        asked,
        TaskKind.CHANNEL_TEST,
        {"name": "ops"},
        TaskState.RUNNING,
        False,
    )
    assert not write(store, are_queued)
    write(store, lambda c: finish(c, asked, TaskState.DONE, "Sent.", 3))
    found = write(store, lambda c: look(c, asked))
    assert found is not None
    assert (found.state, found.result, found.finished) == (TaskState.DONE, "Sent.", True)


def test_tasks_are_taken_in_the_order_in_which_they_were_asked_each_once(store: Store) -> None:
    asked = [write(store, lambda c: ask(c, TaskKind.DELIVERY_RETRY, {}, 1)) for _ in range(3)]
    taken = [write(store, lambda c: claim(c, 2)) for _ in range(4)]
    assert [task and task.id for task in taken] == [*asked, None]


def test_what_a_collector_left_running_has_failed_and_what_waits_still_waits(store: Store) -> None:
    left = write(store, lambda c: ask(c, TaskKind.STOP, {}, 1))
    write(store, lambda c: claim(c, 2))
    waits = write(store, lambda c: ask(c, TaskKind.STOP, {}, 3))
    write(store, lambda c: abandon_running(c, 4))
    found = [write(store, lambda c, asked=asked: look(c, asked)) for asked in (left, waits)]  # type: ignore[misc]
    assert [task and task.state for task in found] == [TaskState.FAILED, TaskState.QUEUED]
    assert found[0] is not None
    assert "Ask again" in (found[0].result or "")


def test_a_task_that_nobody_asked_is_none(store: Store) -> None:
    assert write(store, lambda c: look(c, 99)) is None
    assert write(store, lambda c: claim(c, 1)) is None


def test_a_task_is_claimed_by_one_of_two_collectors(postgres_store: Store) -> None:
    asked = [write(postgres_store, lambda c: ask(c, TaskKind.STOP, {}, 1)) for _ in range(2)]
    with postgres_store.writing() as one, postgres_store.writing() as other:
        taken = [claim(one, 2), claim(other, 2), claim(other, 2)]
    assert [task and task.id for task in taken] == [*asked, None]


def test_a_back_fill_that_was_left_waits_again_where_it_was(store: Store) -> None:
    asked = write(store, lambda c: ask(c, TaskKind.BACKFILL, {"since": 1}, 1))
    write(store, lambda c: claim(c, 2))
    write(store, lambda c: go_on(c, asked, "40%", {"since": 1, "cursor": "{}"}, 3))
    write(store, lambda c: abandon_running(c, 4))
    found = write(store, lambda c: look(c, asked))
    assert found is not None
    assert (found.state, found.progress, found.arguments) == (TaskState.QUEUED, "40%", {"since": 1, "cursor": "{}"})
