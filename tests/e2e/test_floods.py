"""Slow, oversized and ambiguous clients, and those who come too often: they end, and the others are answered."""

from __future__ import annotations

import selectors
import socket
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import CollectorProcess, collecting, environment, webhook
from tests.e2e.pushing import (
    ADMIN,
    INGEST_KEY,
    ITEM,
    KEYED,
    OTHER_INGEST_KEY,
    RECEIVER,
    TOKEN,
    connected,
    exchanged,
    from_address,
    head,
    pushes,
    receiving,
    resident,
    stored,
)

MIB = 1024 * 1024
WAYS_IN = ("/ingest", "/v1/traces")
LARGEST = {"/ingest": 8 * MIB, "/log": 8 * MIB, "/litellm": 32 * MIB, "/v1/traces": 32 * MIB}
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """A collector that many may push to often."""
    with receiving(tmp_path_factory.mktemp("floods")) as found:
        yield found


def timed(client: httpx.Client, request_id: str) -> tuple[int, float]:
    """The status of a healthy push, and the seconds that it took."""
    started = time.monotonic()
    answer = client.post("/ingest", json={**ITEM, "request_id": request_id}, headers=KEYED)
    return answer.status_code, time.monotonic() - started


class TestSlowClients:
    """Connections that say nothing, or half of something, or a byte now and then."""

    EACH = 25
    SLOWEST = 14.0

    def halves(self, path: str) -> Iterator[bytes]:
        """What a slow client sends before it falls silent."""
        yield b""
        yield head(path)[:-30]
        yield head(path, "Content-Length: 1000", "Content-Type: application/json") + b"{"
        yield head(path, "Transfer-Encoding: chunked", "Content-Type: application/json") + b"1\r\n{\r\n"

    def test_they_are_closed_in_time_while_healthy_pushes_pass(self, collector: CollectorProcess) -> None:
        with selectors.DefaultSelector() as waiting:
            started = time.monotonic()
            for _ in range(self.EACH):
                for path in WAYS_IN:
                    for sent in self.halves(path):
                        connection = connected(collector)
                        connection.sendall(sent)
                        waiting.register(connection, selectors.EVENT_READ, [b"", path.encode() in sent])
            answers, slowest, number = self._drained(collector, waiting, started)
        assert set(answers) <= {b"", b"HTTP/1.1 408 "}
        assert answers.count(b"HTTP/1.1 408 ") == 2 * 2 * self.EACH
        assert number >= 5
        assert slowest < 1

    def _drained(
        self, collector: CollectorProcess, waiting: selectors.BaseSelector, started: float
    ) -> tuple[list[bytes], float, int]:
        """How each answer began, once all are closed; the slowest healthy push meanwhile; how many there were."""
        answers: list[bytes] = []
        slowest, number = 0.0, 0
        while waiting.get_map():
            assert time.monotonic() - started < self.SLOWEST, f"{len(waiting.get_map())} are still open"
            status, took = timed(collector.client, f"healthy-{number}")
            assert status == 200
            slowest, number = max(slowest, took), number + 1
            for key, _ in waiting.select(timeout=0.5):
                assert isinstance(key.fileobj, socket.socket)
                received = _received(key.fileobj)
                if received:
                    key.data[0] += received
                else:
                    answers.append(key.data[0][:13])
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()
            for key in list(waiting.get_map().values()):
                if key.data[1] and not key.data[0]:
                    assert isinstance(key.fileobj, socket.socket)
                    _drip(key.fileobj)
        return answers, slowest, number


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(4096)
    except ConnectionError:
        return b""


def _drip(connection: socket.socket) -> None:
    try:
        connection.send(b" ")
    except ConnectionError:
        return
