from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from spendtop.domain.clock import HOUR, SECOND, to_iso
from spendtop.store.engine import Store
from tests.api.listening import Live, settings_of
from tests.api.recorders import recording
from tests.conftest import SettableClock
from tests.store.conftest import Recorded

TOKENS = "/ingest/tokens"


@pytest.fixture
async def live(readable_store: Store, clock: SettableClock) -> AsyncIterator[Live]:
    settings = settings_of({"ingest_keys": {"apps": "an ingest key"}})
    async with recording(readable_store, clock, settings) as (live, _):
        yield live


async def created(live: Live, **body: Any) -> dict[str, Any]:
    response = await live.client.post(TOKENS, json=body)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def listed(live: Live) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await live.client.get(TOKENS)).json()["data"]
    return rows


@pytest.mark.replaces("push/tokens")
async def test_a_new_token_is_answered_with_snippets_and_listed_without(live: Live, clock: SettableClock) -> None:
    made = await created(live, name="web")
    snippets = made.pop("snippets")
    assert made == {
        "id": 1,
        "token": made["token"],
        "name": "web",
        "active": True,
        "shadow": False,
        "created_at": to_iso(clock()),
        "last_used_at": None,
        "requests": 0,
    }
    assert len(made["token"]) == 22
    assert await listed(live) == [made]
    assert set(snippets) == {"python", "curl", "litellm", "opentelemetry"}
    for text in snippets.values():
        assert made["token"] in text
        assert f"http://127.0.0.1:{live.port}/" in text
        assert "SPENDTOP_INGEST_KEY" in text
        assert '"apps"' in text
        assert "an ingest key" not in text


async def test_snippets_name_the_public_address(readable_store: Store, clock: SettableClock) -> None:
    key = "an-admin-key-of-this-listener"
    settings = settings_of({"public_url": "https://spend.example", "api_key": key})
    async with recording(readable_store, clock, settings) as (live, _):
        live.client.headers["X-API-Key"] = key
        snippets = (await created(live, name="web"))["snippets"]
    assert all("https://spend.example/" in text for text in snippets.values())


async def test_says_how_much_a_token_was_used(readable_store: Store, clock: SettableClock, live: Live) -> None:
    recorded = Recorded(readable_store)
    recorded.add([recorded.request(clock() - HOUR, token="kept"), recorded.request(clock() - SECOND, token="kept")])
    made = await created(live, name="web", token="kept", shadow=True)
    assert (made["token"], made["shadow"]) == ("kept", True)
    assert (made["requests"], made["last_used_at"]) == (2, to_iso(clock() - SECOND))
    assert [(row["requests"], row["last_used_at"]) for row in await listed(live)] == [(2, to_iso(clock() - SECOND))]


async def test_a_taken_name_or_value_is_a_conflict(live: Live) -> None:
    await created(live, name="web", token="value")
    for second in ({"name": "web"}, {"name": "other", "token": "value"}):
        response = await live.client.post(TOKENS, json=second)
        assert (response.status_code, response.json()["error"]["code"]) == (409, "taken")
    assert len(await listed(live)) == 1


async def test_refuses_what_no_token_can_be(live: Live) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "a\u0007b"}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"name": "web", "token": "no spaces"}, "token"),
        ({"name": "web", "token": "line\n"}, "token"),
        ({"name": "web", "token": "x" * 129}, "token"),
        ({"name": "web", "shadow": "yes"}, "shadow"),
    ]
    for body, field in refused:
        response = await live.client.post(TOKENS, json=body)
        assert response.status_code == 422
        assert field in response.json()["error"]["fields"]
    assert await listed(live) == []


@pytest.mark.replaces("push/tokens")
async def test_is_switched_and_toggled(live: Live) -> None:
    await created(live, name="web")
    path = f"{TOKENS}/1/active"
    answers = [await live.client.patch(path, json=body) for body in ({"active": False}, {"active": False}, {})]
    answers.append(await live.client.patch(path))
    assert [(answer.status_code, answer.json()["active"]) for answer in answers] == [
        (200, False),
        (200, False),
        (200, True),
        (200, False),
    ]
    assert [row["active"] for row in await listed(live)] == [False]


async def test_a_change_is_known_to_the_ways_in_at_once(live: Live) -> None:
    await created(live, name="web", token="value")
    book = live.context.tokens
    assert (await book.book(["value"]))["value"].active
    await live.client.patch(f"{TOKENS}/1/active", json={"active": False})
    assert not (await book.book(["value"]))["value"].active
    await live.client.delete(f"{TOKENS}/1")
    assert "value" not in await book.book([])


@pytest.mark.replaces("push/tokens")
async def test_is_deleted_once(live: Live) -> None:
    await created(live, name="web")
    first, second = [await live.client.delete(f"/api{TOKENS}/1") for _ in range(2)]
    assert (first.status_code, first.content, second.status_code) == (204, b"", 404)
    assert await listed(live) == []


async def test_an_unknown_one_is_not_found(live: Live) -> None:
    assert (await live.client.patch(f"{TOKENS}/7/active")).status_code == 404
    assert (await live.client.patch(f"{TOKENS}/7/active", json={"active": "no"})).status_code == 422
    assert (await live.client.delete(f"{TOKENS}/{2**31}")).status_code == 422


async def test_says_which_methods_there_are(live: Live) -> None:
    answer = await live.client.put(TOKENS)
    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"GET", "POST"})


async def test_belongs_to_the_admin(readable_store: Store, clock: SettableClock) -> None:
    settings = settings_of({"api_key": "admin", "ingest_keys": {"apps": "pushes"}})
    async with recording(readable_store, clock, settings) as (live, _):
        answers = [
            await live.client.get(TOKENS),
            await live.client.get(TOKENS, headers={"X-Ingest-Key": "pushes"}),
            await live.client.post(TOKENS, json={"name": "web"}, headers={"X-API-Key": "pushes"}),
            await live.client.get(TOKENS, headers={"X-API-Key": "admin"}),
        ]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 200]
