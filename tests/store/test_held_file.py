"""A file that is changed under a store that is open: noticed at once, and never made anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from spendtop.domain.errors import CannotWrite, StoreFull
from spendtop.store.engine import Store, named
from tests.small_disk import small_disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a store" / "spendtop.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Store]:
    """A store with a table of two pages and more, of which a part is in the write-ahead log alone."""
    path.parent.mkdir()
    store = Store(f"sqlite:///{path}")
    with store.writing() as connection:
        connection.execute(text("CREATE TABLE name (name TEXT)"))
        connection.execute(text("INSERT INTO name VALUES (:name)"), {"name": "n" * 50_000})
    store.checkpoint()
    for _ in range(5):
        write(store)
    yield store
    store.close()


def write(store: Store, name: str = "ann") -> None:
    with store.writing() as connection:
        connection.execute(text("INSERT INTO name VALUES (:name)"), {"name": name})


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def deleted(path: Path) -> None:
    path.unlink()


def all_deleted(path: Path) -> None:
    for each in path.parent.iterdir():
        each.unlink()


def folder_deleted(path: Path) -> None:
    shutil.rmtree(path.parent)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def an_empty_file_in_its_place(path: Path) -> None:
    path.with_name("empty").touch()
    path.with_name("empty").replace(path)


def a_copy_in_its_place(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def a_link_in_its_place(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.unlink()
    path.symlink_to(path.with_name("copy"))


def log_deleted(path: Path) -> None:
    log_of(path).unlink()


def index_deleted(path: Path) -> None:
    path.with_name(f"{path.name}-shm").unlink()


def index_replaced(path: Path) -> None:
    index = path.with_name(f"{path.name}-shm")
    shutil.copy(index, path.with_name("copy"))
    path.with_name("copy").replace(index)


def log_emptied(path: Path) -> None:
    os.truncate(log_of(path), 0)


def log_halved(path: Path) -> None:
    log = log_of(path)
    os.truncate(log, log.stat().st_size // 2)


def log_overwritten(path: Path) -> None:
    with log_of(path).open("r+b") as log:
        log.write(bytes(100))


ATTACKS = (
    deleted,
    all_deleted,
    folder_deleted,
    emptied,
    halved,
    an_empty_file_in_its_place,
    a_copy_in_its_place,
    a_link_in_its_place,
    log_deleted,
    index_deleted,
    index_replaced,
    log_emptied,
    log_halved,
    log_overwritten,
)
every_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)


@every_attack
def test_is_noticed_said_and_nothing_is_written(opened: Store, path: Path, attack: Callable[[Path], None]) -> None:
    assert opened.loss is None
    attack(path)
    assert str(path) in str(opened.loss)
    with pytest.raises(CannotWrite, match="nothing is recorded"):
        write(opened, "bob")
    assert opened.loss is not None


@every_attack
def test_during_a_transaction_is_told_after_it(opened: Store, path: Path, attack: Callable[[Path], None]) -> None:
    """What was committed then is not confirmed. A log that was cut has grown again by that, over a hole."""
    with pytest.raises((CannotWrite, OperationalError)), opened.writing() as connection:
        connection.execute(text("INSERT INTO name VALUES ('bob')"))
        attack(path)
    assert opened.loss is not None


@pytest.mark.parametrize("attack", [deleted, all_deleted, folder_deleted], ids=lambda attack: attack.__name__)
def test_a_file_that_is_gone_is_never_made_anew(opened: Store, path: Path, attack: Callable[[Path], None]) -> None:
    attack(path)
    with pytest.raises(OperationalError), opened.reading():
        pass
    assert not path.exists()


def test_an_empty_file_in_its_place_stays_empty(opened: Store, path: Path) -> None:
    an_empty_file_in_its_place(path)
    with pytest.raises(OperationalError), opened.reading():
        pass
    assert path.stat().st_size == 0


def test_the_same_file_back_in_its_place_is_written_again(opened: Store, path: Path) -> None:
    aside = path.with_name("aside")
    path.rename(aside)
    assert opened.loss is not None
    aside.rename(path)
    write(opened, "bob")
    with opened.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM name")).scalar() == 7


def test_what_is_lost_of_the_content_does_not_come_back(opened: Store, path: Path) -> None:
    size = log_of(path).stat().st_size
    log_emptied(path)
    assert opened.loss is not None
    os.truncate(log_of(path), size)
    assert opened.loss is not None


def test_what_sqlite_does_itself_is_no_loss(opened: Store) -> None:
    for rows in (0, 10, 500, 20):
        with opened.writing() as connection:
            connection.execute(text("INSERT INTO name VALUES (:name)"), [{"name": "n" * 5_000}] * (rows + 1))
        write(opened)
        with opened.writing() as connection:
            connection.execute(text("DELETE FROM name"))
        opened.checkpoint()
        assert opened.loss is None
        write(opened)
        with opened.reading() as connection:
            driver: Any = connection.connection.driver_connection
            driver.rollback()
            driver.execute("VACUUM")
        assert opened.loss is None
        opened.checkpoint()
        assert opened.loss is None


def test_a_store_that_was_closed_may_be_another_one(opened: Store, path: Path) -> None:
    opened.close()
    all_deleted(path)
    with opened.writing() as connection:
        connection.execute(text("CREATE TABLE name (name TEXT)"))
    write(opened)
    assert opened.loss is None


def test_a_commit_that_a_full_disk_broke_off_is_no_loss(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", megabytes=2) as disk:
        store = Store(f"sqlite:///{disk.folder}/spendtop.db")
        with store.writing() as connection:
            connection.execute(text("CREATE TABLE name (name TEXT)"))
        write(store)
        for leaving in (0, 3_000, 10_000, 50_000, 100_000):
            disk.fill(leaving)
            for _ in range(3):
                with pytest.raises(StoreFull), named(store):
                    write(store, "n" * 150_000)
            assert store.loss is None
            disk.free()
        write(store)
        store.close()


def test_a_file_that_goes_between_two_glances_at_it_is_missed_by_the_next_look(
    opened: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, glances = os.stat, list[object]()

    def stat(asked: Any, *words: Any, **options: Any) -> os.stat_result:
        if asked == path:
            glances.append(asked)
            if len(glances) == 2:
                path.unlink()
        return real(asked, *words, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert opened.loss is None
    assert len(glances) == 2
    assert opened.loss is not None and "was deleted" in opened.loss
