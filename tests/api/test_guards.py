"""Who may in."""

from __future__ import annotations

import asyncio
from hmac import compare_digest

import httpx
import pytest

from spendtop.api.guards import MOST_FAILURES_PER_MINUTE
from spendtop.store.engine import Store
from tests.api.listening import FakeRecorder, Live, listening, settings_of
from tests.conftest import SettableClock
from tests.helicone_captures import secret

KEY = "an-api-key-that-is-long"
KEYED = {"api_key": KEY, "ingest_keys": {"app": "an-ingest-key-that-is-long"}}
ADMIN_PATHS = ("/spending/summary", "/requests", "/requests/1", "/limits", "/openapi.json")
SIMPLE = b'{"request_id":"r"}'


def status(response: httpx.Response, code: str) -> int:
    """The status, once the answer is seen to be an error with this code."""
    assert response.json()["error"]["code"] == code
    return response.status_code


@pytest.mark.replaces("push/api-key")
async def test_admin_routes_want_the_api_key(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    rights = ({"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"})
    async with listening(readable_store, clock, recorder, settings_of(KEYED)) as live:
        for path in (prefix + path for prefix in ("", "/api") for path in ADMIN_PATHS):
            assert status(await live.client.get(path), "unauthorized") == 401
            for headers in rights:
                assert (await live.client.get(path, headers=headers)).status_code in (200, 404)


@pytest.mark.parametrize(
    "headers",
    [
        [("X-API-Key", "")],
        [("X-API-Key", KEY[:-1])],
        [("X-API-Key", KEY + "x")],
        [("X-API-Key", "é")],
        [("X-API-Key", "an-ingest-key-that-is-long")],
        [("X-API-Key", secret().decode())],
        [("X-API-Key", KEY), ("X-API-Key", "other")],
        [("X-Ingest-Key", KEY)],
        [("Authorization", f"Basic {KEY}")],
        [("Authorization", KEY)],
    ],
)
async def test_no_other_credential_opens_them(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, headers: list[tuple[str, str]]
) -> None:
    async with listening(readable_store, clock, recorder, settings_of(KEYED)) as live:
        encoded = [(name.encode(), value.encode()) for name, value in headers]
        assert status(await live.client.get("/limits", headers=encoded), "unauthorized") == 401
        assert live.context.counters.snapshot()["admin_bad_auth"] == 1


async def test_the_api_key_is_no_signature(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder, settings_of(KEYED)) as live:
        answer = await live.client.post("/webhook", content=SIMPLE, headers={"X-API-Key": KEY})
        assert status(answer, "bad_signature") == 401


async def test_without_a_key_local_programs_are_answered(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    hosts = ["127.0.0.1", "127.0.0.1:1", "localhost", "LocalHost:8000", "[::1]", "[::1]:80", "127.1.2.3"]
    async with listening(readable_store, clock, recorder) as live:
        for host in hosts:
            assert (await live.client.get("/limits", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "localhost.evil.com",
        "127.0.0.1.evil.com",
        "127.0.0.1@evil.com",
        "[::1",
        "[::1]x",
        "localhost:8o",
        "",
    ],
)
async def test_without_a_key_no_tunnel_or_rebound_name_opens_them(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, host: str
) -> None:
    async with listening(readable_store, clock, recorder) as live:
        assert status(await live.client.get("/limits", headers={"Host": host}), "local_only") == 403
        assert (await live.client.get("/ping", headers={"Host": host})).status_code == 200
        assert (await live.post_signed(SIMPLE, Host=host)).status_code == 200


async def test_without_a_key_a_public_address_closes_them(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    settings = settings_of({"public_url": "https://spend.example"})
    async with listening(readable_store, clock, recorder, settings) as live:
        assert status(await live.client.get("/limits"), "local_only") == 403
        assert (await live.client.get("/ping")).status_code == 200
        assert (await live.post_signed(SIMPLE)).status_code == 200
        live.settings.append(settings_of({"public_url": "https://spend.example", "api_key": KEY}))
        assert (await live.client.get("/limits", headers={"X-API-Key": KEY})).status_code == 200


async def test_without_a_key_other_machines_are_refused(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendtop.api.listener.local_use.is_loopback", lambda address: False)
    async with listening(readable_store, clock, recorder) as live:
        for headers in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}):
            assert status(await live.client.get("/limits", headers=headers), "local_only") == 403


async def test_every_key_is_compared_whichever_fits(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[object] = []

    def noted(given: bytes, key: bytes) -> bool:
        compared.append(key)
        return compare_digest(given, key)

    monkeypatch.setattr("spendtop.api.guards.hmac.compare_digest", noted)
    keys = {"first": "the-first-key-that-is-long", "second": "the-second-key-that-is-long", "third": "the-third-key"}
    async with listening(readable_store, clock, recorder, settings_of({"ingest_keys": keys})) as live:
        for key in (*keys.values(), "wrong", "\u00e9", ""):
            compared.clear()
            await live.client.post("/ingest", content=b"", headers=[(b"x-ingest-key", key.encode())])
            assert compared == [value.encode() for value in keys.values()]


@pytest.mark.parametrize("origin", ["https://evil.com", "null", "http://127.0.0.1:8000", "http://localhost", ""])
async def test_web_pages_of_foreign_origins_are_refused_everywhere(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, origin: str
) -> None:
    async with listening(readable_store, clock, recorder, settings_of(KEYED)) as live:
        headers = {"Origin": origin, "X-API-Key": KEY}
        for path in ("/limits", "/ping", "/health", "/dashboard", "/nothing"):
            answer = await live.client.get(path, headers=headers)
            assert status(answer, "foreign_origin") == 403
            assert not [name for name in answer.headers if name.startswith("access-control")]
        assert status(await live.post_signed(SIMPLE, Origin=origin), "foreign_origin") == 403
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        assert status(await live.client.options("/limits", headers=asked), "foreign_origin") == 403
    assert recorder.events == []


@pytest.mark.replaces("push/origins")
async def test_pages_of_allowed_origins_may_read(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    allowed = settings_of({**KEYED, "allowed_origins": ["https://panel.example"]})
    origin = {"Origin": "https://panel.example"}
    async with listening(readable_store, clock, recorder, allowed) as live:
        asked = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "X-API-Key"}
        preflight = await live.client.options("/limits", headers=asked)
        assert preflight.status_code == 200
        assert "X-API-Key" in preflight.headers["access-control-allow-headers"]
        answer = await live.client.get("/limits", headers={**origin, "X-API-Key": KEY})
        refused = await live.client.get("/limits", headers=origin)
        pong = await live.client.get("/ping", headers=origin)
        assert (answer.status_code, refused.status_code) == (200, 401)
        for response in (preflight, answer, refused, pong):
            assert response.headers["access-control-allow-origin"] == "https://panel.example"
            assert response.headers["vary"] == "Origin"


async def test_fetch_metadata_is_ignored(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        assert (await live.post_signed(SIMPLE, **{"Sec-Fetch-Mode": "cors"})).status_code == 200


async def test_options_without_an_origin_is_no_method(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(readable_store, clock, recorder) as live:
        assert status(await live.client.options("/limits"), "method_not_allowed") == 405
        assert status(await live.client.options("/webhook"), "method_not_allowed") == 405


async def test_admin_requests_have_a_rate(readable_store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    few = settings_of({**KEYED, "rate_limit": {"rpm": 1, "burst": 3, "exempt": ["/ping"]}})
    async with listening(readable_store, clock, recorder, few) as live:
        answers = [await live.client.get("/limits", headers={"X-API-Key": KEY}) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert [(await live.client.get("/health")).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert [(await live.client.get("/ping")).status_code for _ in range(9)] == [200] * 9
        assert (await live.post_signed(SIMPLE)).status_code == 200


async def _fail(live: Live, times: int) -> list[int]:
    answers = [await live.client.post("/webhook", content=SIMPLE) for _ in range(times)]
    return [answer.status_code for answer in answers]


async def test_failures_become_429_while_signed_webhooks_pass(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(readable_store, clock, recorder, settings_of(KEYED)) as live:
        statuses = await _fail(live, MOST_FAILURES_PER_MINUTE + 20)
        assert statuses[:MOST_FAILURES_PER_MINUTE] == [401] * MOST_FAILURES_PER_MINUTE
        assert statuses[-1] == 429
        spoofed = await live.client.post("/webhook", content=SIMPLE, headers={"X-Forwarded-For": "10.1.1.1"})
        assert spoofed.status_code == 429
        wrong_ingest_key = await live.client.post("/ingest", content=b"{}", headers={"X-Ingest-Key": "wrong"})
        assert wrong_ingest_key.status_code == 429
        wrong_key = await live.client.get("/limits", headers={"X-API-Key": "wrong"})
        assert (wrong_key.status_code, wrong_key.json()["error"]["code"]) == (429, "too_many_requests")
        right_key = await live.client.get("/limits", headers={"X-API-Key": KEY})
        signed = await asyncio.gather(*(live.post_signed(b'{"request_id":"r-%d"}' % number) for number in range(40)))
        assert right_key.status_code == 200
        assert {answer.status_code for answer in signed} == {200}
