from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from spendtop.collector.process.status_snapshot import StatusSnapshot
from tests.collector.conftest import Bench
from tests.waiting import soon

URL = "http://127.0.0.1:8000"
LIMITS = (
    '[[limit]]\nname = "daily"\nwindow = "day"\nusd = 10\n'
    '[[limit]]\nname = "each user"\neach = "user"\nwindow = "day"\nusd = 1\n'
)

TOO_LITTLE_PAST = {"enough_data": False, "reaches_at": None, "low": None, "high": None, "words": None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "status.json"


def snapshot_of(bench: Bench, path: Path) -> StatusSnapshot:
    return StatusSnapshot(path, bench.store, lambda: bench.recorder.book, bench.clock, URL)


async def written(bench: Bench, path: Path) -> dict[str, Any]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(snapshot_of(bench, path).run(stop))
        await soon(path.exists)
        stop.set()
    return content_of(path)


def content_of(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_it_says_what_was_spent_and_how_limits_stand(bench: Bench, path: Path) -> None:
    bench.configure(LIMITS)
    bench.start()
    bench.record(bench.request(1.5), bench.request(None, model="unheard-of"), bench.request(0.1, user_id="bob"))
    assert await written(bench, path) == {
        "at": bench.clock(),
        "url": URL,
        "bills": None,
        "today": {"nano": 1_600_000_000, "unpriced": 1, "failed": 0, "requests": 3},
        "undelivered": 0,
        "hour": {"nano": 1_600_000_000, "unpriced": 1, "failed": 0, "requests": 3},
        "api_equivalent": {"requests": 0, "tokens": 0, "nano": 0},
        "limits": [
            {
                "name": "each user",
                "entity": "ann",
                "entity_name": "ann",
                "window": "day",
                "measure": "spend",
                "state": "exceeded",
                "used_nano": 1_500_000_000,
                "limit_nano": 1_000_000_000,
                "unpriced": 1,
                "raised_until": None,
                "forecast": TOO_LITTLE_PAST,
            },
            {
                "name": "daily",
                "entity": "",
                "entity_name": "",
                "window": "day",
                "measure": "spend",
                "state": "ok",
                "used_nano": 1_600_000_000,
                "limit_nano": 10_000_000_000,
                "unpriced": 1,
                "raised_until": None,
                "forecast": TOO_LITTLE_PAST,
            },
        ],
    }


async def test_only_its_user_can_read_it(bench: Bench, path: Path) -> None:
    bench.start()
    await written(bench, path)
    assert mode_of(path) == 0o600
    assert [entry.name for entry in path.parent.glob("*status*")] == [path.name]


async def test_it_is_renewed_after_a_commit_and_at_the_end(bench: Bench, path: Path) -> None:
    bench.start()
    snapshot, stop = snapshot_of(bench, path), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(snapshot.run(stop))
        await soon(path.exists)
        bench.record(bench.request(1.0))
        snapshot.changed()
        await soon(lambda: content_of(path)["today"]["requests"] == 1)
        bench.record(bench.request(1.0))
        snapshot.changed()
        stop.set()
    assert content_of(path)["today"]["requests"] == 2


async def test_a_folder_that_is_gone_is_told_and_collecting_goes_on(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench.start()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(snapshot_of(bench, tmp_path / "gone" / "status.json").run(stop))
        await soon(lambda: "status file cannot be written" in caplog.text)
        stop.set()
