"""A store that is deleted, replaced or cut off under a running collector: nothing more is confirmed, and it says so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from spendtop.domain.condition import Condition
from spendtop.domain.errors import ExitCode
from spendtop.services.stores.presence import running_collector
from tests.alerts.sinks import HttpSink
from tests.e2e.processes import LISTENER, CollectorProcess, collecting, refused, spendtop, webhook
from tests.waiting import eventually


def deleted(store: Path) -> None:
    for each in store.parent.glob("spendtop.db*"):
        if not each.name.endswith(".json"):
            each.unlink()


def replaced_by_an_empty_file(store: Path) -> None:
    store.with_name("empty").touch()
    store.with_name("empty").replace(store)


def replaced_by_a_backup(store: Path) -> None:
    shutil.copy(store, store.with_name("backup"))
    store.with_name("backup").replace(store)


def emptied(store: Path) -> None:
    os.truncate(store, 0)


def without_its_log(store: Path) -> None:
    os.truncate(store.with_name("spendtop.db-wal"), 0)


ATTACKS = (deleted, replaced_by_an_empty_file, replaced_by_a_backup, emptied, without_its_log)


def is_down(collector: CollectorProcess) -> bool:
    return str(collector.health()["status"]) == "down"


def told(folder: Path) -> Condition | None:
    """What the collector says beside the store about the store."""
    held = running_collector(folder / "spendtop.db.collector.json")
    assert held is not None
    return next((each for each in held.conditions if each.name == "store"), None)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_it_stops_confirming_at_once_and_says_what_happened(tmp_path: Path, attack: Callable[[Path], None]) -> None:
    store = tmp_path / "spendtop.db"
    with collecting(tmp_path) as collector:
        assert collector.post(webhook("before")).status_code == 200
        attack(store)
        before = store.stat() if store.exists() else None
        answer = collector.post(webhook("after"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
        eventually(lambda: is_down(collector))
        assert collector.client.get("/health").status_code == 503
        assert collector.client.get("/ping").text == "pong"
        condition = eventually(lambda: told(tmp_path))
        assert str(store) in condition.sentence
        assert "spendtop stop" in condition.sentence
        assert collector.err.count("Traceback") == 0
        assert collector.err.count("ERROR spendtop.collector.conditions: store:") == 1
        after = store.stat() if store.exists() else None
        assert (before and (before.st_ino, before.st_size)) == (after and (after.st_ino, after.st_size))
        assert spendtop(tmp_path, "stop", "--config", tmp_path / "spendtop.toml").code == 0


def test_one_message_goes_to_every_channel(tmp_path: Path) -> None:
    with HttpSink() as web:
        channels = "".join(f'[[channel]]\nname = "{each}"\nurl = "{web.url(f"/ok-{each}")}"\n' for each in "ab")
        with collecting(tmp_path, LISTENER + channels) as collector:
            assert collector.post(webhook("before")).status_code == 200
            deleted(tmp_path / "spendtop.db")
            web.arrivals.wait_for(lambda arrived: len(arrived) == 2)
            assert collector.post(webhook("after")).status_code == 503
    assert {path for path, _ in web.arrivals.all} == {"/ok-a", "/ok-b"}
    assert {body["title"] for _, body in web.arrivals.all} == {"spendtop is not recording: store"}
    assert all("was deleted" in body["message"] for _, body in web.arrivals.all)


def test_a_database_that_is_dropped_is_no_place_to_record_in(tmp_path: Path, postgres_url: str) -> None:
    config = f'{LISTENER}[database]\nurl = "{postgres_url}"\n'
    with psycopg.connect(postgres_url, autocommit=True) as database, collecting(tmp_path, config) as collector:
        assert collector.post(webhook("before")).status_code == 200
        database.execute("ALTER SCHEMA spendtop RENAME TO aside")
        assert collector.post(webhook("after")).status_code == 503
        eventually(lambda: is_down(collector))
        assert database.execute("SELECT to_regnamespace('spendtop')").fetchone() == (None,)
        database.execute("ALTER SCHEMA aside RENAME TO spendtop")
        eventually(lambda: not is_down(collector))
        assert collector.post(webhook("after")).json()["status"] == "stored"
        assert "Traceback" not in collector.err
        assert collector.end().code == 0
        database.execute("ALTER SCHEMA spendtop RENAME TO aside")
        ended = refused(tmp_path, config)
        assert ended.code == ExitCode.STORE_CORRUPT
        assert "is not the one that was there before" in ended.err
        database.execute("DROP SCHEMA aside CASCADE")


def test_it_goes_on_with_the_same_file(tmp_path: Path) -> None:
    store, aside = tmp_path / "spendtop.db", tmp_path / "aside.db"
    with collecting(tmp_path) as collector:
        assert collector.post(webhook("before")).status_code == 200
        store.rename(aside)
        assert collector.post(webhook("missed")).status_code == 503
        eventually(lambda: is_down(collector))
        aside.rename(store)
        eventually(lambda: not is_down(collector))
        assert collector.post(webhook("after")).status_code == 200
        assert collector.rows("SELECT count(*) FROM request") == [(2,)]
