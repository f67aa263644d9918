from __future__ import annotations

import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, StatementError

from spendtop.domain.errors import CannotWrite, NoPermission, SpendtopError, StoreCorrupt, StoreFull
from spendtop.domain.sources.records import INGEST, LITELLM
from spendtop.store import facts
from spendtop.store.engine import Store, named, refusal
from spendtop.store.held_file import HeldFile
from spendtop.store.ids import SLOTS, RequestIds, arrival, identity


def test_a_failed_block_writes_nothing(store: Store) -> None:
    with pytest.raises(ValueError, match="half"), store.writing() as connection:
        facts.put(connection, "a", "1")
        raise ValueError("half way")
    with store.reading() as connection:
        assert facts.get(connection, "a") is None


def test_a_reader_keeps_its_view_while_others_write(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'a.db'}")
    with store.writing() as connection:
        connection.execute(text("CREATE TABLE a (b)"))
    with store.reading() as reader:
        assert reader.execute(text("SELECT count(*) FROM a")).scalar() == 0
        with store.writing() as writer:
            writer.execute(text("INSERT INTO a VALUES (1)"))
        assert reader.execute(text("SELECT count(*) FROM a")).scalar() == 0
    store.close()


def test_a_failure_never_shows_the_values_of_a_statement(store: Store) -> None:
    with pytest.raises((DBAPIError, StatementError)) as failure, store.writing() as connection:
        connection.execute(text("INSERT INTO nosuch VALUES (:secret)"), {"secret": "sk-very-secret"})
    assert "sk-very-secret" not in str(failure.value)


def test_a_store_is_named_without_its_password() -> None:
    assert "hunter2" not in Store("postgresql+psycopg://me:hunter2@host/spend").name


def test_sqlite_commits_are_durable_and_deleted_content_is_overwritten(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'a.db'}")
    with store.writing() as connection:
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        ]
    assert found == ["wal", 2, 1, 1]
    store.close()


def test_an_index_is_sorted_in_files_beside_the_store_and_nothing_else_is(tmp_path: Path) -> None:
    folder = tmp_path / "it's"
    folder.mkdir()
    made: set[str] = set()

    def look() -> int:
        made.update(os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink())
        return 0

    with closing(Store(f"sqlite:///{folder / 'a.db'}")) as store:
        with store.rebuilding() as connection:
            connection.execute(text("PRAGMA cache_size=10"))
            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(look, 5_000)
            rows = "WITH RECURSIVE n(b) AS (SELECT 1 UNION ALL SELECT b + 1 FROM n WHERE b < 20000)"
            connection.execute(text(f"CREATE TABLE a AS {rows} SELECT -b AS b, hex(zeroblob(30)) AS c FROM n"))
            connection.execute(text("CREATE INDEX a_b ON a (b, c)"))
            driver.set_progress_handler(None, 0)
        with store.writing() as connection:
            assert connection.execute(text("PRAGMA temp_store")).scalar() == 2
    assert any(path.startswith(f"{folder}/etilqs_") for path in made)
    assert [path.name for path in folder.iterdir()] == ["a.db"]


def test_an_index_is_sorted_elsewhere_where_the_folder_must_not_be_written_to(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HeldFile, "folder", Path("/nowhere"))
    with sqlite_store.rebuilding() as connection:
        assert connection.execute(text("PRAGMA temp_store")).scalar() == 1
        facts.put(connection, "a", "1")


def test_nobody_who_writes_waits_for_the_log_to_be_emptied_beside_a_long_read(tmp_path: Path) -> None:
    def written(statement: str) -> float:
        began = time.monotonic()
        with store.writing() as connection:
            connection.execute(text(statement))
        return time.monotonic() - began

    with closing(Store(f"sqlite:///{tmp_path / 'a.db'}")) as store, ThreadPoolExecutor() as threads:
        written("CREATE TABLE a (b)")
        with store.reading() as reader:
            reader.execute(text("SELECT b FROM a")).all()
            written("INSERT INTO a VALUES (1)")
            emptying = threads.submit(store.checkpoint)
            waits = []
            for number in range(4):
                assert not wait([emptying], timeout=0.05).done
                waits.append(written(f"INSERT INTO a VALUES ({number})"))
        assert max(waits) < 1.0
        emptying.result()
        assert (tmp_path / "a.db-wal").stat().st_size == 0


def test_the_log_is_copied_and_emptied_however_many_read(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path / 'a.db'}")) as store, ExitStack() as reading:
        for _ in range(14):  # all that there can be
            reading.enter_context(store.reading())
        with store.writing() as connection:
            connection.execute(text("CREATE TABLE a (b)"))
        store.wal_checkpoint()
        assert b"CREATE TABLE a (b)" in (tmp_path / "a.db").read_bytes()
        store.checkpoint()
        assert (tmp_path / "a.db-wal").stat().st_size == 0


def test_facts_are_set_and_replaced(store: Store) -> None:
    for value in ("1", "2"):
        with store.writing() as connection:
            facts.put(connection, "name", value)
            facts.put(connection, "other", "x")
    with store.reading() as connection:
        assert [facts.get(connection, name) for name in ("name", "other", "none")] == ["2", "x", None]


class TestFailures:
    """Sentences with a next step."""

    def test_a_server_that_is_away_cannot_be_used(self) -> None:
        store = Store("postgresql+psycopg://me:hunter2@127.0.0.1:1/spend")
        with pytest.raises(CannotWrite, match="check its address") as failure, named(store), store.reading():
            pass
        assert "hunter2" not in str(failure.value)

    def test_a_database_that_does_not_exist_refuses_us(self, postgres_url: str) -> None:
        store = Store(postgres_url)
        store = Store(store.url.set(database="nosuch").render_as_string(hide_password=False))
        with pytest.raises(NoPermission, match="refuses us"), named(store), store.reading():
            pass
        store.close()

    @pytest.mark.parametrize(
        ("failure", "expected"),
        [
            (errors.DiskFull('could not extend file "base/5/1": No space left on device'), StoreFull),
            (errors.UndefinedTable('relation "request" does not exist'), StoreCorrupt),
            (errors.UndefinedColumn('column "tokens" does not exist'), StoreCorrupt),
            (errors.InvalidSchemaName('schema "spendtop" does not exist'), StoreCorrupt),
            (errors.LockNotAvailable("canceling statement due to lock timeout"), CannotWrite),
            (errors.AdminShutdown("terminating connection due to administrator command"), CannotWrite),
            (errors.InvalidPassword('password authentication failed for user "me"'), NoPermission),
            (sqlite3.OperationalError("disk I/O error"), CannotWrite),
            (sqlite3.OperationalError("no such table: request"), StoreCorrupt),
            (sqlite3.DatabaseError("database disk image is malformed"), StoreCorrupt),
            (sqlite3.OperationalError("attempt to write a readonly database"), NoPermission),
        ],
    )
    def test_each_kind_of_failure_is_told_apart(
        self, tmp_path: Path, failure: Exception, expected: type[SpendtopError]
    ) -> None:
        url = f"sqlite:///{tmp_path}/a.db" if isinstance(failure, sqlite3.Error) else "postgresql://me@host/spend"
        told = refusal(Store(url), DBAPIError("SELECT 1", None, failure))
        assert type(told) is expected
        assert str(failure).splitlines()[0] in str(told)

    def test_a_file_that_is_no_database_is_damaged(self, tmp_path: Path) -> None:
        path = tmp_path / "a.db"
        path.write_bytes(b"x" * 8192)
        store = Store(f"sqlite:///{path}")
        with pytest.raises(StoreCorrupt, match="is damaged"), named(store), store.reading():
            pass
        store.close()


class TestIds:
    """Ids of requests."""

    def test_ids_grow_and_carry_arrival_and_slot(self) -> None:
        ids = RequestIds(slot=5)
        found = [ids.next(at) for at in (100, 100, 50, 200)]
        assert [arrival(one) for one in found] == [100, 101, 102, 200]
        assert {one % SLOTS for one in found} == {5}

    def test_ids_go_on_after_the_largest_of_any_collector(self) -> None:
        largest = RequestIds(slot=63).next(1_000)
        assert RequestIds(slot=0, after=largest).next(1) > largest

    def test_an_identity_tells_source_scope_and_id_apart(self) -> None:
        litellm, ingest = LITELLM, INGEST
        told = [(litellm, "b", ""), (ingest, "b", ""), (ingest, "b", "a"), (ingest, "ab", ""), (ingest, "\ud800", "")]
        digests = {identity(*each) for each in told}
        assert len(digests) == 5
        assert {len(digest) for digest in digests} == {16}


def test_the_name_of_a_store_holds_no_password() -> None:
    named = [Store(f"postgresql+psycopg://{url}").name for url in ("u:canary@h/d", "u@h/d?password=canary")]
    assert named == ["postgresql+psycopg://u:***@h/d", "postgresql+psycopg://u@h/d"]
