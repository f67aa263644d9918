from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from spendtop.services.tasks import (
    Task,
    TaskKind,
    TaskState,
    abandon_running,
    are_queued,
    ask,
    claim,
    finish,
    last_ended,
    look,
    note_progress,
    stop,
    under_way,
)
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
    write(store, lambda c: note_progress(c, asked, "40%", {"since": 1, "cursor": "{}"}, 3))
    write(store, lambda c: abandon_running(c, 4))
    found = write(store, lambda c: look(c, asked))
    assert found is not None
    assert (found.state, found.progress, found.arguments) == (TaskState.QUEUED, "40%", {"since": 1, "cursor": "{}"})


def stored(store: Store, task_id: int) -> Task:
    task = write(store, lambda c: look(c, task_id))
    assert task is not None
    return task


def test_a_task_that_runs_hears_at_its_next_step_that_it_is_to_stop(store: Store) -> None:
    asked = write(store, lambda c: ask(c, TaskKind.BACKFILL, {}, 1))
    write(store, lambda c: claim(c, 2))
    assert write(store, lambda c: note_progress(c, asked, "10%", {"cursor": "a"}, 3))
    write(store, lambda c: stop(c, asked, 4))
    assert (stored(store, asked).state, stored(store, asked).finished) == (TaskState.STOPPING, False)
    assert not write(store, lambda c: note_progress(c, asked, "20%", {"cursor": "b"}, 5))
    assert (stored(store, asked).progress, stored(store, asked).arguments) == ("20%", {"cursor": "b"})


def test_a_task_that_waits_is_stopped_at_once_and_never_begun(store: Store) -> None:
    asked = write(store, lambda c: ask(c, TaskKind.BACKFILL, {}, 1))
    write(store, lambda c: stop(c, asked, 2))
    assert (stored(store, asked).state, stored(store, asked).finished) == (TaskState.STOPPED, True)
    assert write(store, lambda c: claim(c, 3)) is None


def test_what_has_a_result_is_not_stopped_any_more(store: Store) -> None:
    asked = write(store, lambda c: ask(c, TaskKind.BACKFILL, {}, 1))
    write(store, lambda c: finish(c, asked, TaskState.DONE, "Done.", 2))
    write(store, lambda c: stop(c, asked, 3))
    assert (stored(store, asked).state, stored(store, asked).result) == (TaskState.DONE, "Done.")


def test_what_was_to_stop_when_its_collector_ended_is_stopped_and_does_not_go_on(store: Store) -> None:
    asked = write(store, lambda c: ask(c, TaskKind.BACKFILL, {}, 1))
    write(store, lambda c: claim(c, 2))
    write(store, lambda c: stop(c, asked, 3))
    write(store, lambda c: abandon_running(c, 4))
    assert stored(store, asked).state is TaskState.STOPPED
    assert not write(store, are_queued)


def test_the_one_under_way_and_the_one_that_ended_last_are_found_by_kind(store: Store) -> None:
    assert write(store, lambda c: under_way(c, TaskKind.BACKFILL)) is None
    assert write(store, lambda c: last_ended(c, TaskKind.BACKFILL)) is None
    first, second, third = (write(store, lambda c: ask(c, TaskKind.BACKFILL, {}, 1)) for _ in range(3))
    other = write(store, lambda c: ask(c, TaskKind.POLL_NOW, {}, 1))
    write(store, lambda c: finish(c, second, TaskState.DONE, "", 2))
    write(store, lambda c: finish(c, first, TaskState.STOPPED, "", 3))
    write(store, lambda c: finish(c, other, TaskState.DONE, "", 4))
    ended = write(store, lambda c: last_ended(c, TaskKind.BACKFILL))
    running = write(store, lambda c: under_way(c, TaskKind.BACKFILL))
    assert ended is not None and running is not None
    assert (ended.id, running.id) == (first, third)
