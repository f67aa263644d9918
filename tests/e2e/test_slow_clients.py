"""Clients that say nothing, half of something, or a byte now and then: they are ended, and the others are answered."""

from __future__ import annotations

import asyncio
import resource
import time
from pathlib import Path

import httpx
import pytest

from spendtop.api.listener.connections import Allowance
from spendtop.services.stores.descriptors import descriptors
from tests.e2e.processes import CollectorProcess, webhook
from tests.e2e.pushing import API_KEY, ITEM, KEYED, from_address, head, receiving, stored
from tests.helicone_captures import sign
from tests.waiting import DEADLINE

EACH = 20
"""Clients of each kind; all of them together are fewer than the connections that the listener takes."""
STREAMS = 300
"""Clients that would follow, or begin a request, at once."""
FEW = 256
"""Descriptors."""
CLAIM = "Helicone-Signature: " + "0" * 64
_DRIP_SECONDS = 0.5


def beginnings(path: str) -> tuple[bytes, ...]:
    """What a slow client sends at first, and 408 is answered where the head was complete."""
    whole = head(path, "Content-Length: 1000", "Content-Type: application/json")
    chunked = head(path, "Transfer-Encoding: chunked", "Content-Type: application/json")
    return b"", whole[:-4], whole + b"{", chunked + b"1\r\n{\r\n"


async def test_many_event_streams_lock_nobody_out(tmp_path: Path) -> None:
    most = descriptors().followers
    asked = f"GET /events HTTP/1.1\r\nHost: here\r\nX-API-Key: {API_KEY}\r\n\r\n".encode()
    with receiving(tmp_path) as collector:
        url = httpx.URL(collector.url)
        followers = [await asyncio.open_connection(url.host, url.port) for _ in range(STREAMS)]
        for _, writer in followers:
            writer.write(asked)
        async with asyncio.timeout(DEADLINE):
            statuses = [(await reader.readline()).split()[1] for reader, _ in followers]
        answers = [collector.post(webhook(f"among-streams-{number}")).status_code for number in range(20)]
        assert collector.health()["status"] == "healthy"
        for _, writer in followers:
            writer.close()
    assert (statuses.count(b"200"), statuses.count(b"503")) == (most, STREAMS - most)
    assert answers == [200] * 20


@pytest.mark.parametrize("beginning", [head("/webhook")[:-4], head("/webhook", CLAIM, "Content-Length: 1000")])
async def test_with_few_descriptors_half_requests_lock_nobody_out(tmp_path: Path, beginning: bytes) -> None:
    with receiving(tmp_path, preexec_fn=few_descriptors) as collector:
        url = httpx.URL(collector.url)
        async with asyncio.timeout(DEADLINE):
            writers = []
            for _ in range(STREAMS):
                _, writer = await asyncio.open_connection(url.host, url.port)
                writer.write(beginning)
                writers.append(writer)
        with from_address(collector, "127.0.0.9") as client:
            answers = [client.get("/ping").status_code, client.get("/health").status_code]
            answers += [post(client, f"among-half-requests-{number}").status_code for number in range(20)]
        assert answers == [200] * 22
        assert "connections were ended" in collector.err
        for writer in writers:
            writer.close()


def few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))


def post(client: httpx.Client, request_id: str) -> httpx.Response:
    raw = webhook(request_id)
    return client.post("/webhook", content=raw, headers={"Helicone-Signature": sign(raw)})


async def test_stalled_large_bodies_of_strangers_starve_no_signed_one(tmp_path: Path) -> None:
    large = webhook("large", request_body={"messages": [{"role": "user", "content": "x" * 400_000}]})
    begun = head("/webhook", "Content-Length: 33000000") + b"x" * 300_000
    claimed = head("/webhook", CLAIM, "Content-Length: 33000000") + b"x" * 300_000
    with receiving(tmp_path) as collector:
        url = httpx.URL(collector.url)
        stalled = [await asyncio.open_connection(url.host, url.port, limit=2**22) for _ in range(60)]
        for number, (_, writer) in enumerate(stalled):
            writer.write(claimed if number % 3 == 0 else begun)
        answer = await asyncio.to_thread(collector.post, large)
        assert (answer.status_code, answer.json()["status"]) == (200, "stored")
        for _, writer in stalled:
            writer.transport.abort()


async def answered(url: httpx.URL, sent: bytes, drips: bool) -> bytes:
    """How the answer begins that a slow client gets until the listener closes."""
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(sent)
    async with asyncio.TaskGroup() as tasks:
        end = tasks.create_task(_rest(reader))
        while drips and not end.done():
            writer.write(b"0")
            await asyncio.wait([end], timeout=_DRIP_SECONDS)
    writer.close()
    return end.result()[:13]


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What still comes; nothing from a connection that was reset under what we sent meanwhile."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def healthy(collector: CollectorProcess, slow: list[asyncio.Task[bytes]]) -> list[float]:
    """The seconds that each push took of a client that pushes again and again until the slow ones are closed."""
    took: list[float] = []
    async with httpx.AsyncClient(base_url=collector.url, trust_env=False, timeout=DEADLINE) as client:
        while not all(task.done() for task in slow):
            started = time.monotonic()
            answer = await client.post("/ingest", json=ITEM, headers=KEYED)
            assert answer.status_code == 200
            took.append(time.monotonic() - started)
            await asyncio.wait(slow, timeout=_DRIP_SECONDS)
    return took


async def test_slow_clients_are_closed_in_time_while_healthy_pushes_pass(tmp_path: Path) -> None:
    with receiving(tmp_path) as collector:
        url = httpx.URL(collector.url)
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as tasks:
            slow = [
                tasks.create_task(answered(url, sent, drips))
                for path in ("/ingest", "/v1/traces")
                for sent in beginnings(path)
                for drips in (False, sent != b"")
                for _ in range(EACH // 2)
            ]
            took = await healthy(collector, slow)
        answers = [task.result() for task in slow]
        assert set(answers) == {b"", b"HTTP/1.1 408 "}
        assert answers.count(b"HTTP/1.1 408 ") >= 2 * 2 * EACH // 2
        assert len(took) >= 2
        assert max(took) < Allowance().to_send
        assert stored(collector) == len(took)
