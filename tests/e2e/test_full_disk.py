"""A disk that is full: said at once, nothing confirmed that is not stored, what is stored is read, and it passes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendtop.domain.condition import Condition
from spendtop.domain.errors import ExitCode
from spendtop.services.stores.presence import running_collector
from tests.alerts.sinks import HttpSink
from tests.e2e.processes import LISTENER, CollectorProcess, collecting, refused, rows, spendtop, webhook
from tests.small_disk import SmallDisk, small_disk
from tests.waiting import eventually

LARGE = "n" * 100_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "small") as made:
        yield made


def config_on(disk: SmallDisk, more: str = "", reserve: str = "disk_reserve = 0\n") -> str:
    return f'{LISTENER}[database]\nurl = "sqlite:///{disk.folder}/spendtop.db"\n{reserve}{more}'


def until_full(collector: CollectorProcess) -> int:
    """Post until there is no room; how many were stored."""
    stored = 0
    while (answer := collector.post(webhook(f"request-{stored}", response_body=LARGE))).status_code == 200:
        stored += 1
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "store_full")
    return stored


def told(disk: SmallDisk) -> list[Condition]:
    """What the collector says beside the store that stops it."""
    held = running_collector(disk.folder / "spendtop.db.collector.json")
    assert held is not None
    return [each for each in held.conditions if each.name == "disk"]


def test_a_full_disk_is_said_at_once_told_once_and_passes(tmp_path: Path, disk: SmallDisk) -> None:
    folder = tmp_path / "home"
    with HttpSink() as web:
        channel = f'[[channel]]\nname = "ops"\nurl = "{web.url("/ok")}"\n'
        with collecting(folder, config_on(disk, channel)) as collector:
            assert collector.post(webhook("before")).status_code == 200
            disk.fill(leaving=300_000)
            stored = until_full(collector) + 1
            began = time.monotonic()
            answer = collector.post(webhook("while-full", response_body=LARGE))
            assert answer.status_code == 507
            assert time.monotonic() - began < 5, "it was waited for"
            assert answer.headers["retry-after"] == "60"
            assert collector.health()["status"] == "down"
            (condition,) = eventually(lambda: told(disk))
            assert "Make room" in condition.sentence
            web.arrivals.wait_for(lambda arrived: len(arrived) == 1)
            disk.free()
            eventually(lambda: collector.health()["status"] != "down")
            assert collector.post(webhook("while-full")).json()["status"] == "stored"
            eventually(lambda: not told(disk))
            assert "Traceback" not in collector.err
            code = spendtop(folder, "requests", "--json", "--config", folder / "spendtop.toml")
            assert code.code == 0, code.err
            assert collector.end().code == 0
    assert [body["title"] for _, body in web.arrivals.all] == ["spendtop is not recording: disk"]
    assert stored >= 1


def test_a_start_on_it_is_refused_in_a_sentence_and_what_is_stored_is_read(tmp_path: Path, disk: SmallDisk) -> None:
    folder = tmp_path / "home"
    config, store = config_on(disk), disk.folder / "spendtop.db"
    with collecting(folder, config) as collector:
        assert collector.post(webhook("before")).status_code == 200
        assert collector.end().code == 0
    for leaving in (0, 8192, 40_000):
        disk.fill(leaving)
        before = store.read_bytes()
        ended = refused(folder, config)
        assert ended.code == ExitCode.CANNOT_WRITE, ended
        assert "Make room" in ended.err and "Traceback" not in ended.err
        for command in ("spend", "requests", "status"):
            said = spendtop(folder, command, "--config", folder / "spendtop.toml")
            assert said.code == 0, (leaving, command, said)
        assert store.read_bytes() == before
    disk.free()
    with collecting(folder, config) as collector:
        assert collector.post(webhook("after")).status_code == 200


def test_before_it_is_full_prompts_and_responses_are_left_out(tmp_path: Path, disk: SmallDisk) -> None:
    """Until there is room again; requests, costs, and what was not understood are kept."""
    folder, reserve = tmp_path / "home", 'disk_reserve = "4MB"\n'
    with collecting(folder, config_on(disk, reserve=reserve)) as collector:

        def state_of(request_id: str) -> str:
            assert collector.post(webhook(request_id)).status_code == 200
            return str(rows(disk.folder, "SELECT body_state FROM request ORDER BY id DESC LIMIT 1")[0][0])

        assert state_of("before") == "stored"
        disk.fill(leaving=2_000_000)
        eventually(lambda: collector.health()["status"] == "degraded")
        assert state_of("scarce") == "not kept"
        assert collector.post(b"[]").status_code == 202
        assert rows(disk.folder, "SELECT raw IS NULL FROM quarantine") == [(0,)]
        disk.free()
        eventually(lambda: collector.health()["status"] == "healthy")
        assert state_of("after") == "stored"
        assert collector.err.count("are not kept") == 1
        said = spendtop(folder, "request", "scarce", "--config", folder / "spendtop.toml")
        assert "the disk was nearly full" in " ".join(said.out.split())
