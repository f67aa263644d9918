"""A store that another program holds: pushes are refused in time, and what was confirmed is there."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from spendtop.api.pushes import PATIENCE
from tests.e2e.processes import CollectorProcess, webhook
from tests.e2e.pushing import ADMIN, ITEM, KEYED, RECEIVER, pushes, receiving, stored
from tests.helicone_captures import sign
from tests.waiting import DEADLINE, eventually, soon_answered

MANY = 400
"""Webhooks, more than a collector had connections for once."""
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


async def signed(client: httpx.AsyncClient, request_id: str) -> int:
    """The status for one webhook."""
    raw = webhook(request_id)
    return (await client.post("/webhook", content=raw, headers={"Helicone-Signature": sign(raw)})).status_code


async def degraded(client: httpx.AsyncClient) -> dict[str, Any] | None:
    """What /health says once it is not healthy."""
    said: dict[str, Any] = (await client.get("/health", headers=ADMIN)).json()
    return None if said["status"] == "healthy" else said


async def test_webhooks_wait_for_a_locked_store_while_health_says_why(tmp_path: Path) -> None:
    never_limited = RECEIVER.replace("[server]", '[server]\nrate_limit = { exempt = ["/ping", "/health"] }')
    with receiving(tmp_path, never_limited) as collector, ExitStack() as lock:
        lock.enter_context(locked(tmp_path))
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(base_url=collector.url, trust_env=False, timeout=DEADLINE, limits=limits) as client,
            asyncio.TaskGroup() as tasks,
        ):
            posts = [tasks.create_task(signed(client, f"waiting-{number}")) for number in range(MANY)]
            health = await soon_answered(partial(degraded, client))
            alive = {(await client.get(path)).status_code for path in ("/ping", "/health")}
            assert not any(post.done() for post in posts)
            lock.close()
            assert {await post for post in posts} == {200}
        assert alive == {200}
        (condition,) = (each for each in health["detail"]["conditions"] if each["name"] == "writer")
        assert (health["status"], condition["status"]) == ("degraded", "degraded")
        assert "another program holds it" in condition["sentence"]
        assert stored(collector) == MANY
        assert eventually(lambda: collector.health()["status"] == "healthy")
