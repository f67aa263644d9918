"""The webhook's answers, and those of /ping and /health."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import msgspec
import pytest

from spendtop.api.context import Health
from spendtop.api.listener.body_places import MOST_LARGE
from spendtop.api.listener.connections import Allowance
from spendtop.api.listener.http_request import LARGE
from spendtop.domain.errors import CannotWrite, StoreFull
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import NotUnderstood, Request
from spendtop.domain.requests.request import TestEvent as GatewayTest
from spendtop.domain.sources.records import HELICONE
from spendtop.domain.sources.refusals import RefusalReason
from spendtop.sources.receivers.helicone import HeliconeReceiver
from spendtop.store.engine import Store
from tests.api.listening import FakeRecorder, listening, settings_of
from tests.conftest import SettableClock
from tests.helicone_captures import captures, secret, sign
from tests.waiting import DEADLINE, put_forward

SIMPLE = b'{"request_id":"r-1","request_body":{},"response_body":{}}'


def _problem(response: httpx.Response) -> dict[str, Any]:
    content = response.json()
    assert list(content) == ["error"]
    problem: dict[str, Any] = content["error"]
    return problem


@pytest.mark.replaces("monitor/webhooks")
async def test_every_capture_is_recorded(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        for capture in captures().values():
            response = await live.client.post(
                "/webhook", content=capture.raw, headers={"Helicone-Signature": capture.signature.decode()}
            )
            expected = "test" if capture.scenario == "dashboard_test_event" else "stored"
            assert (response.status_code, response.json()["status"]) == (200, expected)
    kinds = [type(event) for event in recorder.events]
    assert kinds.count(GatewayTest) == 1
    assert kinds.count(Request) == 11


@pytest.mark.replaces("monitor/repetitions")
async def test_ids_are_texts_and_a_repetition_is_told(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(store, clock, recorder) as live:
        first = await live.post_signed(SIMPLE)
        second = await live.post_signed(SIMPLE)
        assert first.json() == {"status": "stored", "id": "1"}
        assert second.json() == {"status": "duplicate", "id": "2"}
        assert live.context.counters.snapshot()["ingest_duplicate"] == 1


@pytest.mark.parametrize(
    "signature",
    [
        [],
        [b""],
        [b"0" * 64],
        [sign(SIMPLE)[:-1].encode()],
        [b"g" * 64],
        ["é".encode() * 32],
        [sign(SIMPLE).encode(), sign(SIMPLE).encode()],
        [b"sha256=" + sign(SIMPLE).encode()],
    ],
)
@pytest.mark.replaces("monitor/webhooks")
async def test_signature_failures_look_alike_and_store_nothing(
    store: Store, clock: SettableClock, recorder: FakeRecorder, signature: list[bytes]
) -> None:
    async with listening(store, clock, recorder) as live:
        headers = [(b"Helicone-Signature", value) for value in signature]
        response = await live.client.post("/webhook", content=SIMPLE, headers=headers)
        altered = await live.client.post(
            "/webhook", content=SIMPLE + b" ", headers={"Helicone-Signature": sign(SIMPLE)}
        )
        assert response.status_code == altered.status_code == 401
        assert response.content == altered.content
        assert live.context.counters.snapshot()["ingest_bad_auth"] == 2
    assert recorder.events == []


@pytest.mark.parametrize(
    ("helicone", "headers", "reason"),
    [
        ({}, {"Helicone-Signature": "0" * 64}, RefusalReason.BAD_SIGNATURE),
        ({}, {"Helicone-Signature": ""}, RefusalReason.NO_SIGNATURE),
        ({}, {}, RefusalReason.NO_SIGNATURE),
        ({"webhook_secrets": [""]}, {}, RefusalReason.NO_SECRET),
    ],
)
async def test_why_webhooks_are_refused_is_known_until_a_good_one_comes(
    store: Store,
    clock: SettableClock,
    recorder: FakeRecorder,
    helicone: dict[str, Any],
    headers: dict[str, str],
    reason: RefusalReason,
) -> None:
    async with listening(store, clock, recorder, settings_of(helicone=helicone)) as live:
        for _ in range(2):
            await live.client.post("/webhook", content=SIMPLE, headers=headers)
        assert [(each.reason, each.count) for each in live.context.refusals.standing()] == [(reason, 2)]
        assert live.context.counters.take_refused() == {(HELICONE, reason): 2}
        live.settings.append(settings_of())
        await live.post_signed(SIMPLE)
        assert live.context.refusals.standing() == ()


async def test_every_capture_with_one_byte_changed_is_refused(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(store, clock, recorder) as live:
        for capture in captures().values():
            raw = bytearray(capture.raw)
            raw[len(raw) // 2] ^= 1
            response = await live.client.post(
                "/webhook", content=bytes(raw), headers={"Helicone-Signature": capture.signature.decode()}
            )
            assert response.status_code == 401
    assert recorder.events == []


async def test_without_a_secret_the_route_is_closed(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    closed = settings_of(helicone={"webhook_secrets": [""]})
    async with listening(store, clock, recorder, closed) as live:
        response = await live.client.post("/webhook", content=SIMPLE)
        assert response.status_code == 403
        assert "webhook_secrets" in _problem(response)["message"]
        live.settings.append(settings_of())
        assert (await live.post_signed(SIMPLE)).status_code == 200


async def test_unsigned_is_taken_only_when_allowed_and_a_wrong_signature_never(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(store, clock, recorder, settings_of(helicone={"allow_unsigned": True})) as live:
        assert (await live.client.post("/webhook", content=SIMPLE)).status_code == 200
        wrong = await live.client.post("/webhook", content=SIMPLE, headers={"Helicone-Signature": "0" * 64})
        assert wrong.status_code == 401


async def test_any_of_several_secrets_opens(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    rotating = settings_of(helicone={"webhook_secrets": ["the-next-one", secret().decode()]})
    async with listening(store, clock, recorder, rotating) as live:
        assert (await live.post_signed(SIMPLE)).status_code == 200


NOT_JSON = [b"", b"not json", b"{} {}", b'{"request_id":', b"\xff"]


async def test_what_is_no_json_is_refused(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        for raw in NOT_JSON:
            response = await live.post_signed(raw)
            assert (response.status_code, _problem(response)["code"]) == (400, "not_json")
        assert (await live.post_signed(SIMPLE)).status_code == 200
    assert len(recorder.events) == 1


@pytest.mark.parametrize(
    "detail",
    [rb'"\ud83d"', b"1e999", b"-1e999", b"NaN", b"-Infinity", b'"\xff"', b'"\xed\xa0\xbd"', b'"a\nb"', b"9" * 5_000],
)
@pytest.mark.parametrize("place", ["other", "request_body", "response_body"])
async def test_a_signed_event_is_not_lost_for_a_detail(
    store: Store, clock: SettableClock, recorder: FakeRecorder, detail: bytes, place: str
) -> None:
    raw = b'{"request_id":"r","%b":{"detail":%b},"metadata":{"cost":0.5}}' % (place.encode(), detail)
    async with listening(store, clock, recorder) as live:
        response = await live.post_signed(raw)
        assert (response.status_code, response.json()["status"]) == (200, "stored")
    (event,) = recorder.events
    assert isinstance(event, Request) and event.cost.reported == Usd.of("0.5")
    for body in (event.request_body, event.response_body):
        if body is not None:
            msgspec.json.decode(body)


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b'{"no":"id"}',
        b'{"request_id":"r","metadata":"text"}',
        b'{"request_id":""}',
        b"\xef\xbb\xbf{}",
        b'{"request_id": NaN}',
        b'{"request_id":"r","metadata":{"cost":1e999}}',
        b'{"request_id":"r","metadata":{"promptTokens":1e999}}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"request_id":"r","request_body":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
async def test_signed_json_that_is_not_understood_is_kept(
    store: Store, clock: SettableClock, recorder: FakeRecorder, raw: bytes
) -> None:
    async with listening(store, clock, recorder) as live:
        response = await live.post_signed(raw)
        assert (response.status_code, response.json()) == (202, {"status": "quarantined", "id": "1"})
    assert isinstance(recorder.events[0], NotUnderstood)


async def test_large_bodies_are_recorded_too(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    raw = b'{"request_id":"large","request_body":{"messages":"%b"}}' % (b"x" * 4 * LARGE)
    async with listening(store, clock, recorder) as live:
        assert (await live.post_signed(raw)).json()["status"] == "stored"


async def test_bodies_above_the_limit_are_refused_by_their_announced_length(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(store, clock, recorder) as live:
        answer = await live.exchange(_begun(_CLAIM, HeliconeReceiver.largest + 1, 1), ends=False)
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_bodies_above_the_limit_are_refused_while_they_come(
    store: Store, clock: SettableClock, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HeliconeReceiver, "largest", 100_000)
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    head = b"POST /webhook HTTP/1.1\r\nHost: x\r\n" + _CLAIM + b"Transfer-Encoding: chunked\r\n\r\n"
    async with listening(store, clock, recorder) as live:
        answer = await live.exchange(head + chunk * 4, ends=False)
        assert answer.startswith(b"HTTP/1.1 413 ")
    assert recorder.events == []


async def test_coded_bodies_are_refused(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        assert (await live.post_signed(SIMPLE, **{"Content-Encoding": "gzip"})).status_code == 415
        assert (await live.post_signed(SIMPLE, **{"Content-Encoding": "identity"})).status_code == 200


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (CannotWrite("The store cannot be written: database is locked."), 503),
        (StoreFull("The store cannot be used: database or disk is full."), 507),
    ],
)
async def test_a_store_that_stays_away_is_told_with_retry_after(
    store: Store, clock: SettableClock, recorder: FakeRecorder, failure: Exception, status: int
) -> None:
    recorder.failure = failure
    async with listening(store, clock, recorder) as live:
        response = await live.post_signed(SIMPLE)
        assert response.status_code == status
        assert int(response.headers["retry-after"]) > 0
        recorder.refusal = failure
        assert (await live.post_signed(SIMPLE)).status_code == status


async def test_an_unforeseen_failure_says_nothing_about_itself(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    recorder.failure = RuntimeError("secret detail")
    async with listening(store, clock, recorder) as live:
        first = await live.post_signed(SIMPLE)
        recorder.refusal = RuntimeError("secret detail")
        second = await live.post_signed(SIMPLE)
        for response in (first, second):
            assert response.status_code == 500
            assert b"secret" not in response.content


async def test_nothing_is_answered_before_the_commit_and_then_all_of_the_group(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    recorder.holds = True
    async with listening(store, clock, recorder) as live, asyncio.TaskGroup() as tasks:
        bodies = [json.dumps({"request_id": f"r-{number}"}).encode() for number in range(20)]
        posts = [tasks.create_task(live.post_signed(raw)) for raw in bodies]
        await recorder.holding(len(posts))
        assert not any(post.done() for post in posts)
        recorder.commit_group()
        answers = await asyncio.gather(*posts)
        assert sorted(int(answer.json()["id"]) for answer in answers) == list(range(1, 21))


async def test_other_methods_are_named(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        for method, path, allowed in (("GET", "/webhook", "POST"), ("HEAD", "/ping", "GET"), ("PUT", "/health", "GET")):
            response = await live.client.request(method, path)
            assert (response.status_code, response.headers["allow"]) == (405, allowed)


@pytest.mark.replaces("monitor/health")
async def test_ping_and_health(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    health = Health("degraded", {"queue": 3})
    async with listening(store, clock, recorder, settings_of({"api_key": "a-long-api-key"}), health=health) as live:
        pong = await live.client.get("/ping", headers={"Host": "tunnel.example"})
        assert (pong.status_code, pong.text) == (200, "pong")
        public = await live.client.get("/health")
        assert public.status_code == 200
        assert public.json().keys() == {"status", "timestamp", "version"}
        assert public.json()["timestamp"] == "2026-11-20T14:03:07.250000Z"
        private = await live.client.get("/health", headers={"X-API-Key": "a-long-api-key"})
        assert private.json()["detail"]["queue"] == 3


async def test_health_is_503_when_down(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder, health=Health("down")) as live:
        response = await live.client.get("/health")
        assert (response.status_code, response.json()["status"]) == (503, "down")


async def test_every_answer_is_not_cached_and_names_no_server(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(store, clock, recorder) as live:
        for path in ("/ping", "/webhook", "/nothing"):
            response = await live.client.get(path)
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert "server" not in response.headers
            assert "date" not in response.headers


def _begun(signature: bytes, size: int, sent: int) -> bytes:
    """A post of which so many bytes are sent at first."""
    head = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % size
    return head + signature + b"\r\n" + b"x" * sent


_CLAIM = b"Helicone-Signature: %b\r\n" % (b"0" * 64)


async def test_who_shows_no_signature_is_refused_before_the_body(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(store, clock, recorder) as live:
        for claim in (b"", b"Helicone-Signature: none\r\n", 2 * _CLAIM):
            answer = await live.exchange(_begun(claim, 10**6, 0), ends=False)
            assert answer.startswith(b"HTTP/1.1 401 ")


async def test_large_bodies_take_turns_and_who_stalls_gives_up_a_turn_that_is_wanted(
    store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    """Nobody is known before the last byte, so that only a few strangers can make us hold much."""
    size = 4 * LARGE
    async with listening(store, clock, recorder) as live, asyncio.TaskGroup() as tasks:
        stalled = []
        for _ in range(MOST_LARGE):
            reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
            writer.write(_begun(_CLAIM, size, LARGE + 70_000))
            await writer.drain()
            stalled.append((reader, writer))
        assert (await live.post_signed(b'{"request_id":"small"}')).status_code == 200
        put_forward(5)
        await asyncio.wait([tasks.create_task(reader.read(1)) for reader, _ in stalled], timeout=0.6)
        assert not any(reader.at_eof() for reader, _ in stalled)  # nobody else wanted the place
        late = tasks.create_task(live.post_signed(b'{"request_id":"late","request_body":"%s"}' % (b"x" * size)))
        assert (await late).status_code == 200
        for _, writer in stalled:
            writer.close()


async def test_waiting_for_a_turn_is_not_the_senders_time(
    store: Store, clock: SettableClock, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendtop.api.listener.http_request._CONTESTED_SECONDS", 10 * DEADLINE)
    size = 4 * LARGE
    async with listening(store, clock, recorder) as live, asyncio.TaskGroup() as tasks:
        senders = []
        for _ in range(MOST_LARGE):
            _, writer = await asyncio.open_connection("127.0.0.1", live.port)
            writer.write(_begun(_CLAIM, size, LARGE + 70_000))
            await writer.drain()
            senders.append(writer)
        assert (await live.client.get("/ping")).status_code == 200
        late = tasks.create_task(live.post_signed(b'{"request_id":"late","request_body":"%s"}' % (b"x" * size)))
        await asyncio.wait([late], timeout=0.5)
        put_forward(2 * Allowance().to_send)  # too much for the others, who have a place and send nothing
        assert (await late).status_code == 200
        for writer in senders:
            writer.close()
