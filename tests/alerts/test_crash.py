"""Messages survive a sender that is killed in the middle of sending them."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.alerts.sinks import Arrival, HttpSink
from tests.alerts.stores import deliveries, opened, queue

CHANNELS = ("a", "b", "c", "d")
ROOT = Path(__file__).parents[2]


def refs(arrived: list[Arrival]) -> Counter[str]:
    return Counter(re.findall(r"\[ref (\w+)·", str(arrived)))


def reached(goal: int, arrived: list[Arrival]) -> bool:
    return len(refs(arrived)) >= goal


@contextmanager
def sending(store: Path, port: int) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.alerts.outbox_process", str(store), str(port), *CHANNELS], cwd=ROOT
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def kill_in_the_middle(folder: Path, web: HttpSink, messages: int, between_kills: int, kills: int) -> None:
    path = folder / "store.db"
    with opened(path) as (store, _):
        for alert in range(messages // len(CHANNELS)):
            queue(store, *CHANNELS, alert_id=alert)
        wanted = {row.ref[:8] for row in deliveries(store)}
    for _ in range(kills):
        goal = min(len(refs(web.arrivals.all)) + random.randint(1, between_kills), messages)
        with sending(path, web.port):
            web.arrivals.wait_for(partial(reached, goal))
    with sending(path, web.port):
        web.arrivals.wait_for(lambda arrived: set(refs(arrived)) == wanted, 600)
    sent_twice = sum(refs(web.arrivals.all).values()) - messages
    assert len(wanted) == messages
    assert 0 <= sent_twice <= kills * len(CHANNELS)


def test_no_message_is_lost_when_the_sender_is_killed(tmp_path: Path, web: HttpSink) -> None:
    kill_in_the_middle(tmp_path, web, messages=20, between_kills=6, kills=2)


@pytest.mark.soak
def test_none_of_300_messages_is_lost_in_40_kills(tmp_path: Path, web: HttpSink) -> None:
    kill_in_the_middle(tmp_path, web, messages=300, between_kills=8, kills=40)
