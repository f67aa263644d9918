"""What cannot start says so in one sentence, with the exit code for it, and leaves everything as it was."""

from __future__ import annotations

import ctypes
import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from spendtop.store.engine import Store
from spendtop.store.schema import head, upgrade
from tests.e2e.processes import LISTENER, Ended, collecting, command, configured, environment, refused
from tests.waiting import DEADLINE

_CAPABILITIES_OF_ROOT = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_PR_CAPBSET_DROP = 24


def says(ended: Ended, code: int, *words: str) -> None:
    assert ended.code == code, ended.err
    assert all(word in ended.err for word in words), ended.err
    assert "Traceback" not in ended.err
    assert ended.err.startswith("spendtop: ")
    assert ended.out == ""


@contextmanager
def listening() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def test_a_second_collector_names_the_first_and_how_to_watch_it(tmp_path: Path) -> None:
    with collecting(tmp_path) as first:
        ended = refused(tmp_path)
        says(ended, 75, str(first.pid), first.url, "`spendtop attach`")
        assert len(ended.err.splitlines()) == 1
        assert first.client.get("/ping").text == "pong"
        assert first.end().code == 0
    with collecting(tmp_path) as next_one:
        assert next_one.health()["status"] == "healthy"


def test_a_busy_port_is_named_and_no_store_is_made(tmp_path: Path) -> None:
    with listening() as port:
        ended = refused(tmp_path, LISTENER.replace("port = 0", f"port = {port}"))
    says(ended, 69, str(port), "--port")
    assert not (tmp_path / "spendtop.db").exists()
    assert not (tmp_path / "spendtop.db.collector.json").exists()


def test_a_wrong_configuration_is_told_with_file_and_line(tmp_path: Path) -> None:
    ended = refused(tmp_path, LISTENER + '[[limit]]\nname = "a"\nwindow = "day"\nlimt_usd = 5\n')
    says(ended, 78, "spendtop.toml:8", "limt_usd", "usd")
    assert not (tmp_path / "spendtop.db").exists()


def drop_what_root_may() -> None:
    """Let permissions hold for root, too."""
    if os.geteuid() == 0:
        for capability in _CAPABILITIES_OF_ROOT:
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def refused_without_rights(folder: Path, config: str) -> Ended:
    done = subprocess.run(
        command("--no-ui", "--config", configured(folder, config)),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE,
        env=environment(folder),
        cwd=folder,
        preexec_fn=drop_what_root_may,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    config = LISTENER + f'[database]\nurl = "sqlite:///{closed}/spendtop.db"\n'
    says(refused_without_rights(tmp_path, config), 77, str(closed), "--database-url")
    config = LISTENER + f'[database]\nurl = "sqlite:///{closed}/deeper/spendtop.db"\n'
    says(refused_without_rights(tmp_path, config), 77, str(closed), "--database-url")
    assert list(closed.iterdir()) == []


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    path.chmod(0o400)
    says(refused_without_rights(tmp_path, LISTENER), 77, str(path), "chmod")


def made_store(folder: Path) -> Path:
    path = folder / "spendtop.db"
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    store.close()
    return path


def test_a_newer_schema_is_left_alone_and_both_versions_are_named(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    says(refused(tmp_path), 78, str(path), "9999", head())
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"garbage" + raw[7:],
        lambda raw: raw[:100] + b"\xff" * 8000 + raw[8100:],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: b"this is a letter, not a store\n",
    ],
    ids=["header", "pages", "cut off", "text"],
)
def test_a_damaged_store_is_left_alone_and_the_ways_out_are_named(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    path = made_store(tmp_path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    says(refused(tmp_path), 65, str(path), "BACKUP", ".recover", ".corrupt")
    assert path.read_bytes() == damaged


def test_a_folder_in_place_of_the_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "spendtop.db").mkdir()
    says(refused(tmp_path), 73, "spendtop.db is a folder")


def test_an_unreachable_database_is_told_without_its_password(tmp_path: Path) -> None:
    with listening() as port:
        free = port
    config = LISTENER + f'[database]\nurl = "postgresql://ann:canary-of-a-password@127.0.0.1:{free}/spend"\n'
    ended = refused(tmp_path, config)
    says(ended, 74, "127.0.0.1")
    assert "canary" not in ended.err
