"""`spendtop db restore` and `spendtop db move`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from spendtop.collector.process.store_lock import hold_store, importing, places
from spendtop.config.database import database_url
from spendtop.config.paths import data_folder
from spendtop.config.types import Surroundings
from spendtop.store.backup import sqlite_url
from spendtop.store.engine import SCHEMA, Store
from tests.cli.conftest import Cli, minutes_ago, write_config
from tests.store.conftest import Recorded
from tests.store.full_store import content, fill

PASSWORD = "a-password-that-nobody-may-see"


@pytest.fixture
def backup(cli: Cli, home_store: Store, tmp_path: Path) -> Path:
    """A backup of a store with something in every table; the store goes on with one more request."""
    fill(home_store, requests=6)
    path = tmp_path / "backup.db"
    assert cli("db", "backup", str(path)).code == 0
    spent = Recorded(home_store)
    spent.add([spent.request(minutes_ago(1), external_id="after the backup")])
    home_store.close()
    return path


def ids(store: Store) -> list[int]:
    with store.reading() as connection:
        found = list(connection.execute(text("SELECT id FROM request ORDER BY id")).scalars())
    store.close()
    return found


def test_a_restore_puts_the_backup_in_place_and_keeps_what_was_there(cli: Cli, home_store: Store, backup: Path) -> None:
    code, out, err = cli("db", "restore", str(backup), "--force")
    assert (code, err) == (0, "")
    assert "6 requests" in out and "is kept as" in out
    kept = Path(out.partition("is kept as ")[2].partition(";")[0])
    with closing(Store(sqlite_url(kept))) as former, closing(Store(sqlite_url(backup))) as copy:
        assert len(ids(former)) == 7
        assert content(home_store) == content(copy)
    assert cli("db", "verify").code == 0
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_backup_of_an_older_spendtop_is_not_said_to_hold_nothing(cli: Cli, home_store: Store, backup: Path) -> None:
    with closing(sqlite3.connect(backup)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0018'")
        connection.commit()
    code, out, _ = cli("db", "restore", str(backup), "--force")
    assert code == 0 and "0 requests" not in out
    assert "a whole file, of an older spendtop, that the start upgrades." in out


def test_a_store_that_holds_something_is_only_replaced_by_force(cli: Cli, home_store: Store, backup: Path) -> None:
    code, _, err = cli("db", "restore", str(backup))
    assert code == 73 and "--force" in err
    assert len(ids(home_store)) == 7


def test_where_there_is_no_store_a_backup_makes_one(cli: Cli, backup: Path, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "spendtop.db"
    code, out, _ = cli("db", "restore", str(backup), "--database-url", f"sqlite:///{path}")
    assert code == 0 and "is kept as" not in out
    with closing(Store(sqlite_url(path))) as made:
        assert len(ids(made)) == 6


def test_a_damaged_store_is_no_hindrance(cli: Cli, home_store: Store, backup: Path) -> None:
    assert home_store.path is not None
    home_store.path.write_bytes(b"not a database any more " * 500)
    assert cli("db", "restore", str(backup)).code == 73
    code, out, err = cli("db", "restore", str(backup), "--force")
    assert code == 0, err
    assert len(ids(home_store)) == 6
    assert Path(out.partition("is kept as ")[2].partition(";")[0]).read_bytes().startswith(b"not a database")


def test_nothing_is_restored_while_a_collector_or_an_import_goes_on(cli: Cli, home_store: Store, backup: Path) -> None:
    files = places(home_store, data_folder())
    for holding in (hold_store, importing):
        with holding(home_store, files):
            code, _, err = cli("db", "restore", str(backup), "--force")
            assert code == 75, err
    assert len(ids(home_store)) == 7


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", 78),
        ("DROP TABLE request_key", 65),
        ("DROP TABLE total", 65),
    ],
)
def test_what_is_no_whole_backup_of_ours_changes_nothing(
    cli: Cli, home_store: Store, backup: Path, sql: str, code: int
) -> None:
    with closing(sqlite3.connect(backup)) as connection:
        connection.execute(sql)
        connection.commit()
    assert cli("db", "restore", str(backup), "--force").code == code
    assert len(ids(home_store)) == 7
    assert not list(data_folder().glob("*.before-*"))


def test_a_text_or_the_store_itself_is_no_backup(cli: Cli, home_store: Store, backup: Path, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("nothing of the kind")
    assert cli("db", "restore", str(tmp_path / "text.db"), "--force").code == 65
    assert cli("db", "restore", str(tmp_path / "missing.db"), "--force").code == 2
    assert cli("db", "restore", str(home_store.path), "--force").code == 2
    assert len(ids(home_store)) == 7


def test_moving_to_postgresql_and_back_keeps_everything(
    cli: Cli, home_store: Store, backup: Path, empty_postgres: str, tmp_path: Path
) -> None:
    before = content(home_store)
    home_store.close()
    code, out, err = cli("db", "move", empty_postgres)
    assert (code, err) == (0, "")
    assert "The old store stays as it is" in out and f"url = {json.dumps(empty_postgres)}" in out
    assert len(ids(home_store)) == 7
    with closing(Store(database_url(empty_postgres, Surroundings()))) as moved:
        assert content(moved) == before
    back = tmp_path / "back here.db"
    code, out, err = cli("db", "move", f"sqlite:///{back}", "--database-url", empty_postgres)
    assert (code, err) == (0, "")
    with closing(Store(sqlite_url(back))) as store:
        assert content(store) == before
    assert cli("db", "verify", "--database-url", empty_postgres).code == 0


def test_a_backup_is_restored_into_postgresql_and_what_was_there_is_kept(
    cli: Cli, backup: Path, empty_postgres: str
) -> None:
    there = ("--database-url", empty_postgres)
    assert cli("db", "restore", str(backup), *there).code == 0
    assert cli("db", "restore", str(backup), *there).code == 73
    code, out, _ = cli("db", "restore", str(backup), "--force", *there)
    assert code == 0 and f"the schema {SCHEMA}_before_" in out
    with closing(Store(database_url(empty_postgres, Surroundings()))) as store:
        with hold_store(store, places(store, data_folder())):
            code, _, err = cli("db", "restore", str(backup), "--force", *there)
        assert code == 75 and "Stop it first" in err
        assert len(ids(store)) == 6


def test_a_password_is_never_taken_from_the_command_line_nor_shown(
    cli: Cli, backup: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for url in (
        f"postgresql://me:{PASSWORD}@127.0.0.1:1/none",
        f"postgresql://me@127.0.0.1:1/none?password={PASSWORD}",
        f"postgresql://me@127.0.0.1:1/none?pass%77ord={PASSWORD}",
    ):
        code, out, err = cli("db", "move", url)
        assert code == 2 and "env:NAME or file:PATH" in err
        assert PASSWORD not in out + err
        secret = tmp_path / "address"
        secret.write_text(url)
        monkeypatch.setenv("THE_ADDRESS", url)
        for reference in ("env:THE_ADDRESS", f"file:{secret}"):
            code, out, err = cli("db", "move", reference)
            assert code in (74, 77), err
            assert PASSWORD not in out + err


def test_a_reference_is_what_the_configuration_is_to_say(
    cli: Cli, backup: Path, empty_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config("[time]\nzone = 'UTC'\n")
    monkeypatch.setenv("THE_ADDRESS", empty_postgres)
    code, out, _ = cli("db", "move", "env:THE_ADDRESS")
    assert code == 0
    assert f'into {config}:\n[database]\nurl = "env:THE_ADDRESS"' in out
    assert empty_postgres not in out.partition("write into")[2]


@pytest.mark.parametrize(
    "url",
    ["", "nowhere", "mysql://me@host/db", "env:NOT_SET", "file:/nowhere/at/all", "sqlite://x.db", "postgresql://"],
)
def test_an_address_that_cannot_be_used_is_said(cli: Cli, backup: Path, url: str) -> None:
    code, _, err = cli("db", "move", url)
    assert code == 2 and "address" in err.lower()


def test_a_move_refuses_the_same_place_and_what_is_not_ours(cli: Cli, home_store: Store, backup: Path) -> None:
    foreign = backup.with_name("foreign.db")
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE theirs (id)")
    before = foreign.read_bytes()
    assert cli("db", "move", f"sqlite:///{home_store.path}", "--force").code == 2
    code, _, err = cli("db", "move", f"sqlite:///{foreign}", "--force")
    assert code == 2 and "another program" in err
    assert foreign.read_bytes() == before
    assert cli("db", "move", f"sqlite:///{backup}").code == 73


def test_nothing_is_moved_while_a_collector_holds_either(cli: Cli, home_store: Store, backup: Path) -> None:
    there = backup.with_name("there.db")
    with closing(Store(sqlite_url(there))) as other:
        for held in (home_store, other):
            with hold_store(held, places(held, data_folder())):
                assert cli("db", "move", f"sqlite:///{there}").code == 75
    assert not there.exists()
