"""What a face asks of the collector: a row that the collector does, with its progress and its result."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, select, update

from spendtop.domain.errors import SpendtopError
from spendtop.store.statements import table_of
from spendtop.store.tables import TaskTable

_TASK = table_of(TaskTable)


class TaskKind(StrEnum):
    QUARANTINE_RETRY = "quarantine-retry"
    DELIVERY_RETRY = "delivery-retry"
    CHANNEL_TEST = "channel-test"
    POLL_NOW = "poll-now"
    """`poller`: its name; all without it."""
    BACKFILL = "backfill"
    """`since`, `until`: UTC µs. Can be stopped."""
    FETCH_BODY = "fetch-body"
    """`id`: ours, of a request."""
    FETCH_BODIES = "fetch-bodies"
    """`ids`: ours, of requests; or `session`: all of its requests. Can be stopped."""
    FETCH_SESSION = "fetch-session"
    """`session`: its id. Can be stopped."""
    REMOVE_TESTS = "remove-tests"
    """Takes out what `send-test` sent. Can be stopped."""
    SAMPLE_EVENT = "sample-event"
    """As a webhook of Helicone; with `token` as a push under that tracking token."""
    REPRICE = "reprice"
    """`run`: which one. Can be stopped."""
    REPRICE_COMPARE = "reprice-compare"
    """`since`, `until`: UTC µs or null; `filter`: its text. The result is a ComparisonExcerpt. Can be stopped."""
    REPRICE_UNDO = "reprice-undo"
    """`run`, and `by`: who asked. Can be stopped."""
    LAST_POSTS = "last-posts"
    """`source`: its name. The result are PostOutlines, the newest first."""
    POST_BODY = "post-body"
    """`source`, and `id` of an outline. The result is a PostBody, to be forgotten once it was read."""
    STOP = "stop"


class TaskState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    """Runs until it sees that it is to stop."""
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


_RESUMED = (TaskKind.BACKFILL.value, TaskKind.REPRICE.value, TaskKind.REPRICE_UNDO.value)
"""Kinds that go on where they were when a collector ended."""
ENDED = (TaskState.DONE, TaskState.FAILED, TaskState.STOPPED)
"""States with a result."""


class Stopped(SpendtopError):
    """Somebody stopped the task that is being done."""


class Task(Struct, frozen=True, kw_only=True):
    id: int
    kind: TaskKind
    arguments: dict[str, object]
    state: TaskState
    created_at: int
    """UTC µs, as `updated_at`."""
    updated_at: int
    progress: str | None = None
    result: str | None = None
    """A sentence for the person who asked."""

    @property
    def finished(self) -> bool:
        return self.state in ENDED


def ask(connection: Connection, kind: TaskKind, arguments: dict[str, object], now: int) -> int:
    """Queue a task; returns its id."""
    inserted = connection.execute(
        _TASK.insert().values(
            kind=kind.value,
            arguments=_written(arguments),
            state=TaskState.QUEUED.value,
            created_at=now,
            updated_at=now,
        )
    )
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def look(connection: Connection, task_id: int) -> Task | None:
    row = connection.execute(select(_TASK).where(_TASK.c.id == task_id)).one_or_none()
    return None if row is None else _task(row)


def under_way(connection: Connection, kind: TaskKind) -> Task | None:
    """The oldest task of a kind that has no result yet."""
    query = select(_TASK).where(_TASK.c.kind == kind.value, _TASK.c.state.not_in(ENDED)).order_by(_TASK.c.id).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else _task(row)


def last_ended(connection: Connection, kind: TaskKind) -> Task | None:
    ended = select(_TASK).where(_TASK.c.kind == kind.value, _TASK.c.state.in_(ENDED))
    row = connection.execute(ended.order_by(_TASK.c.updated_at.desc(), _TASK.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _task(row)


def newest(connection: Connection, kind: TaskKind, arguments: dict[str, object]) -> Task | None:
    """The task that was asked for last of a kind with these arguments."""
    asked = select(_TASK).where(_TASK.c.kind == kind.value, _TASK.c.arguments == _written(arguments))
    row = connection.execute(asked.order_by(_TASK.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _task(row)


def are_queued(connection: Connection) -> bool:
    """Whether there is something to do."""
    query = select(_TASK.c.id).where(_TASK.c.state == TaskState.QUEUED.value).limit(1)
    return connection.execute(query).one_or_none() is not None


def claim(connection: Connection, now: int) -> Task | None:
    """Take the oldest queued task for doing, or None."""
    query = select(_TASK).where(_TASK.c.state == TaskState.QUEUED.value).order_by(_TASK.c.id).limit(1)
    row = connection.execute(query.with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    _set(connection, row.id, now, state=TaskState.RUNNING.value)
    return msgspec.structs.replace(_task(row), state=TaskState.RUNNING)


def note_progress(connection: Connection, task_id: int, progress: str, arguments: dict[str, object], now: int) -> bool:
    """Note how far a task has come, for people and for going on there; whether it is to go on at all."""
    _set(connection, task_id, now, progress=progress, arguments=_written(arguments))
    return connection.execute(select(_TASK.c.state).where(_TASK.c.id == task_id)).scalar() != TaskState.STOPPING.value


def stop(connection: Connection, task_id: int, now: int) -> None:
    """Ask a task to stop: one that is queued is never begun, one that runs ends after its present step."""
    this, changed = _TASK.c.id == task_id, {"updated_at": now}
    connection.execute(
        update(_TASK)
        .where(this, _TASK.c.state == TaskState.QUEUED.value)
        .values(state=TaskState.STOPPED.value, result="Stopped before it began.", **changed)
    )
    connection.execute(
        update(_TASK)
        .where(this, _TASK.c.state == TaskState.RUNNING.value)
        .values(state=TaskState.STOPPING.value, **changed)
    )


def finish(connection: Connection, task_id: int, state: TaskState, result: str, now: int) -> None:
    _set(connection, task_id, now, state=state.value, result=result)


def forget(connection: Connection, task_id: int) -> None:
    """Take a task with its result out of the store."""
    connection.execute(delete(_TASK).where(_TASK.c.id == task_id))


def abandon_running(connection: Connection, now: int) -> None:
    """Fail the tasks that a collector left running when it ended, but for those that go on where they were."""
    running, stopping = (_TASK.c.state == state.value for state in (TaskState.RUNNING, TaskState.STOPPING))
    stopped = {"state": TaskState.STOPPED.value, "result": "Stopped.", "updated_at": now}
    connection.execute(update(_TASK).where(stopping).values(stopped))
    connection.execute(
        update(_TASK).where(running, _TASK.c.kind.in_(_RESUMED)).values(state=TaskState.QUEUED.value, updated_at=now)
    )
    connection.execute(
        update(_TASK)
        .where(running)
        .values(
            state=TaskState.FAILED.value, result="The collector ended before this was done. Ask again.", updated_at=now
        )
    )


def _set(connection: Connection, task_id: int, now: int, **values: object) -> None:
    connection.execute(update(_TASK).where(_TASK.c.id == task_id).values(updated_at=now, **values))


def _written(arguments: dict[str, object]) -> str:
    return msgspec.json.encode(arguments).decode()


def _task(row: Any) -> Task:
    return Task(
        id=row.id,
        kind=TaskKind(row.kind),
        arguments=msgspec.json.decode(row.arguments, type=dict[str, object]),
        state=TaskState(row.state),
        created_at=row.created_at,
        updated_at=row.updated_at,
        progress=row.progress,
        result=row.result,
    )
