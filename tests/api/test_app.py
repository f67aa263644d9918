"""What every route has in common."""

from __future__ import annotations

import asyncio
import json

import pytest

from spendtop.api import admin
from spendtop.api import app as application
from spendtop.store.engine import Store
from tests.api.listening import FakeRecorder, listening, settings_of
from tests.conftest import SettableClock

CANARY = "canary-7f3a"
KEY = "a-key-of-thirty-two-characters-00"


async def test_other_addresses_are_not_found(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    targets = [
        "/",
        "//",
        "//webhook",
        "/webhook/",
        "/../webhook",
        "/%2e%2e/limits",
        "/limits%00",
        "/limits/",
        "/api",
        "/Limits",
    ]
    async with listening(readable_store, clock, recorder) as live:
        for target in targets:
            head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            answer = await live.exchange(head.encode())
            assert answer.startswith(b"HTTP/1.1 404 ")
            assert b'"code":"not_found"' in answer


async def test_other_methods_are_refused(readable_store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(readable_store, clock, recorder) as live:
        for method in ("POST", "PUT", "DELETE", "HEAD", "TRACE", "BREW"):
            response = await live.client.request(method, "/limits")
            assert response.status_code in (405, 400)


async def test_admin_bodies_are_small(readable_store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(readable_store, clock, recorder) as live:
        response = await live.client.request("GET", "/limits", content=b"x" * 70_000)
        assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "request_head",
    [
        "GET /nothing HTTP/1.1\r\nHost: localhost",
        "GET /limits HTTP/1.1\r\nHost: localhost",
        "GET /ping HTTP/1.1\r\nHost: localhost\r\nHost: localhost",
        "GET /ping HTTP/1.1\r\nHost: localhost\r\nOrigin: https://elsewhere.example",
        "GET /" + "a" * 20_000 + " HTTP/1.1\r\nHost: localhost",
        "GET /ping HTTP/1.1\r\nHost: localhost\r\nX-Long: " + "a" * 80_000,
        "\x16\x03\x01",
        "POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0",
        "POST /ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0",
        "POST /ingest HTTP/1.1\r\nHost: localhost\r\nX-Ingest-Key: " + KEY + "\r\nContent-Length: 0",
        "POST /ingest HTTP/1.1\r\nHost: localhost\r\nX-Ingest-Key: " + KEY + "\r\nContent-Length: 99999999",
    ],
)
async def test_a_refusal_says_what_is_wrong_and_what_to_do(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, request_head: str
) -> None:
    keys = settings_of({"api_key": "k" * 32, "ingest_keys": {"apps": KEY}})
    async with listening(readable_store, clock, recorder, keys) as live:
        answer = await live.exchange(f"{request_head}\r\nConnection: close\r\n\r\n".encode("latin-1"))
        message = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]
        wrong, _, step = message.partition(". ")
        assert wrong and step.endswith("."), message


async def test_errors_repeat_nothing_that_was_sent(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(readable_store, clock, recorder) as live:
        for target in (
            f"/{CANARY}",
            f"/requests/{CANARY}",
            f"/requests?limit={CANARY}",
            f"/requests?since={CANARY}",
            f"/requests?cursor={CANARY}",
            f"/requests?q=cost:{CANARY}",
            f"/requests?{CANARY}=1",
            f"/spending/summary?by={CANARY}",
            f"/spending/summary?hours={CANARY}",
        ):
            response = await live.client.get(target)
            assert response.status_code in (404, 422)
            assert CANARY not in response.text
        assert CANARY not in (await live.client.post("/webhook", content=CANARY)).text
        assert CANARY not in (await live.post_signed(CANARY.encode())).text


async def test_a_failure_inside_says_nothing_about_itself(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"SELECT {CANARY}")

    monkeypatch.setattr("spendtop.api.routes.limits.applied", broken)
    async with listening(readable_store, clock, recorder) as live:
        response = await live.client.get("/limits")
        assert (response.status_code, response.json()["error"]["code"]) == (500, "internal")
        assert CANARY not in response.text
        assert live.context.counters.snapshot()["failed"] == 1


async def test_a_store_that_cannot_be_read_is_told(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        response = await live.client.get("/requests")
        assert (response.status_code, response.json()["error"]["code"]) == (503, "store_unavailable")
        assert "retry-after" in response.headers


async def test_the_dashboard_is_a_page_without_data(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        for path in ("/dashboard", "/api/dashboard"):
            page = await live.client.get(path, headers={"Host": "tunnel.example"})
            assert page.status_code == 200
            assert "spendtop attach" in page.text
            assert page.headers["content-security-policy"].startswith("default-src 'none'; ")
            assert page.headers["cache-control"] == "no-store"


async def test_the_description_names_every_route(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        described = (await live.client.get("/openapi.json")).json()
        admin = {"/spending/summary", "/requests", "/requests/{id}", "/limits", "/dashboard", "/openapi.json", "/data"}
        admin |= {f"/{name}/{{id}}/{what}" for name in ("sessions", "jobs") for what in ("costs", "debug")}
        admin |= {"/sessions", "/users/{id}/costs", "/models", "/export.csv", "/export.jsonl"}
        expected = {"/webhook", "/ping", "/health"} | admin | {f"/api{path}" for path in admin}
        assert expected <= set(described["paths"])
        assert "ErrorAnswer" in described["components"]["schemas"]
        names = {each["name"] for each in described["paths"]["/requests"]["get"]["parameters"]}
        assert names == {
            *("hours", "since", "from", "until", "to", "q", "cursor", "limit"),
            *("model", "token", "user", "user_id", "session", "session_id"),
        }


async def test_the_admin_api_is_there_before_anybody_asks_but_not_while_it_stops(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []

    def build(*parts: object) -> str:
        built.append(parts)
        return "admin"

    monkeypatch.setattr(admin, "build_admin", build)
    monkeypatch.setattr(application, "_WARM_AFTER_SECONDS", 0)
    async with listening(readable_store, clock, recorder) as live:
        stop = asyncio.Event()
        listener = application.Listener(live.context)
        await listener.warm(stop)
        assert len(built) == 1
        await listener.warm(stop)
        assert len(built) == 1
        processor = iter([0.0, 0.6, 1.0, 1.6, 2.0, 2.4])
        monkeypatch.setattr(application, "process_time", lambda: next(processor))
        await application.Listener(live.context).warm(stop)
        assert (len(built), [*processor]) == (2, []), "put off twice, as there was something to do"
        stop.set()
        monkeypatch.undo()
        await application.Listener(live.context).warm(stop)
        assert len(built) == 2
