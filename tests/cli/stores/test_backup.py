"""`spendtop db backup` and `spendtop db verify`."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from sqlalchemy import text

from spendtop.store.engine import Store
from tests.cli.conftest import Cli, minutes_ago
from tests.store.conftest import Recorded


def requests_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM request").fetchone()[0])


def fill(spent: Recorded) -> None:
    spent.add(spent.request(minutes_ago(5), request_body=b"{}") for _ in range(3))


def test_a_backup_is_written_checked_and_closed_to_others(cli: Cli, spent: Recorded, tmp_path: Path) -> None:
    fill(spent)
    path = tmp_path / "a backup.db"
    code, out, err = cli("db", "backup", str(path))
    assert (code, err) == (0, "")
    assert "3 requests, 3 of them with prompt and response, and the totals of 1 day" in out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert requests_in(path) == 3
    code, out, err = cli("db", "verify", str(path))
    assert (code, err) == (0, "")
    assert f"{path} is whole: 3 requests" in out


def test_a_file_is_only_replaced_by_force(cli: Cli, spent: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "backup.db"
    assert cli("db", "backup", str(path)).code == 0
    fill(spent)
    code, _, err = cli("db", "backup", str(path))
    assert code == 73 and "is there already" in err
    assert requests_in(path) == 0
    assert cli("db", "backup", str(path), "--force").code == 0
    assert requests_in(path) == 3


def test_the_store_is_not_replaced_by_its_own_backup(cli: Cli, home_store: Store, tmp_path: Path) -> None:
    assert home_store.path is not None
    (tmp_path / "other name").symlink_to(home_store.path)
    for name in (home_store.path, tmp_path / "other name"):
        code, _, err = cli("db", "backup", str(name), "--force")
        assert code == 2 and "is the store itself" in err


def test_views_are_in_a_sqlite_file_already(cli: Cli, home_store: Store) -> None:
    code, out, err = cli("db", "views", "--schema", "public")
    assert (code, err) == (0, "") and "requests and llm_usage are in" in out


def test_the_store_itself_is_verified_without_a_file(cli: Cli, spent: Recorded) -> None:
    fill(spent)
    code, out, _ = cli("db", "verify")
    assert code == 0 and "is whole: 3 requests" in out


def test_what_does_not_fit_together_is_said_and_kept_all_the_same(cli: Cli, spent: Recorded, tmp_path: Path) -> None:
    fill(spent)
    with spent.store.writing() as connection:
        connection.execute(text("UPDATE total SET requests = 4 WHERE dimension = 'all'"))
    code, _, err = cli("db", "verify")
    assert code == 65 and "The total of all" in err and "4 requests" in err
    path = tmp_path / "backup.db"
    code, out, err = cli("db", "backup", str(path))
    assert code == 65 and "Backed up" in out and "does not fit together" in err
    assert requests_in(path) == 3


def test_verifying_what_is_no_backup_exits_by_what_it_is(cli: Cli, tmp_path: Path) -> None:
    text_file = tmp_path / "text.db"
    text_file.write_text("nothing of the kind")
    assert cli("db", "verify", str(text_file)).code == 65
    assert cli("db", "verify", str(tmp_path / "missing.db")).code == 2
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE theirs (id)")
    code, _, err = cli("db", "verify", str(foreign))
    assert code == 65 and "no store of spendtop" in err


def test_a_backup_of_a_newer_spendtop_exits_78_and_one_of_an_older_is_whole_as_a_file(
    cli: Cli, spent: Recorded, tmp_path: Path
) -> None:
    path = tmp_path / "backup.db"
    cli("db", "backup", str(path))
    for version, code in (("9999", 78), ("0003", 0)):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
            connection.commit()
        assert cli("db", "verify", str(path)).code == code


def test_without_a_store_there_is_nothing_to_back_up(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("db", "backup", str(tmp_path / "backup.db"))
    assert code == 2 and "Nothing is recorded yet" in err
    assert not (tmp_path / "backup.db").exists()


def test_a_folder_is_no_file_to_write(cli: Cli, home_store: Store, tmp_path: Path) -> None:
    assert cli("db", "backup", str(tmp_path), "--force").code == 73
    assert cli("db", "backup", str(tmp_path / "nowhere" / "backup.db")).code == 73
