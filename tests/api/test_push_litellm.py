"""`POST /litellm`: who may, what is answered, and what is recorded."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from spendtop.api.context import Done
from spendtop.api.counters import Count
from spendtop.api.listener.http_request import LARGE
from spendtop.domain.clock import Clock
from spendtop.domain.errors import CannotWrite
from spendtop.domain.requests.request import Event, Request
from spendtop.domain.sources.records import LITELLM
from spendtop.services import tokens
from spendtop.store.engine import Store
from tests.api.listening import FakeRecorder, Live, listening, settings_of

FIXTURES = Path(__file__).parents[1] / "fixtures"
SDK = (FIXTURES / "litellm_sdk_batch.json").read_bytes()
KEY = "a-key-of-thirty-two-characters-00"
NOW = 1_795_197_060_000_000


@pytest.fixture
async def live(readable_store: Store, recorder: FakeRecorder) -> AsyncIterator[Live]:
    clock: Clock = lambda: NOW  # noqa: E731
    async with listening(readable_store, clock, recorder, settings_of({"ingest_keys": {"apps": KEY}})) as served:
        yield served


async def post(live: Live, raw: bytes, **headers: str) -> httpx.Response:
    return await live.client.post("/litellm", content=raw, headers={"Authorization": f"Bearer {KEY}", **headers})


def batch(*items: Any) -> bytes:
    return json.dumps(items).encode()


def recorded(recorder: FakeRecorder) -> list[Request]:
    return [event for event in recorder.events if isinstance(event, Request)]


async def test_a_batch_is_recorded_and_every_item_answered(live: Live, recorder: FakeRecorder) -> None:
    answer = await post(live, SDK)
    said = answer.json()
    assert (answer.status_code, said["accepted"], said["rejected"]) == (200, 3, 0)
    assert [result["id"] for result in said["results"]] == ["1", "2", "3"]
    assert [request.source for request in recorded(recorder)] == [LITELLM] * 3


async def test_lines_and_a_single_object_are_taken(live: Live, recorder: FakeRecorder) -> None:
    array = json.loads(SDK)
    lines = await post(live, b"\n".join(json.dumps(each).encode() for each in array))
    single = await post(live, json.dumps({**array[0], "litellm_call_id": "another"}).encode())
    assert (lines.json()["accepted"], single.json()["accepted"]) == (3, 1)


async def test_null_elements_are_skipped(live: Live, recorder: FakeRecorder) -> None:
    answer = await post(live, b"[null]")
    assert (answer.status_code, answer.json()) == (200, {"accepted": 0, "rejected": 0, "results": []})
    answer = await post(live, batch(None, {"id": "a"}, None))
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


async def test_the_good_items_of_a_batch_are_recorded(live: Live, recorder: FakeRecorder) -> None:
    answer = await post(live, batch({"id": "a"}, {"id": 5}, {"id": "b"}))
    assert answer.status_code == 207
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (2, 1)
    assert answer.json()["results"][1]["error"]["fields"].keys() == {"id"}
    assert [request.external_id for request in recorded(recorder)] == ["a", "b"]


async def test_what_became_of_the_items_is_counted(live: Live, recorder: FakeRecorder) -> None:
    await post(live, batch({"id": "a"}))
    await post(live, batch({"id": "a"}, {"id": 5}, {"id": 6}))
    counters = live.context.counters
    assert (counters[Count.INGEST_SUCCESS], counters[Count.INGEST_DUPLICATE]) == (1, 1)
    assert counters.take_refused() == {(LITELLM, Count.INGEST_INVALID): 2}


async def test_a_batch_without_a_good_item_is_refused(live: Live, recorder: FakeRecorder) -> None:
    answer = await post(live, batch(5, {"litellm_call_id": ""}))
    assert (answer.status_code, answer.json()["rejected"], recorder.events) == (422, 2, [])
    assert live.context.counters.take_refused() == {(LITELLM, Count.INGEST_INVALID): 2}


@pytest.mark.parametrize("raw", [b"", b"[", b"no", b"[" * 100_000])
async def test_what_is_no_json_is_refused(live: Live, raw: bytes) -> None:
    answer = await post(live, raw)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_json")


async def test_too_many_items_are_refused(live: Live) -> None:
    answer = await post(live, b"[" + b"0," * 20_000 + b"0]")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_items")


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer wrong"}, {"Authorization": ""}, {"X-Ingest-Key": KEY}])
async def test_it_takes_exactly_one_ingest_key(live: Live, recorder: FakeRecorder, headers: dict[str, str]) -> None:
    assert (await post(live, SDK, **headers)).status_code == 401
    assert recorder.events == []


async def test_a_large_batch_is_read(live: Live) -> None:
    answer = await post(live, batch(*({"id": f"{number}", "messages": "x" * 5000} for number in range(100))))
    assert (answer.status_code, answer.json()["accepted"]) == (200, 100)


async def test_a_post_can_be_put_under_a_tracking_token(
    live: Live, recorder: FakeRecorder, readable_store: Store
) -> None:
    with readable_store.writing() as connection:
        tokens.create(connection, "shop", NOW, value="shop-1")
        tokens.create(connection, "seen elsewhere", NOW, value="shadow-1", shadow=True)
    for token, counted in (("shop-1", True), ("shadow-1", False)):
        recorder.events.clear()
        assert (await post(live, SDK, **{"X-Tracking-Token": token})).status_code == 200
        assert {(each.token, each.counted) for each in recorded(recorder)} == {(token, counted)}


async def test_a_token_that_may_not_push_refuses_the_post(
    live: Live, recorder: FakeRecorder, readable_store: Store
) -> None:
    with readable_store.writing() as connection:
        off = tokens.create(connection, "old", NOW, value="old-1")
        tokens.set_active(connection, off.id, False)
    for token, code in (("old-1", "disabled_token"), ("nobody", "unknown_token")):
        answer = await post(live, SDK, **{"X-Tracking-Token": token})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)
    assert recorder.events == []


async def test_a_store_that_cannot_be_written_asks_to_send_again(live: Live, recorder: FakeRecorder) -> None:
    recorder.failure = CannotWrite("locked")
    answer = await post(live, SDK)
    assert answer.status_code == 503 and "retry-after" in answer.headers


async def test_large_bodies_are_packed_in_a_thread_so_that_others_need_not_wait(
    live: Live, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    submit = recorder.submit

    def noting(events: Sequence[Event], done: Done, patience: float = 60.0) -> None:
        threads.append(threading.current_thread())
        submit(events, done, patience)

    monkeypatch.setattr(recorder, "submit", noting)
    small, *_ = json.loads(SDK)
    large = {**small, "litellm_call_id": "large", "messages": [{"role": "user", "content": "x" * LARGE}]}
    for each in (small, large):
        assert (await post(live, batch(each))).status_code == 200
    assert [each is threading.current_thread() for each in threads] == [True, False]
