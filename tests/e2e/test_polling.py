"""Collectors that poll: what webhooks lost comes back, whatever dies in between, and the balance stays right."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND, to_datetime
from spendtop.services.stores.presence import running_collector
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
            eventually(lambda: any("billed today $4.20" in line for line in collector.lines))
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


def test_a_balance_without_bills_falls_by_what_is_seen_and_is_called_an_estimate(tmp_path: Path) -> None:
    account = "[[account]]\nname = 'wallet'\nprovider = 'openai'\nlow_balance = 10\n"
    with HttpSink() as sink:
        config = f"{LISTENER}{account}[[channel]]\nname = 'ops'\nurl = '{sink.url('/ok')}'\n"
        with collecting(tmp_path, config) as collector:
            file = tmp_path / "spendtop.toml"
            deposited = spendtop(tmp_path, "ledger", "deposit", "wallet", "3", "--config", file)
            assert "(uncalibrated)" in deposited.out
            assert spendtop(tmp_path, "ledger", "sync", "wallet", "10.5", "--config", file).code == 0
            assert collector.post(webhook("7f3c1c9e-5b1d-4a6e-9d0b-2f6f0c1d2e01", 0.75)).status_code == 200
            eventually(lambda: "ALERT low balance: wallet est. $9.75 of $10.00" in collector.lines)
            sink.arrivals.wait_for(lambda arrived: len(arrived) == 1)
            listed = spendtop(tmp_path, "ledger", "list", "--config", file).out.splitlines()
            assert listed[1].split()[:4] == ["wallet", "openai", "$9.75", "estimate"]
            assert "no bills are read, so what was seen here is taken off (1 request)" in listed[-1]
            answer = collector.client.get("/ledger/wallet").json()
            assert (answer["balance_nanousd"], answer["basis"], answer["estimated"]) == (9_750_000_000, "seen", True)
            collector.end()
    assert [line for line in collector.lines if "low balance" in line] == [
        "ALERT low balance: wallet est. $9.75 of $10.00"
    ]


def test_empty_answers_wipe_no_ledger_are_said_and_alert_nobody(tmp_path: Path) -> None:
    today = now() // DAY
    month = [Cost(day=today - ago, amount="4.946500") for ago in range(5, 25)]
    with FakeOpenAI(month) as bills:
        config = (
            f"{LISTENER}[openai]\nadmin_key = '{ADMIN_KEY}'\nbase_url = '{bills.url}'\npoll_every = '1s'\n"
            f"epoch = {to_datetime((today - 30) * DAY):%Y-%m-%d}\n"
        )
        with collecting(tmp_path, config) as collector:
            eventually(lambda: rows(tmp_path, "SELECT sum(cost_nano) FROM day_cost") == [(98_930_000_000,)])
            synced = spendtop(tmp_path, "ledger", "sync", "openai", "8.52", "--config", tmp_path / "spendtop.toml")
            assert synced.code == 0
            eventually(lambda: "ALERT low balance: openai $8.52 of $10.00" in collector.lines)
            bills.costs = []
            eventually(lambda: rows(tmp_path, "SELECT count(*) FROM day_cost WHERE doubted") == [(20,)])
            for _ in range(3):
                polled = polled_at(tmp_path)
                eventually(lambda before=polled: polled_at(tmp_path) > before)  # type: ignore[misc]
            assert collector.client.get("/ledger/openai").json()["balance_nanousd"] == 8_520_000_000
            eventually(lambda: "bills" in amiss(tmp_path))
            assert amiss(tmp_path)["bills"].startswith("openai: Since ")
            bills.costs = month
            eventually(lambda: "bills" not in amiss(tmp_path))
            assert collector.client.get("/ledger/openai").json()["balance_nanousd"] == 8_520_000_000
            collector.end()
    assert [line for line in collector.lines if "low balance" in line] == ["ALERT low balance: openai $8.52 of $10.00"]


def polled_at(folder: Path) -> int:
    """When the costs were read last."""
    ((at,),) = rows(folder, "SELECT succeeded_at FROM checkpoint WHERE poller = 'openai-costs'")
    return int(at)


def amiss(folder: Path) -> dict[str, str]:
    """What the collector says is amiss with it, by name."""
    held = running_collector(folder / "spendtop.db.collector.json")
    assert held is not None
    return {each.name: each.sentence for each in held.conditions}
