"""A store that another program holds: pushes are refused in time, and what was confirmed is there."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from spendtop.api.pushes import PATIENCE
from tests.e2e.processes import CollectorProcess
from tests.e2e.pushing import ADMIN, ITEM, KEYED, pushes, receiving
from tests.waiting import DEADLINE

BUSY = (503, "store_unavailable")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another program writes, and does not end."""
    with closing(sqlite3.connect(folder / "spendtop.db", timeout=DEADLINE, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def push(collector: CollectorProcess, request_id: str) -> httpx.Response:
    return collector.client.post("/ingest", json={**ITEM, "request_id": request_id}, headers=KEYED)


def stored_ids(collector: CollectorProcess) -> list[str]:
    return [found for (found,) in collector.rows("SELECT external_ids ->> 'ingest' FROM request ORDER BY id")]


def test_pushes_to_a_locked_store_are_refused_in_time_and_nothing_confirmed_is_lost(tmp_path: Path) -> None:
    others = {path: each for path, each in pushes().items() if path != "/ingest"}
    with receiving(tmp_path) as collector, ThreadPoolExecutor(12) as pool:
        confirmed = [name for name in map(str, range(20)) if push(collector, name).status_code == 200]
        with locked(tmp_path):
            started = time.monotonic()
            waiting = [pool.submit(push, collector, f"refused-{number}") for number in range(6)]
            waiting += [
                pool.submit(collector.client.post, path, content=raw, headers={**KEYED, "Content-Type": content_type})
                for path, (raw, content_type) in others.items()
            ]
            assert collector.client.get("/requests", headers=ADMIN).json()["totals"]["requests"] == len(confirmed)
            answers = [answer.result() for answer in waiting]
            took = time.monotonic() - started
        assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [BUSY] * len(answers)
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        assert took > PATIENCE - 1
        assert collector.health()["status"] in ("healthy", "degraded", "down")
        confirmed += [name for name in ("again", "refused-0") if push(collector, name).json()["status"] == "stored"]
        assert len(confirmed) == 22
        assert stored_ids(collector) == confirmed
