"""The write-ahead log is copied beside the writer, and begun anew between two of its transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from spendtop.store.engine import Store
from spendtop.store.log_copying import LogCopying

_SEQUENCE = slice(12, 16)
"""Where the log's header says how often it has begun anew."""


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'spendtop.db'}")
    with store.writing() as connection:
        connection.execute(text("CREATE TABLE name (name TEXT)"))
    yield store
    store.close()


@pytest.fixture
def copying(opened: Store) -> LogCopying:
    """Without its thread: who tests says when it copies."""
    return LogCopying(opened)


@pytest.fixture
def write(opened: Store, copying: LogCopying) -> Callable[..., None]:
    """One transaction as the writer goes through it."""

    def write(rows: int, somebody_waits: bool = False) -> None:
        with opened.writing() as connection:
            connection.execute(text("INSERT INTO name VALUES (:name)"), [{"name": "n" * 100}] * rows)
            copying.wrote(connection)
        copying.between(somebody_waits)

    return write


def began(store: Store) -> int:
    """How often the log has begun anew."""
    return int.from_bytes(log_of(store).read_bytes()[_SEQUENCE], "big")


def log_of(store: Store) -> Path:
    assert store.path is not None
    return store.path.with_name(f"{store.path.name}-wal")


def test_a_busy_writer_has_its_log_copied_beside_it_and_begun_anew_when_nobody_waits(
    opened: Store, copying: LogCopying, write: Callable[..., None]
) -> None:
    write(5_000)
    with opened.reading() as reader:
        reader.execute(text("SELECT count(*) FROM name")).scalar()
        write(10, somebody_waits=True)
        copying.copy_most()
    write(10, somebody_waits=True)
    write(10)
    assert began(opened) == 0, "a rest was in the log, and is copied only now"
    write(10)
    assert began(opened) == 1


def test_the_log_is_begun_anew_in_time_also_while_somebody_always_waits(
    opened: Store, copying: LogCopying, write: Callable[..., None]
) -> None:
    sizes = []
    for _ in range(6):
        write(4_500, somebody_waits=True)
        copying.copy_most()
        write(4_500, somebody_waits=True)
        sizes.append(log_of(opened).stat().st_size)
    assert began(opened) >= 5
    assert sizes[-1] == sizes[0]


def test_what_nobody_copies_a_commit_copies_itself(opened: Store, write: Callable[..., None]) -> None:
    for _ in range(20):
        with opened.writing() as connection:
            connection.execute(text("INSERT INTO name VALUES (:name)"), [{"name": "n" * 8_000}] * 900)
        write(1, somebody_waits=True)
    assert began(opened) >= 2


def test_where_nothing_can_be_copied_all_stays_in_the_log(
    opened: Store, copying: LogCopying, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(opened, "copy_log", refused)
    write(5_000)
    copying.copy_most()
    write(1)
    write(1)
    assert began(opened) == 0
    with opened.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM name")).scalar() == 5_002


def test_its_thread_ends_when_it_is_told_to_whether_or_not_it_has_begun(opened: Store, copying: LogCopying) -> None:
    copying.stop()
    begun = LogCopying(opened)
    begun.start()
    begun.stop()
    begun.stop()


def test_nothing_is_copied_on_postgresql(postgres_store: Store) -> None:
    copying = LogCopying(postgres_store)
    copying.start()
    with postgres_store.writing() as connection:
        copying.wrote(connection)
    copying.between(somebody_waits=False)
    copying.copy_most()
    copying.stop()
