"""Webhooks at a steady pace, and full load beside it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import count, islice
from pathlib import Path

import msgspec

from tests.benchmarks.load import Load
from tests.benchmarks.processes import environment
from tests.benchmarks.webhooks import Webhook, signed, webhooks

_SEEDS = count(1_000_000)


def named(user: str) -> Webhook:
    """A new webhook of this user."""
    (webhook,) = islice(webhooks(next(_SEEDS), int(time.time())), 1)
    event = msgspec.json.decode(webhook.body)
    event["user_id"] = user
    return signed(msgspec.json.encode(event))


class Poster:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)

    def post(self, webhook: Webhook) -> float:
        """Post, and wait for the answer; when it came, as `time.perf_counter`."""
        headers = {"Content-Type": "application/json", "Helicone-Signature": webhook.signature}
        self._connection.request("POST", "/webhook", webhook.body, headers)
        answer = self._connection.getresponse()
        answered_at = time.perf_counter()
        answer.read()
        assert answer.status == 200, answer.status
        return answered_at


@contextmanager
def stream(port: int, per_second: float) -> Iterator[None]:
    """Webhooks at this pace until the end of the block."""
    stop = threading.Event()

    def post() -> None:
        poster = Poster(port)
        due = time.monotonic()
        for webhook in webhooks(next(_SEEDS), int(time.time())):
            due += 1 / per_second
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            poster.post(webhook)

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def full_load(folder: Path, port: int, seconds: float) -> Iterator[None]:
    """64 connections that post as fast as they are answered, for so many seconds or until the end of the block."""
    order = Load(port=port, connections=64, seconds=seconds, prepared=int(8_000 * seconds), seed=next(_SEEDS))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.load", msgspec.json.encode(order).decode()],
        env=environment(folder),
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(2.0)  # while it makes its webhooks
        yield
    finally:
        process.terminate()
        process.wait()
