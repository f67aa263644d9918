"""A start where a store was before: never a new one without a word."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from spendtop.domain.errors import ExitCode
from tests.e2e.processes import LISTENER, collecting, refused, spendtop, webhook


def collected(folder: Path) -> Path:
    """A store with one request; nobody collects any more."""
    with collecting(folder) as collector:
        assert collector.post(webhook("before")).status_code == 200
        assert collector.end().code == 0
    return folder / "spendtop.db"


def beside(store: Path) -> set[str]:
    """The files of the store that are there."""
    return {each.name for each in store.parent.glob("spendtop.db*")}


def test_a_store_that_is_gone_is_refused_by_every_command_and_begun_anew_when_that_is_wanted(tmp_path: Path) -> None:
    store = collected(tmp_path)
    store.rename(tmp_path / "aside")
    before = beside(store)
    ended = refused(tmp_path)
    assert ended.code == ExitCode.STORE_CORRUPT
    assert f"The store {store} is gone" in ended.err
    assert "spendtop --new-store" in ended.err and "spendtop db restore FILE" in ended.err
    for command in ("spend", "requests", "token create app"):
        said = spendtop(tmp_path, *command.split(), "--config", tmp_path / "spendtop.toml")
        assert (said.code, "is gone" in said.err) == (ExitCode.STORE_CORRUPT, True), said
    assert beside(store) == before
    with collecting(tmp_path, LISTENER, "--new-store") as collector:
        assert collector.post(webhook("before")).json()["status"] == "stored"
        assert collector.end().code == 0
    with collecting(tmp_path) as collector:
        assert collector.post(webhook("before")).json()["status"] == "duplicate"


def test_a_store_that_is_back_is_used_again(tmp_path: Path) -> None:
    store = collected(tmp_path)
    store.rename(tmp_path / "aside")
    assert refused(tmp_path).code == ExitCode.STORE_CORRUPT
    (tmp_path / "aside").rename(store)
    with collecting(tmp_path) as collector:
        assert collector.post(webhook("before")).json()["status"] == "duplicate"


def test_a_store_that_was_restored_is_the_one_that_is_meant(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    collected(other)
    assert spendtop(other, "db", "backup", tmp_path / "backup.db", "--config", other / "spendtop.toml").code == 0
    collected(tmp_path)
    said = spendtop(
        tmp_path, "db", "restore", tmp_path / "backup.db", "--force", "--config", tmp_path / "spendtop.toml"
    )
    assert said.code == 0, said
    with collecting(tmp_path) as collector:
        assert collector.post(webhook("before")).json()["status"] == "duplicate"


def test_a_store_that_lacks_a_table_is_refused(tmp_path: Path) -> None:
    store = collected(tmp_path)
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("DROP TABLE limit_mark")
    ended = refused(tmp_path)
    assert ended.code == ExitCode.STORE_CORRUPT
    assert "it lacks limit_mark" in ended.err


def test_a_table_that_is_dropped_meanwhile_is_said_and_no_webhook_hangs(tmp_path: Path) -> None:
    with collecting(tmp_path) as collector:
        assert collector.post(webhook("before")).status_code == 200
        with closing(sqlite3.connect(tmp_path / "spendtop.db")) as connection:
            connection.execute("DROP TABLE request_key")
        assert collector.post(webhook("after")).status_code == 503
        assert collector.health()["status"] == "down"
        assert "Traceback" not in collector.err


def test_files_that_others_may_read_are_closed_with_a_notice(tmp_path: Path) -> None:
    store = collected(tmp_path)
    store.chmod(0o666)
    with collecting(tmp_path) as collector:
        assert stat.S_IMODE(store.stat().st_mode) == 0o600
        assert f"{store} was open to others (mode 0666)" in collector.out
