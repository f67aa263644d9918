"""What a screen writes, where the store does not take it at once or at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from spendtop.services import tasks
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.engine import Store
from spendtop.tui.app import SpendtopApp
from spendtop.tui.screens import store_writer
from spendtop.tui.screens.store_writer import StoreWriter
from tests.conftest import SettableClock
from tests.tui.conftest import Till, opened, said, until


@pytest.fixture
def locking(store: Store) -> Iterator[sqlite3.Connection]:
    """Somebody else who writes to the store."""
    with closing(sqlite3.connect(str(store.path), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def locked() -> OperationalError:
    return OperationalError("BEGIN IMMEDIATE", {}, sqlite3.OperationalError("database is locked"))


def writer(app: SpendtopApp) -> StoreWriter:
    assert app.live_screen is not None
    return StoreWriter(app.live_screen)


async def test_a_write_that_waits_for_somebody_else_says_so_and_is_done_in_its_turn(
    filled: Till, app: SpendtopApp, locking: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_writer, "_LONG", 0.05)
    done: list[int] = []
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot, "6")
        writer(app).write(lambda _: 7, done.append)
        await until(pilot, lambda: "Somebody else writes to the store" in said(pilot))
        assert done == []
        locking.execute("ROLLBACK")
        await until(pilot, lambda: done == [7])


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ZeroDivisionError(), "The store cannot be written (ZeroDivisionError); nothing was changed."),
        (locked(), "is locked by another program: database is locked. End that one. Nothing was changed."),
    ],
)
async def test_whoever_asked_is_told_of_any_failure(
    filled: Till, app: SpendtopApp, failure: Exception, words: str
) -> None:
    told: list[str] = []

    def fail(_: Connection) -> None:
        raise failure

    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "6")
        writer(app).write(fail, lambda _: None, told.append)
        await until(pilot, lambda: bool(told))
    assert told[0].endswith(words)


async def test_a_task_is_followed_past_a_time_in_which_the_store_cannot_be_read(
    filled: Till, store: Store, app: SpendtopApp, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, failures = tasks.look, [1, 2, 3]
    seen: list[Task | None] = []

    def look_at_last(connection: Connection, task_id: int) -> Task | None:
        if failures:
            failures.pop()
            raise OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O error"))
        return look(connection, task_id)

    def ask(connection: Connection) -> int:
        task_id = tasks.ask(connection, TaskKind.CHANNEL_TEST, {}, clock())
        tasks.finish(connection, task_id, TaskState.DONE, "All were told.", clock())
        return task_id

    monkeypatch.setattr(tasks, "look", look_at_last)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "6")
        writer(app).follow(ask, seen.append)
        await until(pilot, lambda: bool(seen))
        assert [task.result for task in seen if task] == ["All were told."]
        assert failures == []
