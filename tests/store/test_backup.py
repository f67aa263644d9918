"""One file holds everything, whichever database it comes from."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from spendtop.domain.errors import CannotWrite, ConfigError, NoPermission, StoreCorrupt, UsageError
from spendtop.store.backup import BackupFile, back_up, sqlite_url
from spendtop.store.engine import Store, named
from spendtop.store.verification import verify
from tests.store.conftest import Recorded
from tests.store.full_store import AT, content, fill, is_whole


def nothing(share: float) -> None:
    """Nobody watches."""


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    with closing(Store(sqlite_url(path))) as copy:
        yield copy


def test_a_backup_holds_every_row_of_every_table(store: Store, tmp_path: Path) -> None:
    fill(store)
    shares: list[float] = []
    verified = back_up(store, tmp_path / "copy.db", shares.append)
    assert (verified.requests, verified.bodies, verified.flaws) == (40, 26, ())
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)
    assert {each.name for each in tmp_path.iterdir() if "copy" in each.name} == {"copy.db"}
    with opened(tmp_path / "copy.db") as copy:
        assert content(copy) == content(store)
        assert is_whole(copy)


def test_it_holds_what_was_committed_when_it_began_and_nothing_of_later(store: Store, tmp_path: Path) -> None:
    recorded = Recorded(store)
    recorded.add(recorded.request(AT + number, request_body=bytes(20_000)) for number in range(3_000))
    told = 0

    def record_meanwhile(share: float) -> None:
        nonlocal told
        told += 1
        if told == 1:
            recorded.add(recorded.request(AT + 10_000 + number) for number in range(50))

    verified = back_up(store, tmp_path / "copy.db", record_meanwhile)
    assert (verified.requests, verified.flaws) == (3_000, ())
    with store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM request")).scalar() == 3_050


def test_a_backup_can_be_read_where_nothing_can_be_written(store: Store, tmp_path: Path) -> None:
    fill(store)
    folder = tmp_path / "backups"
    folder.mkdir()
    back_up(store, folder / "copy.db", nothing)
    before = (folder / "copy.db").read_bytes()
    with closing(BackupFile(folder / "copy.db")) as file:
        assert verify(file, nothing).requests == 40
        with file.reading() as connection, pytest.raises(Exception, match="readonly"):
            connection.execute(text("DELETE FROM request"))
    assert (folder / "copy.db").read_bytes() == before
    assert [each.name for each in folder.iterdir()] == ["copy.db"]


def test_what_is_no_backup_is_named(tmp_path: Path) -> None:
    text_file, foreign, folder = tmp_path / "text", tmp_path / "foreign.db", tmp_path / "folder"
    text_file.write_text("no database at all, but long enough to be looked at as one " * 20)
    folder.mkdir()
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE theirs (id)")
    with pytest.raises(UsageError, match="no file"):
        BackupFile(tmp_path / "missing.db")
    with pytest.raises(UsageError, match="no file"):
        BackupFile(folder)
    for path in (text_file, foreign):
        with pytest.raises(StoreCorrupt):
            BackupFile(path)
    assert [each.name for each in folder.iterdir()] == []


def test_a_backup_of_a_newer_spendtop_is_refused(store: Store, tmp_path: Path) -> None:
    back_up(store, tmp_path / "copy.db", nothing)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(ConfigError, match="9999"):
        BackupFile(tmp_path / "copy.db")


def test_of_a_damaged_store_no_backup_is_made(tmp_path: Path) -> None:
    path = tmp_path / "spendtop.db"
    with closing(Store(sqlite_url(path))) as store:
        from spendtop.store.schema import upgrade

        upgrade(store)
        recorded = Recorded(store)
        recorded.add(recorded.request(AT + number, request_body=bytes(9_000)) for number in range(500))
        store.checkpoint()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xa5" * 65_536)
    with closing(Store(sqlite_url(path))) as store, pytest.raises(StoreCorrupt, match="damaged"):
        back_up(store, tmp_path / "copy.db", nothing)


def test_a_file_that_is_closed_to_us_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "copy.db"
    path.touch()

    def refuse(*_arguments: object, **_settings: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr("spendtop.store.backup.sqlite3.connect", refuse)
    with pytest.raises(NoPermission, match="cannot be read"):
        BackupFile(path)


def test_a_full_disk_is_said_of_the_copy_whichever_database_is_copied(store: Store, tmp_path: Path) -> None:
    fill(store)
    limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(CannotWrite, match=r"The copy of .* cannot be written"), named(store):
            back_up(store, tmp_path / "copy.db", nothing)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
