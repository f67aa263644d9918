"""A collector that reads a home of coding agents for the first time: how soon there are calls, and whether webhooks
have to wait for that."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

from tests.benchmarks.agent_files import fill
from tests.benchmarks.measuring import Figure, in_turn, say
from tests.benchmarks.posting import Poster
from tests.benchmarks.processes import collector
from tests.benchmarks.webhooks import webhooks
from tests.benchmarks.workshop import Workshop

_FEWEST, _MOST = 100, 600
"""Webhooks that are posted."""
_PER_SECOND = 100.0
_PATIENCE = 120.0


def first_scans(workshop: Workshop) -> list[Figure]:
    """The slowest of a hundred webhooks beside a first scan of 200 MB and without one; and the first calls."""
    home = workshop.own("scanned")
    fill(home)
    rounds = iter(range(1_000_000))

    def quiet() -> tuple[float, float]:
        with collector(workshop.own(f"quiet-{next(rounds)}"), _store(workshop)) as running:
            return _slowest(running.port, lambda: True), 0.0

    def scanning() -> tuple[float, float]:
        store = _store(workshop)
        more = f'[agents]\nhomes = ["{home}"]\n'
        with collector(workshop.own(f"scanning-{next(rounds)}"), store, more=more) as running:
            ready = time.perf_counter()
            first = _until(lambda: _count(store, "SELECT count(*) FROM request WHERE billing IS NOT NULL"), ready)
            return _slowest(running.port, lambda: bool(_count(store, "SELECT max(waiting) FROM agent_root"))), first

    results = in_turn({"quiet": quiet, "scanning": scanning}, workshop.rounds)
    beside, alone = (min(slowest for slowest, _ in results[name]) for name in ("scanning", "quiet"))
    say(f"  99 of 100 webhooks: {alone * 1000:.1f} ms, {beside * 1000:.1f} ms beside a first scan")
    return [
        Figure("webhooks beside a first scan, p99", beside / alone, 2, True),
        Figure("first calls of agents after ready", min(first for _, first in results["scanning"]), 2, True, "s"),
    ]


def _store(workshop: Workshop) -> Path:
    return workshop.own(f"store-{time.time_ns()}") / "scan.db"


def _slowest(port: int, goes_on: Callable[[], bool]) -> float:
    """Seconds that 99 of 100 webhooks took at most, at a steady pace, as long as it goes on."""
    poster, took = Poster(port), []
    due = time.perf_counter()
    for webhook in islice(webhooks(time.time_ns() % 1_000_000, int(time.time())), _MOST):
        due += 1 / _PER_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        took.append(poster.post(webhook) - began)
        if len(took) % 10 == 0 and not goes_on():
            break
    assert len(took) >= _FEWEST, f"the scan was over after {len(took)} webhooks"
    return sorted(took)[-max(len(took) // 100, 1)]


def _until(is_there: Callable[[], int], since: float) -> float:
    """Seconds after which it was."""
    while not is_there():
        if time.perf_counter() - since > _PATIENCE:
            raise RuntimeError("no call was recorded")
        time.sleep(0.02)
    return time.perf_counter() - since


def _count(store: Path, sql: str) -> int:
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return int(connection.execute(sql).fetchone()[0] or 0)
    return 0
