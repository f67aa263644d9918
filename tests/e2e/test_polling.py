"""Collectors that poll: what webhooks lost comes back, whatever dies in between, and the balance stays right."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from tests.alerts.sinks import HttpSink
from tests.e2e.processes import LISTENER, collecting, rows, spendtop, webhook
from tests.sources.pollers.fake_helicone import FakeHelicone
from tests.sources.pollers.fake_openai import ADMIN_KEY, Cost, FakeOpenAI
from tests.waiting import DEADLINE, eventually


@pytest.fixture
def fake() -> Iterator[FakeHelicone]:
    with FakeHelicone().running() as running:
        yield running


def now() -> int:
    return time.time_ns() // 1000


def with_api(fake: FakeHelicone) -> str:
    api = f'[helicone]\napi_key = "{fake.key}"\nbase_url = "{fake.url}"\npoll_every = "1s"\n'
    return LISTENER.replace("[helicone]\n", api)


def counted(folder: Path) -> tuple[int, int]:
    """How many requests are stored, and how many the totals say."""
    (stored,) = rows(folder, "SELECT count(*) FROM request")
    (summed,) = rows(folder, "SELECT coalesce(sum(requests), 0) FROM total WHERE dimension = 'all'")
    return stored[0], summed[0]


def was_started(folder: Path, at: int) -> None:
    """As if the first collector had started then."""
    with closing(sqlite3.connect(folder / "spendtop.db", timeout=DEADLINE)) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'first start'", (str(at),))
        connection.commit()


def test_what_webhooks_lost_while_nobody_collected_is_found_and_told_in_a_line(
    tmp_path: Path, fake: FakeHelicone
) -> None:
    first = now() - HOUR
    ids = fake.add_many([first + number * SECOND for number in range(150)])
    with collecting(tmp_path) as collector:
        for external_id in ids[:100]:
            assert collector.post(webhook(external_id)).status_code == 200
        eventually(lambda: rows(tmp_path, "SELECT 1 FROM meta WHERE name = 'first start'"))
        collector.end()
    was_started(tmp_path, first - MINUTE)
    with collecting(tmp_path, with_api(fake)) as collector:
        eventually(lambda: any("missed when pushed" in line for line in collector.lines))
        eventually(lambda: rows(tmp_path, "SELECT count(*) FROM request WHERE verified") == [(150,)])
        assert counted(tmp_path) == (150, 150)
        collector.end()
    (line,) = [line for line in collector.lines if "missed when pushed" in line]
    assert line.startswith("helicone-api: 50 requests were missed when pushed and found now: $0.0101")
    assert rows(tmp_path, "SELECT source, requests FROM gap") == [("helicone", 50)]
    assert rows(tmp_path, "SELECT DISTINCT time_source, cost_nano FROM request") == [("api", 202_500)]


def test_killed_between_two_pages_nothing_is_lost_and_nothing_counts_twice(tmp_path: Path, fake: FakeHelicone) -> None:
    first = now() - 3 * HOUR
    fake.add_many([first + number * SECOND for number in range(5000)])
    for wanted in (1, 1500):
        with collecting(tmp_path, with_api(fake)) as collector:
            eventually(lambda least=wanted: counted(tmp_path)[0] >= least)  # type: ignore[misc]
            collector.end(signal.SIGKILL)
        stored, summed = counted(tmp_path)
        assert stored == summed
    with collecting(tmp_path, with_api(fake)) as collector:
        eventually(lambda: counted(tmp_path) == (5000, 5000))
        eventually(lambda: rows(tmp_path, "SELECT 1 FROM checkpoint WHERE complete_until > 0"))
        collector.end()
    assert rows(tmp_path, "SELECT sum(cost_nano) FROM total WHERE dimension = 'all'") == [(5000 * 202_500,)]


def test_a_balance_that_runs_low_is_told_once_and_kept_from_the_shell(tmp_path: Path) -> None:
    today = now() // DAY
    with FakeOpenAI([Cost(day=today, amount="4.20")]) as bills, HttpSink() as sink:
        config = (
            f"{LISTENER}[openai]\nadmin_key = '{ADMIN_KEY}'\nbase_url = '{bills.url}'\npoll_every = '1s'\n"
            f"[[channel]]\nname = 'ops'\nurl = '{sink.url('/ok')}'\n"
        )
        with collecting(tmp_path, config) as collector:
            file = tmp_path / "spendtop.toml"
            eventually(lambda: rows(tmp_path, "SELECT 1 FROM day_cost WHERE cost_nano > 0"))
            synced = spendtop(tmp_path, "ledger", "sync", "openai", "12.00", "--config", file)
            assert (synced.code, synced.err) == (0, "")
            assert synced.out.startswith("openai is at $12.00 now.")
            bills.costs = [Cost(day=today, amount="6.204")]
            eventually(lambda: "ALERT low balance: openai $9.99 of $10.00" in collector.lines)
            sink.arrivals.wait_for(lambda arrived: len(arrived) == 1)
            assert spendtop(tmp_path, "ledger", "list", "--config", file).out.split("\n")[1].split()[:4] == [
                "openai",
                "openai",
                "$9.99",
                "ok",
            ]
            answer = collector.client.get("/ledger/openai").json()
            assert (answer["balance_nanousd"], answer["state"]) == (9_996_000_000, "ok")
            collector.end()
    assert [line for line in collector.lines if "low balance" in line] == ["ALERT low balance: openai $9.99 of $10.00"]
