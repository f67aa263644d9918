"""What one connection may take."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from spendtop.api.listener.connections import Allowance
from spendtop.api.listener.protocol import MOST_DISCARDED
from spendtop.store.engine import Store
from tests.api.listening import FakeRecorder, listening
from tests.conftest import SettableClock
from tests.helicone_captures import sign
from tests.waiting import DEADLINE, put_forward, soon

GOOD = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
ALLOWED = Allowance()


_CLAIM = b"Helicone-Signature: " + b"0" * 64


def _post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /webhook HTTP/1.1", b"Host: x", _CLAIM, *lines, b"", body])


AMBIGUOUS = [
    _post(b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"),
    _post(b"Content-Length: 2", b"Content-Length: 3", body=b"{} "),
    _post(b"Content-Length: -1"),
    _post(b"Content-Length: 2e1"),
    _post(b"Transfer-Encoding: chunked", body=b"fffffffffffffffff\r\n{}"),
    b"GET /ping HTTP/1.1\r\nHost: x\r\nX-A: b\r\n folded\r\n\r\n",
    b"GET /ping HTTP/1.1\nHost: x\n\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    b"GET /ping HTTP/9.9\r\nHost: x\r\n\r\n",
    b"nonsense\r\n\r\n",
]


async def test_ambiguous_requests_end_the_connection(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(store, clock, recorder) as live:
        for sent in AMBIGUOUS:
            answer = await live.exchange(sent)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert answer.count(b"HTTP/1.1") == 1
            assert b'"code":"bad_request"' in answer
    assert recorder.events == []


@pytest.mark.parametrize("lines", [b"", b"Host: a\r\nHost: a\r\n"])
async def test_there_has_to_be_one_host(
    store: Store, clock: SettableClock, recorder: FakeRecorder, lines: bytes
) -> None:
    async with listening(store, clock, recorder) as live:
        answer = await live.exchange(b"GET /ping HTTP/1.1\r\n" + lines + b"\r\n", ends=False)
        assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /ping HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n", b"431"),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 200_000, b"431"),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 100 + b"\r\n", b"431"),
        (b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
    ],
)
async def test_heads_have_limits(
    store: Store, clock: SettableClock, recorder: FakeRecorder, sent: bytes, status: bytes
) -> None:
    async with listening(store, clock, recorder) as live:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        most = len(sent) * 9 // 10
        writer.write(sent[:most])
        await writer.drain()
        writer.write(sent[most:])
        async with asyncio.timeout(DEADLINE):
            assert (await reader.readline()).startswith(b"HTTP/1.1 " + status)
        writer.close()
        assert (await live.client.get("/ping")).status_code == 200


async def test_a_hundred_headers_are_fine(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        sent = b"GET /ping HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 99 + b"\r\n"
        assert (await live.exchange(sent, ends=False)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", None),
        (b"\r\n", None),
        (b"GET /ping HT", None),
        (b"GET /ping HTTP/1.1\r\nHost: x\r\n", None),
        (_post(b"Content-Length: 10", body=b"{"), b"408"),
        (_post(b"Transfer-Encoding: chunked", body=b"1\r\n{\r\n"), b"408"),
    ],
)
async def test_half_sent_requests_are_ended(
    store: Store, clock: SettableClock, recorder: FakeRecorder, sent: bytes, status: bytes | None
) -> None:
    async with listening(store, clock, recorder) as live:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        writer.write(sent)
        await live.client.get("/ping")
        put_forward(ALLOWED.to_send + 1)
        async with asyncio.timeout(DEADLINE):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 " + status) if status else answer == b""
        writer.close()
    assert recorder.events == []


async def test_a_request_that_drips_is_ended(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        writer.write(b"GET /ping HTTP/1.1\r\nHost: x\r\nX-A: ")
        for _ in range(4):
            put_forward(ALLOWED.to_send / 3)
            writer.write(b"a")
            await live.client.get("/ping")
        async with asyncio.timeout(DEADLINE):
            assert await _rest(reader) == b""
        await _close(writer)


async def test_idle_connections_are_ended(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        writer.write(GOOD)
        assert (await reader.readuntil(b"pong")).startswith(b"HTTP/1.1 200 ")
        put_forward(ALLOWED.idle + 1)
        async with asyncio.timeout(DEADLINE):
            assert await reader.read() == b""
        writer.close()


async def test_waiting_for_the_commit_is_no_slowness(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    recorder.holds = True
    raw = b'{"request_id":"slow"}'
    async with listening(store, clock, recorder) as live, asyncio.TaskGroup() as tasks:
        post = tasks.create_task(live.post_signed(raw))
        await recorder.holding(1)
        put_forward(4 * ALLOWED.to_send)
        assert (await live.client.get("/ping")).status_code == 200
        assert not post.done()
        recorder.commit_group()
        assert (await post).status_code == 200


async def test_one_healthy_webhook_passes_among_hundreds_of_stuck_connections(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    stuck = (b"", b"POST /webhook HT", _post(b"Content-Length: 10", body=b"{"))
    raw = b'{"request_id":"healthy"}'
    async with listening(
        store, clock, recorder, allowance=Allowance(to_send=10 * DEADLINE, connections=40, reserved=10)
    ) as live:
        writers = []
        for number in range(120):
            _, writer = await asyncio.open_connection("127.0.0.1", live.port)
            writer.write(stuck[number % 3])
            writers.append(writer)
        async with asyncio.timeout(DEADLINE):
            assert (await live.post_signed(raw)).status_code == 200
        for writer in writers:
            await _close(writer)


async def test_who_finds_all_being_answered_waits_outside_and_is_answered_then(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    recorder.holds = True
    few = Allowance(connections=3, reserved=1)
    async with listening(store, clock, recorder, allowance=few) as live, asyncio.TaskGroup() as tasks:
        posts = [tasks.create_task(live.post_signed(b'{"request_id":"r-%d"}' % number)) for number in range(3)]
        await recorder.holding(3)
        outside = tasks.create_task(live.exchange(GOOD, ends=False))
        webhook = tasks.create_task(live.post_signed(b'{"request_id":"r-3"}'))
        await asyncio.wait([outside, webhook], timeout=0.3)
        assert not outside.done() and not webhook.done()
        recorder.holds = False
        recorder.commit_group()
        assert [(await post).status_code for post in (*posts, webhook)] == [200] * 4
        assert (await outside).startswith(b"HTTP/1.1 200 ")


async def test_reserved_connections_are_for_webhooks_and_signs_of_life(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    recorder.holds = True
    few = Allowance(connections=6, reserved=3)
    async with listening(store, clock, recorder, allowance=few) as live, asyncio.TaskGroup() as tasks:
        posts = [tasks.create_task(live.post_signed(b'{"request_id":"r-%d"}' % number)) for number in range(3)]
        await recorder.holding(3)
        refused = await live.exchange(GOOD.replace(b"/ping", b"/limits"))
        assert refused.startswith(b"HTTP/1.1 503 ") and b'"code":"crowded"' in refused
        assert (await live.client.get("/ping")).status_code == 200
        assert (await live.client.get("/health?x=1")).status_code == 200
        posts.append(tasks.create_task(live.post_signed(b'{"request_id":"r-3"}')))
        await soon(lambda: len(recorder.held) == 4)
        recorder.commit_group()
        assert [(await post).status_code for post in posts] == [200] * 4


async def test_the_connections_of_one_foreign_address_that_wait_are_few(
    store: Store, clock: SettableClock, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendtop.api.listener.connections.is_loopback", lambda address: False)
    recorder.holds = True
    few = Allowance(per_address=3)
    async with listening(store, clock, recorder, allowance=few) as live, asyncio.TaskGroup() as tasks:
        posts = [tasks.create_task(live.post_signed(b'{"request_id":"r-%d"}' % number)) for number in range(8)]
        await recorder.holding(8)
        waiting = [await asyncio.open_connection("127.0.0.1", live.port) for _ in range(3)]
        await live.client.get("/ping")
        put_forward(few.grace + 1)
        waiting += [await asyncio.open_connection("127.0.0.1", live.port) for _ in range(2)]
        async with asyncio.timeout(DEADLINE):
            assert await _rest(waiting[0][0]) == b""
        for reader, writer in waiting[-2:]:
            writer.write(GOOD)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        recorder.commit_group()
        assert [(await post).status_code for post in posts] == [200] * 8
        for _, writer in waiting:
            await _close(writer)


async def test_a_connection_between_two_requests_is_not_ended_for_others_at_once(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    few = Allowance(connections=4, reserved=1)
    async with listening(store, clock, recorder, allowance=few) as live:
        kept_reader, kept = await asyncio.open_connection("127.0.0.1", live.port)
        kept.write(GOOD)
        assert (await kept_reader.readuntil(b"pong")).startswith(b"HTTP/1.1 200")
        others = [await asyncio.open_connection("127.0.0.1", live.port) for _ in range(4)]
        kept.write(GOOD)
        assert (await kept_reader.readuntil(b"pong")).startswith(b"HTTP/1.1 200")
        for _, writer in (*others, (kept_reader, kept)):
            await _close(writer)


async def test_a_body_that_stops_after_its_answer_gets_no_second_one(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(store, clock, recorder, allowance=Allowance(idle=10 * int(DEADLINE))) as live:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        writer.write(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        put_forward(ALLOWED.to_send + 1)
        async with asyncio.timeout(DEADLINE):
            assert b"HTTP/1.1" not in await reader.read()
        await _close(writer)


async def test_a_refused_body_is_not_read_for_long(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    head = _post(b"Content-Length: 1000000000")
    async with listening(store, clock, recorder) as live:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        writer.write(head)
        async with asyncio.timeout(DEADLINE):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
            sent = 0
            with pytest.raises(ConnectionError):
                while sent < 100 * MOST_DISCARDED:
                    writer.write(b"x" * 65536)
                    await writer.drain()
                    sent += 65536
        assert sent < 20 * MOST_DISCARDED
        writer.close()


async def test_requests_of_one_connection_are_answered_in_order(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    raw = b'{"request_id":"r"}'
    signed = _post(b"Content-Length: %d" % len(raw), body=raw).replace(b"0" * 64, sign(raw).encode())
    async with listening(store, clock, recorder, allowance=Allowance(idle=1)) as live:
        answer = await live.exchange(GOOD + signed + GOOD)
        assert answer.count(b"HTTP/1.1 200 ") == 3
        assert answer.index(b"pong") < answer.index(b"stored") < answer.rindex(b"pong")


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What still comes; nothing from a connection that was reset under what we sent meanwhile."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
