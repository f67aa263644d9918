"""What was answered 200 is in the store, once, whenever the collector is killed."""

from __future__ import annotations

import random
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.alerts.sinks import HttpSink
from tests.e2e.processes import LISTENER, CollectorProcess, collecting, rows, webhook
from tests.helicone_captures import sign
from tests.waiting import DEADLINE, eventually

_SENDERS = 8
_COST = 0.001
_NANO = 1_000_000


@dataclass
class Senders:
    """Clients that post each id once, and note which were answered 200."""

    ids: list[str]
    acknowledged: list[str] = field(default_factory=list)
    _next: int = 0
    _turn: threading.Condition = field(default_factory=threading.Condition)

    def post_until_it_dies(self, url: str) -> None:
        """What one client does while the listener lives."""
        with httpx.Client(base_url=url, trust_env=False, timeout=DEADLINE) as client, suppress(httpx.HTTPError):
            while (request_id := self._take()) is not None:
                raw = webhook(request_id, _COST)
                answer = client.post("/webhook", content=raw, headers={"Helicone-Signature": sign(raw)})
                assert answer.status_code == 200, answer.text
                with self._turn:
                    self.acknowledged.append(request_id)
                    self._turn.notify_all()

    def wait_for(self, count: int) -> None:
        with self._turn:
            assert self._turn.wait_for(lambda: len(self.acknowledged) >= count, DEADLINE)

    def _take(self) -> str | None:
        with self._turn:
            if self._next == len(self.ids):
                return None
            self._next += 1
            return self.ids[self._next - 1]


def send_and_kill(collector: CollectorProcess, senders: Senders, after: int) -> None:
    with ThreadPoolExecutor(_SENDERS) as pool:
        posting = [pool.submit(senders.post_until_it_dies, collector.url) for _ in range(_SENDERS)]
        senders.wait_for(len(senders.acknowledged) + after)
        collector.process.kill()
        for each in posting:
            each.result()


def kill_while_webhooks_arrive(folder: Path, webhooks: int, kills: int) -> None:
    senders = Senders([f"request-{number}" for number in range(webhooks)])
    share = webhooks // (kills + 1)
    with HttpSink() as web:
        limit = f'[[limit]]\nname = "all"\nwindow = "24h"\nusd = {share * _COST / 4:.4f}\n'
        config = LISTENER + limit + f'[[channel]]\nname = "web"\nurl = "{web.url("/ok")}"\n'
        for _ in range(kills):
            with collecting(folder, config) as collector:
                send_and_kill(collector, senders, random.randint(share // 2, share - _SENDERS))
            let_go_of_messages(folder)
        with collecting(folder, config) as collector:
            check_totals(folder)
            senders.post_until_it_dies(collector.url)
            eventually(lambda: collector.rows("SELECT 1 FROM delivery WHERE kind = 'exceeded' AND state = 'sent'"))
            assert collector.end().code == 0
        told = [body["title"].lower() for _, body in web.arrivals.all]
    stored = [external_id for (external_id,) in rows(folder, "SELECT external_ids ->> 'helicone' FROM request")]
    assert len(stored) == len(set(stored))
    assert set(senders.acknowledged) <= set(stored) <= set(senders.ids)
    assert len(senders.acknowledged) >= webhooks - kills * _SENDERS
    assert any("exceeded" in title for title in told)
    assert len(told) <= 2 + kills
    check_totals(folder)


def let_go_of_messages(folder: Path) -> None:
    """As if a minute had passed: what was being sent when its sender died may be sent again."""
    with closing(sqlite3.connect(folder / "spendtop.db")) as connection, connection:
        connection.execute("UPDATE delivery SET lease_until = 1 WHERE lease_until IS NOT NULL")


def check_totals(folder: Path) -> None:
    assert rows(folder, "PRAGMA integrity_check") == [("ok",)]
    ((count, nano),) = rows(folder, "SELECT COUNT(*), SUM(cost_nano) FROM request")
    assert nano == count * _NANO
    for dimension in ("all", "user", "model", "minute"):
        sums = f"SELECT SUM(requests), SUM(cost_nano) FROM total WHERE dimension = '{dimension}'"
        assert rows(folder, sums) == [(count, nano)], dimension


def test_what_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    kill_while_webhooks_arrive(tmp_path, webhooks=400, kills=2)


@pytest.mark.soak
@pytest.mark.parametrize("run", range(5))
def test_what_was_acknowledged_survives_kills_again_and_again(tmp_path: Path, run: int) -> None:
    kill_while_webhooks_arrive(tmp_path, webhooks=2000, kills=4)
