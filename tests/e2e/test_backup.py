"""Backups of a store that a collector writes, and backups that are killed."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import httpx
import pytest

from tests.e2e.processes import LISTENER, CollectorProcess, collecting, command, environment, spendtop, webhook
from tests.helicone_captures import sign
from tests.waiting import DEADLINE, eventually

_SENDERS = 4


@contextmanager
def posting(collector: CollectorProcess) -> Iterator[list[str]]:
    """Ids that were acknowledged, more and more, until the end of the block."""
    acknowledged: list[str] = []
    stop = Event()

    def post(sender: int) -> None:
        number = 0
        with httpx.Client(base_url=collector.url, trust_env=False, timeout=DEADLINE) as client:
            while not stop.is_set():
                number += 1
                raw = webhook(f"{sender}-{number}")
                answer = client.post("/webhook", content=raw, headers={"Helicone-Signature": sign(raw)})
                assert answer.status_code == 200, answer.text
                acknowledged.append(f"{sender}-{number}")

    with ThreadPoolExecutor(_SENDERS) as pool:
        senders = [pool.submit(post, sender) for sender in range(_SENDERS)]
        try:
            yield acknowledged
        finally:
            stop.set()
        for each in senders:
            each.result()


def requests_in(folder: Path, file: Path) -> int:
    """Of a backup that is whole."""
    code, out, err = spendtop(folder, "db", "verify", file)
    assert code == 0, err
    return int(out.partition(" is whole: ")[2].partition(" request")[0].replace(",", ""))


def test_a_backup_under_load_holds_what_was_acknowledged_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    with collecting(folder) as collector, posting(collector) as acknowledged:
        eventually(lambda: len(acknowledged) > 50)
        config = folder / "spendtop.toml"
        for number in range(2):
            before = len(acknowledged)
            file = folder / f"backup {number}.db"
            done = spendtop(folder, "db", "backup", file, "--config", config)
            assert done.code == 0, done.err
            assert requests_in(folder, file) >= before
        assert spendtop(folder, "db", "verify", "--config", config).code == 0
        assert collector.health()["status"] == "healthy"
    assert not [each.name for each in folder.iterdir() if each.name.endswith(".part")]


def killed_somewhere(folder: Path, seed: int, took: float, *words: str | Path) -> None:
    """Begin a command that takes so many seconds, and kill it somewhere in its second two thirds."""
    process = subprocess.Popen(
        command(*words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(folder),
        cwd=folder,
    )
    with suppress(subprocess.TimeoutExpired):
        process.wait(random.Random(seed).uniform(0.3, 1.05) * took)
    process.kill()
    process.wait()


def seconds_of(folder: Path, *words: str | Path) -> float:
    """How long a command takes that succeeds."""
    began = time.monotonic()
    done = spendtop(folder, *words)
    assert done.code == 0, done.err
    return time.monotonic() - began


def kill_backups(folder: Path, seeds: range) -> None:
    """At any point: under the final name there is a whole backup, the one that was there before or the new one."""
    with collecting(folder) as collector:
        options = ("--config", folder / "spendtop.toml")
        file = folder / "backup.db"
        took = seconds_of(folder, "db", "backup", file, *options)
        for recorded, seed in enumerate(seeds):
            assert collector.post(webhook(f"request-{seed}")).status_code == 200
            killed_somewhere(folder, seed, took, "db", "backup", file, "--force", *options)
            assert requests_in(folder, file) in (recorded, recorded + 1)
            assert spendtop(folder, "db", "backup", file, "--force", *options).code == 0
            assert requests_in(folder, file) == recorded + 1
            assert not [each.name for each in folder.iterdir() if ".part" in each.name]


def kill_restores(folder: Path, seeds: range) -> None:
    """At any point: the store is the one from before or the restored one, and a collector starts on it."""
    options = ("--config", folder / "spendtop.toml")
    backup = folder / "backup"
    with collecting(folder) as collector:
        assert collector.post(webhook("in-the-backup")).status_code == 200
        assert spendtop(folder, "db", "backup", backup, *options).code == 0
        assert collector.post(webhook("after-the-backup")).status_code == 200
        assert collector.end().code == 0
    took = seconds_of(folder, "db", "restore", backup, "--force", *options)
    for seed in seeds:
        with collecting(folder) as collector:
            assert collector.post(webhook(f"request-{seed}")).status_code == 200
            assert spendtop(folder, "db", "restore", backup, "--force", *options).code == 75
            assert collector.health()["status"] == "healthy"
            collector.process.kill()
        before = requests_in(folder, folder / "spendtop.db")
        killed_somewhere(folder, seed, took, "db", "restore", backup, "--force", *options)
        assert requests_in(folder, folder / "spendtop.db") in (before, 1)
    assert spendtop(folder, "db", "restore", backup, "--force", *options).code == 0
    assert requests_in(folder, folder / "spendtop.db") == 1
    kept = list(folder.glob("spendtop.db.before-*"))
    assert kept
    assert not [each for each in kept if each.samefile(folder / "spendtop.db")]


def kill_moves(folder: Path, url: str, seeds: range) -> None:
    """At any point: the new place has nothing or everything, and the old one everything."""
    options = ("--config", folder / "spendtop.toml")
    with collecting(folder) as collector:
        for number in range(20):
            assert collector.post(webhook(f"request-{number}")).status_code == 200
        assert spendtop(folder, "db", "move", url, *options).code == 75
        assert collector.end().code == 0
    took = seconds_of(folder, "db", "move", url, *options)
    for seed in seeds:
        killed_somewhere(folder, seed, took, "db", "move", url, "--force", *options)
        for there in (options, ("--database-url", url)):
            code, out, err = spendtop(folder, "db", "verify", *there)
            assert code == 0, err
            assert " is whole: 20 requests" in out
    moved = LISTENER + f'[database]\nurl = "{url}"\n'
    with collecting(folder / "moved", moved) as collector:
        assert collector.post(webhook("request-3")).json()["status"] == "duplicate"
        assert collector.post(webhook("new")).json()["status"] == "stored"


def test_a_killed_backup_leaves_no_half_file(tmp_path: Path) -> None:
    kill_backups(tmp_path / "store", range(2))


def test_a_killed_restore_leaves_a_whole_store(tmp_path: Path) -> None:
    kill_restores(tmp_path / "store", range(1))


def test_a_killed_move_leaves_both_places_whole(tmp_path: Path, empty_postgres: str) -> None:
    kill_moves(tmp_path / "store", empty_postgres, range(1))


@pytest.mark.soak
def test_backups_killed_at_any_point(tmp_path: Path) -> None:
    kill_backups(tmp_path / "store", range(20))


@pytest.mark.soak
def test_restores_killed_at_any_point(tmp_path: Path) -> None:
    kill_restores(tmp_path / "store", range(20))


@pytest.mark.soak
def test_moves_killed_at_any_point(tmp_path: Path, empty_postgres: str) -> None:
    kill_moves(tmp_path / "store", empty_postgres, range(20))
