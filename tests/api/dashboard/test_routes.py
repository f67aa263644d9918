"""The dashboard over real sockets: who sees what, and by which right."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest

from spendtop.api.context import Health
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.requests.request import BodyState
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.balances import Account
from tests import routes
from tests.api.listening import FakeRecorder, Live, listening, settings_of
from tests.api.recorders import apply, recording
from tests.conftest import SettableClock
from tests.store.conftest import Recorded
from tests.waiting import DEADLINE

KEY = "an-api-key-that-is-long"
NOT_BY_SIGN_IN = (
    b'{"error":{"code":"not_by_sign_in","message":"A sign-in at the dashboard does not open this. Send the api key."}}'
)
BODY = b'{"messages":[{"role":"user","content":"a secret question"}]}'


async def sign_in(live: Live, key: str = KEY, **headers: str) -> httpx.Response:
    return await live.client.post("/dashboard/login", data={"api_key": key}, headers=headers)


def own(live: Live) -> dict[str, str]:
    return {"Origin": f"http://127.0.0.1:{live.port}"}


@asynccontextmanager
async def signed_in(store: Store, clock: SettableClock, **server: Any) -> AsyncIterator[Live]:
    """A listener with a key, and a client that has signed in."""
    async with recording(store, clock, settings_of({"api_key": KEY, **server})) as (live, _):
        assert (await sign_in(live)).status_code == 303
        yield live


async def test_without_a_sign_in_there_is_the_form_and_no_figure(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(readable_store, clock, recorder, settings_of({"api_key": KEY})) as live:
        for path in ("/dashboard", "/api/dashboard"):
            page = await live.client.get(path, headers={"Host": "spend.example"})
            assert page.status_code == 200
            assert 'name="api_key"' in page.text
            assert "<script" not in page.text
        for path in ("/dashboard/state", "/dashboard/chart", "/spending/summary", "/events", "/export.csv"):
            assert (await live.client.get(path)).status_code == 401


@pytest.mark.replaces("push/dashboard")
async def test_the_api_key_opens_it_until_the_browser_signs_out(readable_store: Store, clock: SettableClock) -> None:
    async with recording(readable_store, clock, settings_of({"api_key": KEY})) as (live, _):
        entered = await sign_in(live, **own(live))
        assert (entered.status_code, entered.headers["location"]) == (303, "../dashboard")
        assert re.fullmatch(
            r"spendtop_session=[0-9]+\.[0-9a-f]{64}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict",
            entered.headers["set-cookie"],
        )
        page = await live.client.get("/dashboard")
        assert 'name="api_key"' not in page.text
        assert (await live.client.get("/api/spending/summary")).status_code == 200
        state = (await live.client.get("/dashboard/state")).json()
        assert (state["signed_in"], state["shows_bodies"], state["status"]) == (True, False, "healthy")
        left = await live.client.post("/dashboard/logout", headers=own(live))
        assert (left.status_code, left.headers["location"]) == (303, "../dashboard")
        assert 'name="api_key"' in (await live.client.get("/dashboard")).text
        assert (await live.client.get("/spending/summary")).status_code == 401


async def test_it_is_remembered_on_demand_and_secure_under_https(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(readable_store, clock, recorder, settings_of({"api_key": KEY})) as live:
        form = {"api_key": f" {KEY}\n", "remember": "on"}
        headers = {"Host": "spend.example", "Origin": "https://spend.example"}
        entered = await live.client.post("/dashboard/login", data=form, headers=headers)
        assert "Max-Age=2592000" in entered.headers["set-cookie"]
        assert entered.headers["set-cookie"].endswith("; Secure")
        forgotten = await live.client.post("/dashboard/login", data={**form, "remember": "0"})
        assert "Max-Age=43200" in forgotten.headers["set-cookie"]
        assert "Secure" not in forgotten.headers["set-cookie"]


async def test_it_ends_with_its_time_and_with_the_key(readable_store: Store, clock: SettableClock) -> None:
    async with signed_in(readable_store, clock) as live:
        [cookie] = [f"{each.name}={each.value}" for each in live.client.cookies.jar]
        live.client.cookies.clear()

        async def status() -> int:
            return (await live.client.get("/limits", headers={"Cookie": cookie})).status_code

        assert await status() == 200
        live.settings.append(settings_of({"api_key": "another-key-that-is-long"}))
        assert await status() == 401
        live.settings.append(settings_of({"api_key": KEY}))
        assert await status() == 200
        live.settings.append(settings_of({"public_url": "https://spend.example"}))
        assert await status() == 403
        live.settings.append(settings_of({"api_key": KEY}))
        clock.advance(12 * HOUR)
        assert await status() == 401


async def test_an_open_stream_ends_with_the_key(readable_store: Store, clock: SettableClock) -> None:
    recorded = Recorded(readable_store)
    async with signed_in(readable_store, clock) as live, live.client.stream("GET", "/events") as stream:
        async with asyncio.timeout(DEADLINE):
            chunks = stream.aiter_bytes()
            assert b"retry:" in await anext(chunks)
            live.settings.append(settings_of({"api_key": "another-key-that-is-long"}))
            recorded.add([recorded.request(clock())])
            assert [chunk async for chunk in chunks if b"event:" in chunk] == []


async def test_it_opens_what_the_page_asks_and_nothing_else(readable_store: Store, clock: SettableClock) -> None:
    opened = {
        "GET /spending/summary",
        "GET /requests",
        "GET /requests/{id}",
        "GET /limits",
        "GET /export.csv",
        "GET /events",
        "GET /ingest/tokens",
        "POST /ingest/tokens",
        "GET /ingest/tokens/{id}/snippets",
        "PATCH /ingest/tokens/{id}/active",
        "DELETE /ingest/tokens/{id}",
        "GET /dashboard/state",
        "GET /dashboard/chart",
    }
    async with signed_in(readable_store, clock) as live:
        for route in routes.ADMIN:
            headers = own(live) if route.method != "GET" and "tokens" in route.path else {}
            for prefix in ("", "/api"):
                async with live.client.stream(route.method, prefix + route.path, headers=headers) as answer:
                    if f"{route.method} {route.described}" in opened:
                        assert answer.status_code not in (401, 403), route
                    else:
                        assert answer.status_code == 403, route
                        assert (await answer.aread()) == NOT_BY_SIGN_IN


async def test_a_key_that_is_sent_decides_alone(readable_store: Store, clock: SettableClock) -> None:
    async with signed_in(readable_store, clock) as live:
        assert (await live.client.get("/limits", headers={"X-API-Key": "wrong"})).status_code == 401
        assert (await live.client.get("/ledger", headers={"X-API-Key": KEY})).status_code == 200
        assert "detail" not in (await live.client.get("/health")).json()


async def test_only_its_own_page_changes_something(readable_store: Store, clock: SettableClock) -> None:
    async with signed_in(readable_store, clock, allowed_origins=["https://panel.example"]) as live:
        foreign = ("https://evil.example", "null", f"http://127.0.0.1:{live.port + 1}", f"http://localhost:{live.port}")
        for headers in ({}, {"Origin": "https://panel.example"}, *({"Origin": origin} for origin in foreign)):
            answer = await live.client.post("/ingest/tokens", json={"name": "app"}, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin"), headers
        for origin in foreign:
            assert (await sign_in(live, Origin=origin)).status_code == 403
            assert (await live.client.post("/dashboard/logout", headers={"Origin": origin})).status_code == 403
        assert (await live.client.get("/ingest/tokens")).json() == {"data": []}
        made = await live.client.post("/ingest/tokens", json={"name": "app"}, headers=own(live))
        assert made.status_code == 201
        snippets = await live.client.get(f"/ingest/tokens/{made.json()['id']}/snippets")
        assert snippets.json() == made.json()["snippets"]
        assert (await live.client.get("/ingest/tokens/99/snippets")).status_code == 404


async def test_a_page_behind_a_rebound_name_changes_nothing(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    async with listening(readable_store, clock, recorder) as live:
        answer = await live.client.post("/ingest/tokens", json={"name": "app"}, headers=rebound)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "local_only")
        assert (await live.client.get("/limits", headers=rebound)).json()["error"]["code"] == "foreign_origin"


async def test_ten_sign_ins_may_fail_a_minute(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    passed = [0.0]
    settings = settings_of({"api_key": KEY})
    async with listening(readable_store, clock, recorder, settings, monotonic=lambda: passed[0]) as live:
        assert [(await sign_in(live)).status_code for _ in range(12)] == [303] * 12
        assert [(await sign_in(live, "guess")).status_code for _ in range(11)] == [401] * 10 + [429]
        refused = await sign_in(live)
        assert (refused.status_code, int(refused.headers["retry-after"])) == (429, 6)
        assert "set-cookie" not in refused.headers
        passed[0] = 6.1
        assert (await sign_in(live)).status_code == 303


async def test_a_browser_is_told_on_the_form_what_was_wrong(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    accepts = {"Accept": "text/html,*/*;q=0.8"}
    async with listening(readable_store, clock, recorder, settings_of({"api_key": KEY})) as live:
        wrong = await sign_in(live, "<b>guess</b>", **accepts)
        assert (wrong.status_code, wrong.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert "This is not the api key." in wrong.text
        assert "guess" not in wrong.text
        for _ in range(9):
            await sign_in(live, "guess")
        late = await sign_in(live, "guess", **accepts)
        assert (late.status_code, late.headers["retry-after"]) == (429, "6")
        assert "Too many sign-ins failed." in late.text
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for raw in (b"", b"api_key", b"api_key=\xff\x00", b"\xf0\x9f=%ff&&;=", b"api_key=%zz"):
            assert (await live.client.post("/dashboard/login", content=raw, headers=form)).status_code == 429
        posted = await live.client.post("/dashboard/login", json={"api_key": KEY})
        assert (posted.status_code, posted.json()["error"]["code"]) == (415, "unsupported_type")


async def test_without_a_key_it_is_for_browsers_on_this_machine(readable_store: Store, clock: SettableClock) -> None:
    async with recording(readable_store, clock) as (live, _):
        page = await live.client.get("/dashboard")
        assert 'name="api_key"' not in page.text
        assert (await live.client.get("/dashboard/state")).json()["signed_in"] is False
        made = await live.client.post("/ingest/tokens", json={"name": "app"}, headers=own(live))
        assert made.status_code == 201
        nobody = await sign_in(live, "")
        assert (nobody.status_code, nobody.json()["error"]["code"]) == (403, "not_configured")
        for headers in ({"Host": "tunnel.example"}, {"X-Forwarded-For": "10.0.0.1"}, {"X-Forwarded-Proto": "https"}):
            closed = await live.client.get("/dashboard", headers=headers)
            assert "opens only in a browser on the machine" in closed.text
            assert "<script" not in closed.text
            assert (await live.client.get("/dashboard/state", headers=headers)).status_code == 403


@pytest.mark.parametrize("shows_bodies", [False, True])
async def test_prompts_are_shown_only_on_demand(
    readable_store: Store, clock: SettableClock, shows_bodies: bool
) -> None:
    recorded = Recorded(readable_store)
    bodies: dict[str, Any] = {"request_body": BODY, "response_body": BODY, "body_state": BodyState.STORED}
    recorded.add([recorded.request(clock() - MINUTE, external_id="r", **bodies)])
    async with signed_in(readable_store, clock, dashboard_bodies=shows_bodies) as live:
        [row] = (await live.client.get("/requests")).json()["data"]
        by_sign_in = await live.client.get(f"/requests/{row['id']}", params={"bodies": "true"})
        by_key = await live.client.get(f"/requests/{row['id']}", headers={"X-API-Key": KEY})
        without = await live.client.get(f"/requests/{row['id']}?bodies=false", headers={"X-API-Key": KEY})
        exported = await live.client.get("/export.csv")
    assert ("secret question" in by_sign_in.text) == shows_bodies
    assert "secret question" in by_key.text
    assert "secret question" not in without.text + exported.text
    assert without.json()["prompt"] == ""
    assert without.json().keys() == by_key.json().keys()


async def test_the_state_says_what_is_amiss_and_how_the_balances_stand(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    recorded = Recorded(readable_store)
    recorded.add([recorded.request(clock() - MINUTE, 2 * 10**9), recorded.request(clock() - MINUTE, None)])
    apply(
        readable_store,
        clock,
        (),
        [
            Account(
                name="openai", provider="openai", poller=None, poll_every=HOUR, low_balance=None, tells_balance=False
            )
        ],
    )
    condition = {"name": "disk", "status": "degraded", "sentence": "Make room.", "since": "2026-11-20T14:00:00Z"}
    health = Health("degraded", {"conditions": [condition]})
    async with listening(readable_store, clock, recorder, health=health) as live:
        state = (await live.client.get("/dashboard/state")).json()
    assert (state["status"], state["conditions"]) == ("degraded", [condition])
    sums = {"cost_usd": 2.0, "cost_nanousd": 2 * 10**9, "requests": 2, "unpriced": 1, "failed": 0}
    assert (state["today"], state["last_hour"]) == (sums, sums)
    [account] = state["balances"]
    assert (account["account"], account["balance_usd"], account["state"]) == ("openai", None, "uncalibrated")


async def test_the_chart_is_the_whole_span_in_parts(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    recorded = Recorded(readable_store)
    recorded.add(
        [
            recorded.request(clock() - MINUTE, 10**9),
            recorded.request(clock() - MINUTE, None),
            recorded.request(clock() - 20 * DAY, 3 * 10**9),
        ]
    )
    async with listening(readable_store, clock, recorder, settings_of(time={"zone": "UTC"})) as live:

        async def bars(**span: Any) -> list[dict[str, Any]]:
            answer = await live.client.get("/dashboard/chart", params=span)
            assert answer.status_code == 200, answer.text
            found: list[dict[str, Any]] = answer.json()["bars"]
            assert all(one["until"] == other["since"] for one, other in pairwise(found))
            return found

        hour, day = await bars(hours=1), await bars()
        week, month, ages = await bars(hours=168), await bars(hours=720), await bars(hours=1e6)
        assert (await live.client.get("/dashboard/chart?hours=0")).status_code == 422
    assert 60 <= len(hour) <= 61
    assert 96 <= len(day) <= 97
    assert 56 <= len(week) <= 57
    assert 30 <= len(month) <= 31
    assert len(ages) <= 401
    for found in (hour, day, week):
        assert sum(bar["requests"] for bar in found) == 2
        [bar] = [bar for bar in found if bar["requests"]]
        assert (bar["cost_nanousd"], bar["unpriced"]) == (10**9, 1)
    for found in (month, ages):
        assert sum(bar["cost_nanousd"] for bar in found) == 4 * 10**9
