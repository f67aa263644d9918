"""The write-ahead log is copied beside the writer, and begun anew between two of its transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from spendtop.store import held_file, wal_checkpoints
from spendtop.store.engine import Store
from spendtop.store.free_pages import give_back_some
from spendtop.store.wal_checkpoints import WalCheckpoints
from tests.waiting import eventually

_SEQUENCE = slice(12, 16)
"""Where the log's header says how often it has begun anew."""
_ENOUGH = 100
"""Pages, fewer than else, so that little has to be written."""


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'spendtop.db'}")
    with store.writing() as connection:
        connection.execute(text("CREATE TABLE name (name TEXT)"))
    yield store
    store.close()


@pytest.fixture
def checkpoints(opened: Store, monkeypatch: pytest.MonkeyPatch) -> WalCheckpoints:
    """Without its thread: who tests says when it copies."""
    monkeypatch.setattr(wal_checkpoints, "_ENOUGH", _ENOUGH)
    monkeypatch.setattr(wal_checkpoints, "_TOO_MANY", 2 * _ENOUGH)
    return WalCheckpoints(opened)


@pytest.fixture
def write(opened: Store, checkpoints: WalCheckpoints) -> Callable[..., None]:
    """One transaction of so many pages as the writer goes through it."""

    def write(pages: int, somebody_waits: bool = False) -> None:
        with opened.writing() as connection:
            connection.execute(text("INSERT INTO name VALUES (:name)"), [{"name": "n" * 8_000}] * pages)
        checkpoints.between(somebody_waits)

    return write


def began(store: Store) -> int:
    """How often the log has begun anew."""
    return int.from_bytes(log_of(store).read_bytes()[_SEQUENCE], "big")


def log_of(store: Store) -> Path:
    assert store.path is not None
    return store.path.with_name(f"{store.path.name}-wal")


def test_a_busy_writer_has_its_log_copied_beside_it_and_begun_anew_when_nobody_waits(
    opened: Store, checkpoints: WalCheckpoints, write: Callable[..., None]
) -> None:
    write(_ENOUGH)
    with opened.reading() as reader:
        reader.execute(text("SELECT count(*) FROM name")).scalar()
        write(10, somebody_waits=True)
        checkpoints.copy_most()
    write(10, somebody_waits=True)
    write(10)
    assert began(opened) == 0, "a rest was in the log, and is copied only now"
    write(10)
    assert began(opened) == 1


def test_the_log_is_begun_anew_in_time_also_while_somebody_always_waits(
    opened: Store, checkpoints: WalCheckpoints, write: Callable[..., None]
) -> None:
    for _ in range(3):
        write(_ENOUGH, somebody_waits=True)
        with opened.reading() as reader:
            reader.execute(text("SELECT count(*) FROM name")).scalar()
            write(10, somebody_waits=True)
            checkpoints.copy_most()
        write(_ENOUGH, somebody_waits=True)
    assert began(opened) == 2
    assert opened.wal_pages < 2.5 * _ENOUGH


def test_pages_that_are_given_back_to_the_disk_count_too(
    opened: Store, checkpoints: WalCheckpoints, write: Callable[..., None]
) -> None:
    write(4 * _ENOUGH)
    with opened.writing() as connection:
        connection.execute(text("DELETE FROM name WHERE rowid % 2"))
    opened.checkpoint()
    checkpoints.between(somebody_waits=False)
    checkpoints.start()
    with opened.writing() as connection:
        give_back_some(connection, 2 * _ENOUGH)
    before = began(opened)
    checkpoints.between(somebody_waits=False)

    def is_anew() -> bool:
        write(1)
        return began(opened) > before

    eventually(is_anew)
    checkpoints.stop()


def test_the_pages_of_the_log_are_those_that_sqlite_knows_of(opened: Store, write: Callable[..., None]) -> None:
    for pages in (300, 1, 20, 1):
        write(pages)
        _, known, copied = opened._ask("PRAGMA wal_checkpoint(PASSIVE)")
        assert opened.wal_pages == known == copied, "the next one begins the log anew, over what is left of this one"
        assert [opened.wal_has(each) for each in (0, 1, known, known + 1)] == [True, True, True, False]
    opened.checkpoint()
    assert opened.wal_pages == 0
    assert [opened.wal_has(each) for each in (0, 1)] == [True, False]


def test_what_nobody_copies_a_commit_copies_itself(opened: Store, write: Callable[..., None]) -> None:
    for _ in range(20):
        write(900, somebody_waits=True)
        write(1, somebody_waits=True)
    assert began(opened) >= 2


def test_where_nothing_can_be_copied_all_stays_in_the_log(
    opened: Store, checkpoints: WalCheckpoints, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(opened, "wal_checkpoint", refused)
    write(_ENOUGH)
    checkpoints.copy_most()
    write(1)
    write(1)
    assert began(opened) == 0
    with opened.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM name")).scalar() == _ENOUGH + 2


def test_its_thread_ends_when_it_is_told_to_whether_or_not_it_has_begun(
    opened: Store, checkpoints: WalCheckpoints
) -> None:
    checkpoints.stop()
    begun = WalCheckpoints(opened)
    begun.start()
    begun.stop()
    begun.stop()


def test_nothing_is_copied_on_postgresql(postgres_store: Store) -> None:
    checkpoints = WalCheckpoints(postgres_store)
    checkpoints.start()
    assert postgres_store.wal_pages == 0
    checkpoints.between(somebody_waits=False)
    checkpoints.copy_most()
    checkpoints.stop()


def test_a_log_that_cannot_be_looked_at_stops_nobody(
    opened: Store, checkpoints: WalCheckpoints, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise OSError("Input/output error")

    monkeypatch.setattr(held_file, "_is_of", fail)
    write(_ENOUGH)
    write(1)
    with opened.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM name")).scalar() == _ENOUGH + 1
