"""The socket, and the end of the server."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from spendtop.api.listener.connections import Allowance
from spendtop.api.listener.server import bind
from spendtop.domain.errors import PortBusy, UsageError
from spendtop.store.engine import Store
from tests.api.listening import FakeRecorder, listening
from tests.conftest import SettableClock
from tests.waiting import DEADLINE

LONG_AFTER_STOP = 10 * int(DEADLINE)


def test_a_busy_port_is_named() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortBusy, match=str(port)):
            bind("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"192\.0\.2\.1"):
        bind("192.0.2.1", 0)

    def nothing_found(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nothing_found)
    with pytest.raises(UsageError, match="nowhere"):
        bind("nowhere", 0)


def test_localhost_is_the_address_that_people_type() -> None:
    with bind("localhost", 0) as listening_socket:
        assert listening_socket.getsockname()[0] == "127.0.0.1"


async def test_what_is_being_answered_at_the_end_still_is(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    recorder.holds = True
    patient = Allowance(after_stop=LONG_AFTER_STOP)
    async with listening(store, clock, recorder, allowance=patient) as live, asyncio.TaskGroup() as tasks:
        post = tasks.create_task(live.post_signed(b'{"request_id":"last"}'))
        await recorder.holding(1)
        live.stop.set()
        with pytest.raises(httpx.ConnectError):
            async with asyncio.timeout(DEADLINE):
                while True:
                    await httpx_once(live.port)
        recorder.commit_group()
        assert (await post).status_code == 200


async def test_half_sent_requests_do_not_hold_up_the_end(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    patient = Allowance(after_stop=LONG_AFTER_STOP)
    async with asyncio.timeout(DEADLINE), listening(store, clock, recorder, allowance=patient) as live:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        writer.write(b"GET /ping HTTP/1.1\r\nHo")
        await live.client.get("/ping")
        live.stop.set()
        assert await reader.read() == b""
        writer.close()


async def httpx_once(port: int) -> None:
    """One request on a connection of its own."""
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=DEADLINE) as client:
        await client.get(f"http://127.0.0.1:{port}/ping")
