"""Backups of a store that a collector writes, and backups that are killed."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import httpx
import pytest

from tests.e2e.processes import CollectorProcess, collecting, command, environment, spendtop, webhook
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


def kill_backups(folder: Path, seeds: range) -> None:
    """At any point: under the final name there is a whole backup, the one that was there before or the new one."""
    with collecting(folder) as collector:
        options = ("--config", folder / "spendtop.toml")
        file = folder / "backup.db"
        began = time.monotonic()
        assert spendtop(folder, "db", "backup", file, *options).code == 0
        took = time.monotonic() - began
        for recorded, seed in enumerate(seeds):
            assert collector.post(webhook(f"request-{seed}")).status_code == 200
            process = subprocess.Popen(
                command("db", "backup", file, "--force", *options),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(folder),
                cwd=folder,
            )
            with_some_patience(process, random.Random(seed).uniform(0.3, 1.05) * took)
            process.kill()
            process.wait()
            assert requests_in(folder, file) in (recorded, recorded + 1)
            assert spendtop(folder, "db", "backup", file, "--force", *options).code == 0
            assert requests_in(folder, file) == recorded + 1
            assert not [each.name for each in folder.iterdir() if ".part" in each.name]


def with_some_patience(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def test_a_killed_backup_leaves_no_half_file(tmp_path: Path) -> None:
    kill_backups(tmp_path / "store", range(3))


@pytest.mark.soak
def test_a_backup_killed_at_any_point_leaves_no_half_file(tmp_path: Path) -> None:
    kill_backups(tmp_path / "store", range(20))
