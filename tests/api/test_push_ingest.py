"""`POST /ingest` and `POST /log`: who may, what is answered, and what is recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from spendtop.api.counters import Count
from spendtop.domain.clock import DAY, MINUTE, SECOND, to_iso
from spendtop.domain.errors import CannotWrite
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.sources.records import INGEST
from spendtop.domain.sources.refusals import RefusalReason
from spendtop.domain.windows import Calendar
from spendtop.services import tokens
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.sources.receivers.ingest import MOST_ITEMS, IngestReceiver
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable
from tests.api.listening import FakeRecorder, Live, listening, settings_of
from tests.conftest import SettableClock

KEY = "a-key-of-thirty-two-characters-00"
SERVER = {"ingest_keys": {"apps": KEY}, "api_key": "an-admin-key-of-thirty-two-chars"}
ITEM: dict[str, Any] = {
    "tracking_token": "app-1",
    "model": "gpt-4o",
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
}
GPT_4O = Price.of({"input_tokens": Rate.per_million(Decimal("2.50")), "output_tokens": Rate.per_million(Decimal(10))})
CANARY = "c4n4ry"


@pytest.fixture
async def live(readable_store: Store, clock: SettableClock) -> AsyncIterator[Live]:
    """A listener whose requests go into the store, with the tokens app-1, a shadow and one switched off."""
    with readable_store.writing() as connection:
        tokens.create(connection, "app", clock(), value="app-1")
        tokens.create(connection, "shadow", clock(), value="shadow-1", shadow=True)
        off = tokens.create(connection, "old", clock(), value="off-1")
        tokens.set_active(connection, off.id, False)
    preparer = Preparer(Pricer({"gpt-4o": GPT_4O}, None, lambda provider, model, terms, at: None), None, True)
    recorder = Recorder(readable_store, preparer, LimitBook((), Calendar(), {}))
    recorder.start()
    try:
        async with listening(readable_store, clock, recorder, settings_of(SERVER)) as served:
            yield served
    finally:
        recorder.stop()


async def post(live: Live, content: object, path: str = "/ingest", **headers: str) -> httpx.Response:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return await live.client.post(path, content=raw, headers={"X-Ingest-Key": KEY, **headers})


def code_of(response: httpx.Response) -> tuple[int, str]:
    content = response.json()
    assert content.keys() == {"error"}
    return response.status_code, content["error"]["code"]


def stored(live: Live) -> list[Any]:
    """All requests in the order of their arrival."""
    table = table_of(RequestTable)
    with live.context.store.reading() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


@pytest.mark.replaces("push/ingest")
async def test_a_request_is_recorded_and_priced(live: Live) -> None:
    response = await post(live, {**ITEM, "user_id": "alice"})
    (row,) = stored(live)
    assert (response.status_code, response.json()) == (200, {"status": "stored", "id": str(row.id)})
    assert (row.token, row.user_id, row.provider, row.cost_nano, row.basis) == (
        "app-1",
        "alice",
        None,
        3_500_000,
        "computed",
    )
    assert live.context.counters[Count.INGEST_SUCCESS] == 1


@pytest.mark.parametrize("path", ["/ingest", "/log"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-Ingest-Key": ""}, 401),
        ({"X-Ingest-Key": KEY[:-1]}, 401),
        ({"X-Ingest-Key": SERVER["api_key"]}, 401),
        ({"X-API-Key": SERVER["api_key"]}, 401),
        ({"X-API-Key": KEY}, 401),
        ({"X-Ingest-Key": KEY, "Authorization": f"Bearer {KEY}"}, 401),
        ({"Authorization": f"Bearer {KEY}"}, 200),
        ({"X-Ingest-Key": KEY}, 200),
    ],
)
@pytest.mark.replaces("push/ingest")
async def test_only_an_ingest_key_opens(live: Live, path: str, headers: dict[str, str], status: int) -> None:
    response = await live.client.post(path, json=ITEM, headers=headers)
    assert response.status_code == status
    assert len(stored(live)) == (status == 200)


async def test_without_ingest_keys_nothing_is_taken(live: Live) -> None:
    live.settings.append(settings_of())
    assert code_of(await post(live, ITEM)) == (403, "not_configured")


class TestIdentity:
    """The same request again, and another one."""

    @pytest.mark.replaces("push/once")
    async def test_the_same_id_and_content_is_a_duplicate(self, live: Live) -> None:
        first = await post(live, {**ITEM, "request_id": "r-1"})
        again = await post(live, {**dict(reversed(ITEM.items())), "request_id": "r-1", "user_id": None})
        assert (again.status_code, again.json()) == (200, {"status": "duplicate", "id": first.json()["id"]})
        assert len(stored(live)) == 1

    async def test_the_same_id_with_other_content_is_a_conflict(self, live: Live) -> None:
        await post(live, {**ITEM, "request_id": "r-1"})
        before = stored(live)
        assert code_of(await post(live, {**ITEM, "request_id": "r-1", "cost_usd": 5})) == (409, "conflict")
        assert stored(live) == before
        assert live.context.counters.take_refused() == {(INGEST, Count.INGEST_CONFLICT): 1}

    async def test_an_id_belongs_to_its_tracking_token(self, live: Live) -> None:
        await post(live, {**ITEM, "request_id": "r-1"})
        other = await post(live, {**ITEM, "request_id": "r-1", "tracking_token": "shadow-1", "user_id": "bob"})
        assert other.json()["status"] == "stored"

    async def test_an_idempotency_key_is_an_id(self, live: Live) -> None:
        answers = [await post(live, {**ITEM, "user_id": who}, **{"Idempotency-Key": "k"}) for who in ("a", "a", "b")]
        assert [each.status_code for each in answers] == [200, 200, 409]
        assert answers[1].json()["status"] == "duplicate"

    async def test_a_batch_under_an_idempotency_key_can_be_sent_again(self, live: Live) -> None:
        batch = [{**ITEM, "user_id": who} for who in ("a", "b", "a")]
        first, again = [await post(live, batch, **{"Idempotency-Key": "k"}) for _ in range(2)]
        assert [each["status"] for each in first.json()["results"]] == ["stored"] * 3
        assert [each["status"] for each in again.json()["results"]] == ["duplicate"] * 3
        changed = await post(live, [*batch[:2], {**ITEM, "user_id": "c"}], **{"Idempotency-Key": "k"})
        assert changed.status_code == 207
        assert changed.json()["results"][2]["status"] == "rejected"
        assert changed.json()["results"][2]["error"]["code"] == "conflict"

    @pytest.mark.parametrize("key", ["", "x" * 129])
    async def test_an_idempotency_key_has_to_be_usable(self, live: Live, key: str) -> None:
        assert code_of(await post(live, ITEM, **{"Idempotency-Key": key})) == (422, "bad_idempotency_key")

    async def test_there_is_one_idempotency_key(self, live: Live) -> None:
        headers = [("X-Ingest-Key", KEY), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        response = await live.client.post("/ingest", json=ITEM, headers=headers)
        assert code_of(response) == (422, "bad_idempotency_key")

    @pytest.mark.replaces("push/once")
    async def test_without_id_the_content_and_its_time_are_the_identity(self, live: Live, clock: SettableClock) -> None:
        stamped = {**ITEM, "timestamp": to_iso(clock() - MINUTE)}
        answers = [await post(live, each) for each in (stamped, stamped, {**stamped, "prompt_tokens": 999})]
        assert [each.json()["status"] for each in answers] == ["stored", "duplicate", "stored"]

    async def test_without_id_and_time_every_post_counts(self, live: Live) -> None:
        assert [(await post(live, ITEM)).json()["status"] for _ in range(2)] == ["stored", "stored"]


class TestTokens:
    """Tracking tokens."""

    @pytest.mark.parametrize(("token", "code"), [("nobody", "unknown_token"), ("off-1", "disabled_token")])
    @pytest.mark.replaces("push/off")
    async def test_a_token_that_may_not_push_is_told(self, live: Live, token: str, code: str) -> None:
        response = await post(live, {**ITEM, "tracking_token": token})
        assert code_of(response) == (403, code)
        assert response.json()["error"]["fields"].keys() == {"tracking_token"}
        assert code_of_all(await post(live, [{**ITEM, "tracking_token": token}] * 2)) == (422, [code, code])
        assert stored(live) == []
        assert live.context.counters[Count.INGEST_BAD_TOKEN] == 3

    async def test_who_is_refused_is_told_by_the_tokens_name_until_a_good_push(self, live: Live) -> None:
        for token in ("off-1", "off-1", "nobody"):
            await post(live, {**ITEM, "tracking_token": token})
        (refused,) = live.context.refusals.standing()
        assert refused.fact == "1 push to /ingest refused: the tracking token is unknown"
        await post(live, [ITEM, {**ITEM, "tracking_token": "off-1"}])
        (refused,) = live.context.refusals.standing()
        assert (refused.reason, refused.token) == (RefusalReason.DISABLED_TOKEN, "old")
        assert "off-1" not in refused.sentence
        await post(live, ITEM)
        assert live.context.refusals.standing() == ()

    @pytest.mark.parametrize(("key", "reason"), [("", RefusalReason.NO_KEY), ("x", RefusalReason.BAD_KEY)])
    async def test_a_push_without_a_good_key_is_told(self, live: Live, key: str, reason: RefusalReason) -> None:
        await live.client.post("/ingest", json=ITEM, headers={"X-Ingest-Key": key} if key else {})
        assert [each.reason for each in live.context.refusals.standing()] == [reason]
        await post(live, ITEM)
        assert live.context.refusals.standing() == ()

    async def test_other_items_of_the_batch_are_taken(self, live: Live) -> None:
        response = await post(live, [ITEM, {**ITEM, "tracking_token": "nobody"}, {**ITEM, "model": 5}])
        assert code_of_all(response) == (207, [None, "unknown_token", "invalid"])
        assert len(stored(live)) == 1

    async def test_requests_of_a_shadow_token_do_not_count(self, live: Live) -> None:
        await post(live, [ITEM, {**ITEM, "tracking_token": "shadow-1"}])
        assert [row.counted for row in stored(live)] == [True, False]


def code_of_all(response: httpx.Response) -> tuple[int, list[str | None]]:
    """The status, and the code of each result's error."""
    return response.status_code, [each.get("error", {}).get("code") for each in response.json()["results"]]


class TestBatches:
    """Arrays."""

    async def test_every_item_is_answered_in_order(self, live: Live) -> None:
        response = await post(live, [{**ITEM, "user_id": str(number)} for number in range(500)])
        results = response.json()["results"]
        assert (response.status_code, response.json()["accepted"], response.json()["rejected"]) == (200, 500, 0)
        assert [(str(row.id), row.user_id) for row in stored(live)] == [
            (each["id"], str(number)) for number, each in enumerate(results)
        ]

    async def test_one_bad_item_takes_no_other_along(self, live: Live) -> None:
        batch = [{**ITEM, "user_id": str(number)} for number in range(500)]
        batch[17]["completion_tokens"] = -1
        response = await post(live, batch)
        content = response.json()
        assert (response.status_code, content["accepted"], content["rejected"]) == (207, 499, 1)
        assert content["results"][17] == {
            "status": "rejected",
            "error": {
                "code": "invalid",
                "message": "Some fields cannot be used.",
                "fields": {"completion_tokens": "has to be a whole number from 0 to 10,000,000,000"},
            },
        }
        assert {row.user_id for row in stored(live)} == {str(number) for number in range(500)} - {"17"}

    async def test_a_batch_without_a_good_item_is_refused(self, live: Live) -> None:
        response = await post(live, [{}, 5, {**ITEM, "tracking_token": "nobody"}])
        assert code_of_all(response) == (422, ["invalid", "invalid", "unknown_token"])
        assert live.context.counters.take_refused() == {
            (INGEST, Count.INGEST_INVALID): 2,
            (INGEST, RefusalReason.UNKNOWN_TOKEN): 1,
        }

    async def test_the_same_id_twice_in_a_batch(self, live: Live) -> None:
        one = {**ITEM, "request_id": "r"}
        response = await post(live, [one, one, {**one, "model": "o3"}])
        assert [each["status"] for each in response.json()["results"]] == ["stored", "duplicate", "rejected"]
        assert len(stored(live)) == 1

    @pytest.mark.parametrize(
        ("raw", "answer"),
        [
            (b"[]", (422, "empty_batch")),
            (b"5", (422, "not_an_object")),
            (b"[" + b"{}," * MOST_ITEMS + b"{}]", (413, "too_many_items")),
        ],
    )
    async def test_what_holds_no_items_is_refused_as_a_whole(
        self, live: Live, raw: bytes, answer: tuple[int, str]
    ) -> None:
        assert code_of(await post(live, raw)) == answer

    @pytest.mark.parametrize("path", ["/ingest", "/log"])
    async def test_what_is_larger_than_a_push_may_be_is_refused_unread(self, live: Live, path: str) -> None:
        length = IngestReceiver.largest + 1
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nX-Ingest-Key: {KEY}\r\nContent-Length: {length}\r\n\r\n"
        assert (await live.exchange(head.encode(), ends=False)).startswith(b"HTTP/1.1 413 ")

    async def test_a_push_may_be_that_large(self, live: Live) -> None:
        raw = json.dumps({**ITEM, "request_body": ""}).encode()
        full = raw.replace(b'""', b'"' + b"x" * (IngestReceiver.largest - len(raw)) + b'"')
        assert (len(full), (await post(live, full)).status_code) == (IngestReceiver.largest, 200)

    async def test_a_large_batch_is_read(self, live: Live) -> None:
        large = [{**ITEM, "request_body": "x" * 5000, "user_id": str(number)} for number in range(200)]
        response = await post(live, large)
        assert (response.status_code, response.json()["accepted"]) == (200, 200)


class TestBadInput:
    """Answers name the field, never its value."""

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"{",
            b"\xef\xbb\xbf{}",
            b"{} {}",
            b"[" * 100_000,
            b'{"model":"\xff"}',
            b'{"model":"\\ud800"}',
            b'{"prompt_tokens":' + b"9" * 5000 + b"}",
        ],
    )
    async def test_what_is_no_json_is_refused(self, live: Live, raw: bytes) -> None:
        assert code_of(await post(live, raw)) == (400, "not_json")
        assert live.context.counters[Count.INGEST_NOT_JSON] == 1

    @pytest.mark.parametrize("written", ["NaN", "Infinity", "1e999", "-1", '"12.3"', "true", "1e30"])
    async def test_a_bad_amount_is_named(self, live: Live, written: str) -> None:
        raw = json.dumps({**ITEM, "cost_usd": 0}).replace('"cost_usd": 0', f'"cost_usd": {written}').encode()
        response = await post(live, raw)
        assert code_of(response) == (422, "invalid")
        assert response.json()["error"]["fields"].keys() == {"cost_usd"}
        assert stored(live) == []

    @pytest.mark.parametrize("offset", [10 * MINUTE, -36 * DAY])
    async def test_what_is_too_old_or_ahead_is_pointed_to_the_import(
        self, live: Live, clock: SettableClock, offset: int
    ) -> None:
        response = await post(live, {**ITEM, "timestamp": (clock() + offset) // SECOND})
        assert code_of(response) == (422, "invalid")
        assert "spendtop import" in response.json()["error"]["fields"]["timestamp"]

    async def test_no_answer_holds_what_was_submitted(self, live: Live) -> None:
        wrong: dict[str, Any] = {name: [CANARY] for name in ITEM} | {"timestamp": CANARY, "status": CANARY}
        for content in (wrong, [wrong], {**ITEM, "tracking_token": CANARY}, CANARY, f"{{{CANARY}".encode()):
            response = await post(live, content)
            assert response.status_code >= 400
            assert CANARY not in response.text

    async def test_the_body_is_not_coded(self, live: Live) -> None:
        assert code_of(await post(live, ITEM, **{"Content-Encoding": "gzip"})) == (415, "unsupported_encoding")

    @pytest.mark.parametrize("path", ["/ingest", "/log"])
    async def test_other_methods_are_refused(self, live: Live, path: str) -> None:
        response = await live.client.get(path, headers={"X-Ingest-Key": KEY})
        assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("content", "key", "status"), [(ITEM, KEY, 200), ({}, KEY, 422), (b"", KEY, 400), (ITEM, "wrong", 401)]
)
@pytest.mark.replaces("push/log")
async def test_the_older_name_names_its_successor(live: Live, content: object, key: str, status: int) -> None:
    answers = [await post(live, content, path, **{"X-Ingest-Key": key}) for path in ("/log", "/ingest")]
    assert [each.status_code for each in answers] == [status, status]
    older, present = (each.headers for each in answers)
    assert older["deprecation"] == "@1793491200"
    assert older["link"] == '</ingest>; rel="successor-version"'
    assert present.keys().isdisjoint({"deprecation", "link"})


@pytest.mark.parametrize("path", ["/ingest", "/log"])
async def test_a_key_that_comes_too_often_is_told_when_to_come_again(live: Live, path: str) -> None:
    live.settings.append(settings_of({**SERVER, "ingest_rate_limit": {"rpm": 60, "burst": 2}}))
    answers = [await post(live, ITEM, path) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1"
    assert len(stored(live)) == 2


@pytest.mark.parametrize(("failure", "status"), [(CannotWrite("locked"), 503), (RuntimeError("broken"), 500)])
async def test_what_is_not_recorded_is_not_confirmed(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, failure: Exception, status: int
) -> None:
    with readable_store.writing() as connection:
        tokens.create(connection, "app", clock(), value="app-1")
    recorder.failure = failure
    async with listening(readable_store, clock, recorder, settings_of(SERVER)) as live:
        for content in (ITEM, [ITEM]):
            assert (await post(live, content)).status_code == status


async def test_one_request_sent_fifty_times_at_once_is_one(live: Live) -> None:
    answers = await asyncio.gather(*(post(live, {**ITEM, "request_id": "r"}) for _ in range(50)))
    assert sorted(each.json()["status"] for each in answers) == ["duplicate"] * 49 + ["stored"]
    assert len(stored(live)) == 1


@pytest.mark.parametrize("path", ["/ingest", "/log"])
@pytest.mark.replaces("push/header-token")
async def test_the_token_of_the_header_is_that_of_items_without_one(live: Live, path: str) -> None:
    bare = {name: value for name, value in ITEM.items() if name != "tracking_token"}
    answer = await post(live, [bare, {**ITEM, "request_id": "own"}], path, **{"X-Tracking-Token": "shadow-1"})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2)
    assert sorted(row.token for row in stored(live)) == ["app-1", "shadow-1"]
    for token, code in (("nobody", 403), ("off-1", 403)):
        assert (await post(live, bare, path, **{"X-Tracking-Token": token})).status_code == code
    assert code_of(await post(live, bare, path, **{"X-Tracking-Token": "x" * 129})) == (422, "bad_tracking_token")
    assert (await post(live, bare, path)).json()["error"]["fields"] == {
        "tracking_token": "is missing: `spendtop token create NAME` makes one"
    }


@pytest.mark.replaces("push/log")
async def test_older_clients_times_are_stored_and_marked(live: Live, clock: SettableClock) -> None:
    zoneless = {**ITEM, "timestamp": to_iso(clock() - MINUTE).removesuffix("Z")}
    old = {**ITEM, "timestamp": to_iso(clock() - 100 * DAY), "request_id": "old"}
    ancient = {**ITEM, "timestamp": to_iso(clock() - 401 * DAY)}
    assert [(await post(live, each)).status_code for each in (zoneless, old, ancient)] == [422, 422, 422]
    assert [(await post(live, each, "/log")).status_code for each in (zoneless, old, ancient)] == [200, 200, 422]
    live.settings.append(settings_of(SERVER, ingest={"naive_times": "utc"}))
    assert (await post(live, zoneless)).json()["status"] == "duplicate"
    assert [(row.time_suspect, row.occurred_at) for row in stored(live)] == [
        (True, clock() - MINUTE),
        (True, clock() - 100 * DAY),
    ]


async def test_fields_that_are_not_known_are_left_and_named_with_what_was_meant(live: Live) -> None:
    one = (await post(live, {**ITEM, "user": "alice", "nothing": None, "sk-4711": 1})).json()
    assert (one["status"], set(one["hints"])) == ("stored", {"user", "item"})
    assert "did you mean user_id?" in one["hints"]["user"] and "4711" not in json.dumps(one["hints"])
    many = (await post(live, [{**ITEM, "cost": 1}, {**ITEM, "user": "bob"}, ITEM])).json()
    assert (many["accepted"], set(many["hints"])) == (3, {"cost", "user"})
    assert "hints" not in (await post(live, ITEM)).json()
    refused = (await post(live, {"tracking_token": "app-1", "modle": "gpt-4o"})).json()["error"]["fields"]
    assert refused["model"] == "is missing" and "did you mean model?" in refused["modle"]
