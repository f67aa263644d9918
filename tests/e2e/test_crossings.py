"""Thousands of users cross their limit together: requests go on being recorded, and people get two messages."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.alerts.sinks import HttpSink
from tests.e2e.processes import CollectorProcess, collecting, rows, webhook
from tests.e2e.pushing import ITEM, KEYED, RECEIVER, receiving
from tests.waiting import eventually

EACH_USER = '[[limit]]\nname = "each user"\neach = "user"\nwindow = "day"\nusd = 0.5\n'
CHANNEL = '[[channel]]\nname = "web"\nurl = "{url}"\n'
_BATCH = 250


def push(collector: CollectorProcess, first: int, count: int) -> None:
    """A request of $1 of each of so many users."""
    for start in range(first, first + count, _BATCH):
        numbers = range(start, min(start + _BATCH, first + count))
        items = [
            {**ITEM, "user_id": f"user-{number:05}", "cost_usd": 1, "request_id": f"r-{number}"} for number in numbers
        ]
        answer = collector.client.post("/ingest", content=json.dumps(items), headers=KEYED)
        assert answer.status_code == 200, answer.text


def alerts(folder: Path) -> int:
    [(count,)] = rows(folder, "SELECT count(*) FROM alert")
    return int(count)


class Webhooks:
    """Signed webhooks one after the other, each with how long it waited and how many alerts there were then."""

    def __init__(self, collector: CollectorProcess) -> None:
        self._collector = collector
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.waits: list[float] = []
        self.alerts: list[int] = []

    def __enter__(self) -> Webhooks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(0.05):
            raw = webhook(f"between-{number}")
            began = time.monotonic()
            assert self._collector.post(raw).status_code == 200
            self.waits.append(time.monotonic() - began)
            self.alerts.append(alerts(self._collector.folder))
            number += 1


def cross(folder: Path, users: int) -> Webhooks:
    with HttpSink() as web:
        channel = CHANNEL.format(url=web.url("/ok"))
        with receiving(folder, RECEIVER + EACH_USER + channel) as collector:
            push(collector, 0, users)
            with Webhooks(collector) as webhooks:
                eventually(lambda: not rows(folder, "SELECT 1 FROM limit_mark LIMIT 1"))
            web.arrivals.wait_for(lambda arrived: len(arrived) == 1)
    return webhooks


def test_webhooks_are_recorded_between_the_turns_of_evaluating(tmp_path: Path) -> None:
    users = 3_000
    webhooks = cross(tmp_path, users)
    between = {count for count in webhooks.alerts if 0 < count < users}
    assert len(between) > 3
    assert rows(tmp_path, "SELECT count(*), sum(spoke) FROM alert") == [(users, users)]
    told = rows(tmp_path, "SELECT kind, count(*) FROM delivery JOIN delivery_alert ON delivery_id = id GROUP BY id")
    assert told == [("exceeded", 1), ("exceeded", users - 1)]


@pytest.mark.soak
def test_twenty_thousand_users_delay_no_webhook(tmp_path: Path) -> None:
    webhooks = cross(tmp_path, 20_000)
    sys.stdout.write(f"\nof {len(webhooks.waits)} webhooks the slowest waited {max(webhooks.waits):.3f} s\n")


def told(folder: Path, kind: str) -> int:
    [(count,)] = rows(
        folder, f"SELECT count(*) FROM delivery JOIN delivery_alert ON delivery_id = id WHERE kind = '{kind}'"
    )
    return int(count)


@pytest.mark.soak
def test_a_day_that_begins_with_twenty_thousand_over_their_limit_delays_no_webhook(tmp_path: Path) -> None:
    users = 20_000
    midnight = datetime.now(UTC) + timedelta(minutes=2)
    day = f'[time]\nzone = "UTC"\nday_starts = "{midnight:%H:%M}"\n'
    with HttpSink() as web:
        channel = CHANNEL.format(url=web.url("/ok"))
        with receiving(tmp_path, RECEIVER + EACH_USER + day + channel) as collector:
            push(collector, 0, users)
            eventually(lambda: alerts(tmp_path) == users and told(tmp_path, "exceeded") == users)
            with Webhooks(collector) as webhooks:
                while datetime.now(UTC) < midnight:  # a webhook is always on its way
                    threading.Event().wait(0.2)
                before = len(webhooks.waits)
                push(collector, users, users)
                eventually(lambda: alerts(tmp_path) >= 2 * users)
    sys.stdout.write(f"\n{before} webhooks before, slowest {max(webhooks.waits[:before]):.3f} s;")
    sys.stdout.write(f" {len(webhooks.waits) - before} after, slowest {max(webhooks.waits[before:]):.3f} s\n")


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 21))])
def test_a_collector_killed_while_many_cross_tells_each_once(tmp_path: Path, seed: int) -> None:
    users = 400
    with HttpSink() as web:
        channel = CHANNEL.format(url=web.url("/ok"))
        with receiving(tmp_path, RECEIVER + EACH_USER + channel) as collector:
            push(collector, 0, users)
            eventually(lambda: alerts(tmp_path) >= seed * 17)
            collector.end(signal.SIGKILL)
        with collecting(tmp_path, RECEIVER + EACH_USER + channel):
            eventually(lambda: alerts(tmp_path) == users)
            web.arrivals.wait_for(lambda arrived: len(arrived) >= 1)
    members = "SELECT count(*), count(DISTINCT alert_id) FROM delivery_alert"
    assert rows(tmp_path, members) == [(users, users)]
    assert rows(tmp_path, "SELECT count(*) FROM delivery") == [(2,)]
