"""Pricing anew survives being killed, whoever does it, and nothing that arrives meanwhile is lost."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from spendtop.domain.clock import SECOND
from spendtop.domain.requests.request import Usage
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade
from tests.e2e.processes import LISTENER, Ended, collecting, command, configured, environment, rows, spendtop
from tests.e2e.test_shared_store import database, post_all  # noqa: F401  (a fixture)
from tests.services.conftest import sums, totals
from tests.store.conftest import Recorded
from tests.waiting import DEADLINE, eventually

AT = 1_795_000_000_000_000
MANY = 4_000
PRICE = 3_000_000
"""Nano-USD of each request: a thousand tokens for 3 $ per million."""
CONFIG = LISTENER + '[prices."acme-7b"]\ninput = 3\noutput = 3\n'


def unpriced(store: Store, count: int) -> None:
    """Requests that were recorded before the model had a price."""
    recorded = Recorded(store)
    usage = Usage(prompt=1_000, completion=0)
    for start in range(0, count, 500):
        recorded.add(
            recorded.request(AT + number * SECOND, None, model="acme-7b", usage=usage, user_id=f"user-{number % 7}")
            for number in range(start, min(start + 500, count))
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = opened(tmp_path)
    upgrade(store)
    unpriced(store, MANY)
    store.close()
    configured(tmp_path, CONFIG)
    return tmp_path


def opened(folder: Path) -> Store:
    return Store(f"sqlite:///{folder}/spendtop.db")


def reprice(folder: Path, *words: str) -> Ended:
    return spendtop(folder, "reprice", *words, "--config", folder / "spendtop.toml")


@contextmanager
def repricing(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run that goes on."""
    words = command("reprice", "--config", folder / "spendtop.toml")
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(folder), cwd=folder
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE)


def wait_for_pages(folder: Path) -> None:
    eventually(lambda: rows(folder, "SELECT 1 FROM reprice WHERE changed > 0"))


def check(folder: Path, priced: int = MANY, revisions: int = MANY) -> None:
    assert rows(folder, "SELECT count(*), sum(cost_nano) FROM request") == [(MANY, priced * PRICE if priced else None)]
    assert rows(folder, "SELECT count(*) FROM revision") == [(revisions,)]
    store = opened(folder)
    assert totals(store) == sums(store)
    store.close()


def state(folder: Path) -> list[str]:
    return [run["state"] for run in json.loads(reprice(folder, "list", "--json").out)["data"]]


def test_a_killed_command_is_interrupted_and_gone_on_with(folder: Path) -> None:
    with repricing(folder) as process:
        wait_for_pages(folder)
        process.send_signal(signal.SIGSTOP)
        assert state(folder) == ["running"]
        process.kill()
        process.wait(DEADLINE)
    ((changed,),) = rows(folder, "SELECT changed FROM reprice")
    check(folder, changed, changed)
    assert 0 < changed < MANY
    assert state(folder) == ["interrupted"]
    assert "reprice --resume 1" in reprice(folder, "list").out
    assert reprice(folder, "--resume", "1").code == 0
    check(folder)
    assert reprice(folder, "--undo", "1").code == 0
    check(folder, 0, 2 * MANY)


def test_a_killed_collector_is_interrupted_and_the_next_one_goes_on(folder: Path) -> None:
    with collecting(folder, CONFIG) as collector, repricing(folder) as process:
        wait_for_pages(folder)
        collector.process.kill()
        assert process.wait(DEADLINE) != 0
    ((changed,),) = rows(folder, "SELECT changed FROM reprice")
    check(folder, changed, changed)
    assert 0 < changed < MANY
    assert state(folder) == ["interrupted"]
    with collecting(folder, CONFIG) as collector:
        eventually(lambda: rows(folder, "SELECT 1 FROM reprice WHERE state = 'done'"))
        check(folder)
        eventually(lambda: rows(folder, "SELECT 1 FROM task WHERE state = 'done'"))
        assert reprice(folder, "--undo", "1").out == "Reprice 1 is taken back: 4,000 as before.\n"
        assert collector.end().code == 0
    check(folder, 0, 2 * MANY)


def test_two_collectors_on_postgresql_lose_nothing_while_one_prices_anew(
    tmp_path: Path,
    database: psycopg.Connection[Any],  # noqa: F811
    postgres_url: str,
) -> None:
    config = CONFIG + f'[database]\nurl = "{postgres_url}"\n'
    with collecting(tmp_path / "a", config) as first, collecting(tmp_path / "b", config) as second:
        store = Store(postgres_url)
        unpriced(store, 1_500)
        with repricing(tmp_path / "a") as process:
            number = 0
            while process.poll() is None:
                for collector in (first, second):
                    ids = [f"{collector.pid}-{each}" for each in range(number, number + 10)]
                    assert post_all(collector, ids, 0.001) == ["stored"] * 10
                    assert post_all(second if collector is first else first, ids, 0.001) == ["duplicate"] * 10
                number += 10
            assert process.returncode == 0
        assert totals(store) == sums(store)
        store.close()
        assert first.end().code == second.end().code == 0
        assert "deadlock" not in first.err + second.err
    assert database.execute("SELECT changed, state FROM reprice").fetchall() == [(1_500, "done")]
    priced = database.execute("SELECT count(*) FROM request WHERE model = 'acme-7b' AND cost_nano = 3000000")
    assert priced.fetchone() == (1_500,)
    assert database.execute("SELECT count(*) FROM request").fetchone() == (1_500 + 2 * number,)
