"""A store's content in the place of another one's, between the two databases in every direction."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import insert, select, text

from spendtop.domain.clock import DAY
from spendtop.domain.errors import AlreadyRunning, CannotWrite, StoreCorrupt
from spendtop.store.backup import BackupFile, back_up, sqlite_url
from spendtop.store.engine import SCHEMA, Store, named
from spendtop.store.replacement import Replaced, is_empty, replace
from spendtop.store.schema import upgrade, version
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, RequestTable
from tests.store import earlier_store
from tests.store.conftest import Recorded
from tests.store.full_store import AT, content, fill, is_whole, made_up_row

LATER = AT + 30 * DAY
_instants = count(LATER)


def nothing(share: float) -> None:
    """Nobody watches."""


def replaced(store: Store, origin: Store | BackupFile, progress: Callable[[float], None] = nothing) -> Replaced:
    """Replaced while nobody else has it open."""
    store.close()
    return replace(store, origin, next(_instants), progress)


@pytest.fixture
def other_url(postgres_url: str) -> Iterator[str]:
    """A PostgreSQL database beside the usual one, empty."""
    name = "other"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
        yield psycopg.conninfo.make_conninfo(postgres_url, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store that does not exist yet, in another place than `store`."""
    if request.param == "sqlite":
        opened = Store(sqlite_url(tmp_path / "a new folder" / "target 1?.db"))
    else:
        conninfo = psycopg.conninfo.conninfo_to_dict(request.getfixturevalue("other_url"))
        query = {"host": str(conninfo["host"])}
        opened = Store(f"postgresql://{conninfo['user']}@/other?host={query['host']}")
    yield opened
    opened.close()


def schemas(store: Store) -> list[str]:
    """The schemas of a PostgreSQL that are ours, or were."""
    with store.reading() as connection:
        found = connection.execute(
            text(f"SELECT nspname FROM pg_namespace WHERE nspname LIKE '{SCHEMA}%' ORDER BY nspname")
        )
        return list(found.scalars())


def test_everything_arrives_in_every_direction(store: Store, target: Store) -> None:
    fill(store)
    shares: list[float] = []
    assert is_empty(target)
    done = replaced(target, store, shares.append)
    assert (done.verified.requests, done.kept) == (40, None)
    assert content(target) == content(store)
    assert is_whole(target) and not is_empty(target)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)
    with target.reading() as there, store.reading() as here:
        assert version(there) == version(here)


def test_a_backup_goes_anywhere_and_back(store: Store, target: Store, tmp_path: Path) -> None:
    fill(store)
    before = content(store)
    back_up(store, tmp_path / "backup.db", nothing)
    with closing(BackupFile(tmp_path / "backup.db")) as backup:
        replaced(target, backup)
    replaced(store, target)
    assert content(store) == before


def test_what_is_recorded_afterwards_gets_numbers_of_its_own(store: Store, target: Store) -> None:
    fill(store)
    replaced(target, store)
    alert = table_of(AlertTable)
    with target.writing() as connection:
        made = connection.execute(insert(alert).values(made_up_row(alert, 2))).inserted_primary_key
        assert made is not None
        ids = connection.execute(select(alert.c.id)).scalars().all()
    assert made[0] == max(ids) and len(ids) == len(set(ids)) == 3
    recorded = Recorded(target, slot=5)
    recorded.add(recorded.request(LATER + number, external_id=f"later {number}") for number in range(20))
    assert is_whole(target)


def test_what_was_there_is_kept(store: Store, target: Store) -> None:
    fill(store, requests=5)
    replaced(target, store)
    former = content(target)
    recorded = Recorded(store)
    recorded.add([recorded.request(LATER, external_id="one more")])
    done = replaced(target, store)
    assert content(target) == content(store)
    assert done.kept is not None
    if target.path is None:
        kept = next(name for name in schemas(target) if name != SCHEMA)
        assert kept in done.kept
        with target.reading() as connection:
            old = connection.execute(text(f"SELECT id FROM {kept}.request ORDER BY id")).scalars().all()
        assert old == sorted(row.id for row in former["request"])
    else:
        assert Path(done.kept).parent == target.path.parent
        with closing(Store(sqlite_url(Path(done.kept)))) as old_store:
            assert content(old_store) == former


def test_what_fails_leaves_everything_as_it_was(store: Store, target: Store) -> None:
    fill(store, requests=5)
    replaced(target, store)
    before = content(target)
    recorded = Recorded(store)
    recorded.add([recorded.request(LATER, external_id="one more")])

    def fail(share: float) -> None:
        if share > 0.4:
            raise CannotWrite("No room is left.")

    with pytest.raises(CannotWrite):
        replaced(target, store, fail)
    assert content(target) == before
    if target.path is None:
        assert schemas(target) == [SCHEMA]
    else:
        target.close()
        assert os.listdir(target.path.parent) == [target.path.name]


def test_a_damaged_origin_replaces_nothing(target: Store, tmp_path: Path) -> None:
    path = tmp_path / "origin.db"
    with closing(Store(sqlite_url(path))) as origin:
        upgrade(origin)
        recorded = Recorded(origin)
        recorded.add(recorded.request(AT + number, request_body=bytes(9_000)) for number in range(500))
        origin.checkpoint()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xa5" * 65_536)
    with pytest.raises(StoreCorrupt), closing(BackupFile(path)) as origin_file:
        replaced(target, origin_file)
    assert is_empty(target)


def test_a_number_that_does_not_fit_is_said_and_replaces_nothing(tmp_path: Path, postgres_store: Store) -> None:
    with closing(Store(sqlite_url(tmp_path / "origin.db"))) as origin:
        upgrade(origin)
        fill(origin, requests=5)
        with origin.writing() as connection:
            connection.execute(text("UPDATE delivery_attempt SET elapsed_ms = 99999999999"))
        with pytest.raises(CannotWrite, match="out of range"), named(postgres_store):
            replaced(postgres_store, origin)
    assert is_empty(postgres_store)
    assert schemas(postgres_store) == [SCHEMA]


def test_a_backup_of_an_earlier_schema_is_upgraded_on_its_way(postgres_store: Store, tmp_path: Path) -> None:
    path = tmp_path / "earlier.db"
    with closing(Store(sqlite_url(path))) as earlier:
        earlier_store.make(earlier)
    with closing(BackupFile(path)) as backup:
        assert backup.schema == "0003"
        done = replaced(postgres_store, backup)
    assert done.verified.requests > 0
    assert is_whole(postgres_store)


class TestFiles:
    """What only a SQLite file can be."""

    @pytest.fixture
    def origin(self, tmp_path: Path) -> Iterator[Store]:
        with closing(Store(sqlite_url(tmp_path / "origin.db"))) as store:
            upgrade(store)
            fill(store, requests=5)
            yield store

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "folder"
        folder.mkdir()
        return folder

    def test_a_damaged_store_is_replaced_and_kept_with_its_log(self, origin: Store, folder: Path) -> None:
        path = folder / "target.db"
        path.write_bytes(b"damaged beyond recognition " * 1_000)
        (folder / "target.db-wal").write_bytes(b"of the damaged one")
        with closing(Store(sqlite_url(path))) as target:
            assert not is_empty(target)
            done = replaced(target, origin)
            assert content(target) == content(origin)
        assert done.kept is not None
        assert Path(done.kept).read_bytes().startswith(b"damaged beyond recognition")
        assert Path(f"{done.kept}-wal").read_bytes() == b"of the damaged one"

    def test_an_empty_file_or_a_log_that_was_left_is_not_in_the_way(self, origin: Store, folder: Path) -> None:
        path = folder / "target.db"
        path.touch()
        (folder / "target.db-wal").write_bytes(b"left over")
        with closing(Store(sqlite_url(path))) as target:
            assert is_empty(target)
            assert replaced(target, origin).kept is None
            assert content(target) == content(origin)

    def test_nothing_is_replaced_while_somebody_has_it_open(self, origin: Store, folder: Path) -> None:
        path = folder / "target.db"
        with closing(Store(sqlite_url(path))) as target:
            replaced(target, origin)
            before = content(target)
            with target.reading() as connection:
                connection.execute(text("SELECT 1 FROM request"))
                with pytest.raises(AlreadyRunning, match="open"):
                    replaced(target, origin)
            assert content(target) == before

    def test_a_second_name_that_a_killed_one_left_is_dropped(self, origin: Store, folder: Path) -> None:
        path = folder / "target.db"
        with closing(Store(sqlite_url(path))) as target:
            replaced(target, origin)
        os.link(path, folder / "target.db.before-20200101T000000.000000Z")
        with closing(Store(sqlite_url(path))) as target:
            done = replaced(target, origin)
        assert done.kept is not None
        assert sorted(os.listdir(folder)) == sorted([path.name, Path(done.kept).name])

    def test_a_log_of_what_was_there_is_never_applied_to_what_is_there_now(self, origin: Store, folder: Path) -> None:
        path = folder / "target.db"
        with closing(Store(sqlite_url(path))) as target:
            upgrade(target)
            fill(target, requests=30)
        writer = sqlite3.connect(path)
        writer.execute("UPDATE request SET model = 'left in the log'")
        writer.commit()
        writer.close()
        with closing(Store(sqlite_url(path))) as target:
            done = replaced(target, origin)
            assert content(target) == content(origin)
        with closing(Store(sqlite_url(Path(str(done.kept))))) as kept, kept.reading() as connection:
            models = connection.execute(select(table_of(RequestTable).c.model).distinct()).scalars().all()
        assert models == ["left in the log"]
        with suppress(FileNotFoundError):
            assert (folder / "target.db-wal").stat().st_size == 0
