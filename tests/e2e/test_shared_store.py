"""Two collectors on one PostgreSQL: both take webhooks, one of them evaluates and delivers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from spendtop.store.engine import SCHEMA
from tests.alerts.sinks import HttpSink
from tests.e2e.processes import LISTENER, CollectorProcess, collecting, webhook
from tests.helicone_captures import sign
from tests.waiting import DEADLINE, eventually


@pytest.fixture
def database(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        connection.execute(f"SET search_path = {SCHEMA}")
        yield connection


@pytest.fixture
def config(postgres_url: str, web: HttpSink) -> str:
    limit = '[[limit]]\nname = "all"\nwindow = "24h"\nusd = 1\nwarn = []\n'
    database = f'[database]\nurl = "{postgres_url}"\n'
    return LISTENER + limit + database + f'[[channel]]\nname = "web"\nurl = "{web.url("/ok")}"\n'


@pytest.fixture
def web() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


def post_all(collector: CollectorProcess, ids: list[str], cost: float) -> list[str]:
    with httpx.Client(base_url=collector.url, trust_env=False, timeout=DEADLINE) as client:
        raws = [webhook(each, cost) for each in ids]
        answers = [client.post("/webhook", content=raw, headers={"Helicone-Signature": sign(raw)}) for raw in raws]
    return [str(answer.json()["status"]) for answer in answers]


def owner(database: psycopg.Connection[Any]) -> str | None:
    row = database.execute("SELECT owner FROM lease").fetchone()
    return None if row is None else str(row[0])


@pytest.mark.replaces("flow/postgresql")
def test_events_that_both_get_count_once_and_speak_once(
    tmp_path: Path, config: str, database: psycopg.Connection[Any], web: HttpSink
) -> None:
    ids = [f"request-{number}" for number in range(150)]
    with collecting(tmp_path / "a", config) as first, collecting(tmp_path / "b", config) as second:
        eventually(lambda: owner(database))
        with ThreadPoolExecutor(2) as pool:
            both = [
                pool.submit(post_all, one, order, 0.01) for one, order in ((first, ids), (second, list(reversed(ids))))
            ]
            statuses = [status for each in both for status in each.result()]
        web.arrivals.wait_for(lambda arrived: len(arrived) == 1)
        assert sorted(statuses) == ["duplicate"] * len(ids) + ["stored"] * len(ids)
        assert first.end().code == second.end().code == 0
    totals = "SELECT SUM(requests), SUM(cost_nano), COUNT(DISTINCT shard) FROM total WHERE dimension = 'all'"
    requests, nano, shards = database.execute(totals).fetchall()[0]
    assert (int(requests), int(nano)) == (len(ids), len(ids) * 10_000_000)
    assert shards == 2
    assert database.execute("SELECT COUNT(*) FROM request").fetchone() == (len(ids),)
    assert database.execute("SELECT kind, state FROM delivery").fetchall() == [("exceeded", "sent")]
    assert len(web.arrivals.all) == 1


def test_what_the_other_one_recorded_is_told_and_taken_over_when_the_owner_ends(
    tmp_path: Path, config: str, database: psycopg.Connection[Any], web: HttpSink
) -> None:
    with collecting(tmp_path / "a", config) as first:
        eventually(lambda: f":{first.pid}:" in (owner(database) or ""))
        with collecting(tmp_path / "b", config) as second:
            post_all(second, ["dear"], 2.0)
            web.arrivals.wait_for(lambda arrived: len(arrived) == 1)
            assert first.end().code == 0
            eventually(lambda: f":{second.pid}:" in (owner(database) or ""))
            assert second.health()["status"] == "healthy"


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_an_owner_that_dies_or_stalls_is_replaced_when_its_lease_ends(
    tmp_path: Path, config: str, database: psycopg.Connection[Any], web: HttpSink, number: signal.Signals
) -> None:
    with collecting(tmp_path / "a", config) as first:
        eventually(lambda: f":{first.pid}:" in (owner(database) or ""))
        with collecting(tmp_path / "b", config) as second:
            first.process.send_signal(number)
            post_all(second, ["dear"], 2.0)
            web.arrivals.wait_for(lambda arrived: len(arrived) == 1)
            assert f":{second.pid}:" in (owner(database) or "")
