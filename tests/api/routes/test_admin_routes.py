"""What the admin API says about requests that came as webhooks, through the real recorder."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from spendtop.domain.clock import HOUR, MINUTE, SECOND
from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.windows import Calendar, parse_window
from spendtop.services import tokens
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, keep
from tests.api.listening import Live, listening
from tests.conftest import SettableClock
from tests.store.conftest import Recorded

DAILY = Limit(name="daily", window=parse_window("day"), amount=Usd.of(1), warn=(0.5, 0.8))


def event(number: int, now: int, **fields: Any) -> bytes:
    """A webhook of one request, `number` minutes ago, for `number` cents."""
    created = (now - number * MINUTE) // SECOND
    content = {
        "request_id": f"external-{number}",
        "request_body": {"messages": [{"role": "user", "content": f"question {number}"}]},
        "response_body": {
            "id": f"chat-{number}",
            "created": created,
            "choices": [{"message": {"role": "assistant", "content": f"answer {number}"}}],
            "usage": {"prompt_tokens": 100 * number, "completion_tokens": 10, "total_tokens": 100 * number + 10},
        },
        "user_id": "alice" if number % 2 else "bob",
        "model": "gpt-4o" if number < 3 else "o3",
        "provider": "OPENAI",
        "metadata": {"cost": number / 100, "latencyMs": 900},
    }
    return json.dumps({**content, **fields}).encode()


@asynccontextmanager
async def filled(store: Store, clock: SettableClock, count: int = 4) -> AsyncIterator[Live]:
    """A listener that has taken requests 1 to `count`, under one daily limit."""
    calendar = Calendar()
    preparer = Preparer(Pricer({}, None, lambda provider, model, terms, at: None), None, keep_bodies=True)
    recorder = Recorder(store, preparer, LimitBook([DAILY], calendar, {}))
    info = CollectorInfo(version="1", host="h", pid=1, url="", started_at=clock())
    in_force = Applied(limits=(DAILY,), calendar=calendar, channels=(), collector=info, at=clock(), config_digest="")
    with store.writing() as connection:
        keep(connection, in_force)
    recorder.start()
    try:
        async with listening(store, clock, recorder) as live:
            for number in range(1, count + 1):
                assert (await live.post_signed(event(number, clock()))).json()["status"] == "stored"
            yield live
    finally:
        recorder.stop()


async def get(live: Live, target: str) -> Any:
    """The answer's content."""
    response = await live.client.get(target)
    assert response.status_code == 200, response.text
    return response.json()


async def problem_fields(live: Live, target: str) -> set[str]:
    """The parameters that a refusal names."""
    response = await live.client.get(target)
    assert response.status_code == 422
    return set(response.json()["error"]["fields"])


@pytest.mark.replaces("monitor/summary")
async def test_the_summary(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock) as live:
        raw = event(5, clock(), model="unheard-of", metadata={"cost": 0, "latencyMs": 1}, user_id="carol")
        await live.post_signed(raw)
        summary = await get(live, "/spending/summary")
        assert summary["since"] == "2026-11-19T14:03:07.250000Z"
        assert summary["until"] == "2026-11-20T14:03:07.250000Z"
        assert (summary["cost_usd"], summary["cost_nanousd"]) == (0.1, 100_000_000)
        assert (summary["requests"], summary["unpriced"]) == (5, 1)
        assert summary["tokens"] == {"prompt": 1500, "completion": 50, "total": 1550}
        assert summary["average_cost_usd"] == 0.025
        assert summary["by_model"][0] == {
            "model": "o3",
            "cost_usd": 0.07,
            "cost_nanousd": 70_000_000,
            "requests": 2,
            "unpriced": 0,
            "failed": 0,
            "share": 0.7,
        }
        assert [row["user_id"] for row in summary["top_users"]] == ["bob", "alice", "carol"]
        assert [row["unpriced"] for row in summary["top_users"]] == [0, 0, 1]
        assert summary["limits"] == [
            {
                "name": "daily",
                "entity": "",
                "entity_name": "",
                "window": "day",
                "measure": "spend",
                "used_usd": 0.1,
                "limit_usd": 1.0,
                "fraction": 0.1,
                "state": "ok",
            }
        ]
        assert summary["by"] is None
        assert await get(live, "/api/spending/summary") == summary


async def test_the_summary_of_a_span(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock) as live:
        assert (await get(live, "/spending/summary?hours=0.04"))["requests"] == 2
        assert (await get(live, "/spending/summary?since=2026-11-20&until=2026-11-20"))["requests"] == 4
        assert (await get(live, "/spending/summary?from=2026-11-21"))["requests"] == 0
        by_user = (await get(live, "/spending/summary?by=user"))["by"]
        assert [(row["key"], row["cost_nanousd"], row["share"]) for row in by_user] == [
            ("bob", 60_000_000, 0.6),
            ("alice", 40_000_000, 0.4),
        ]
        empty = await get(live, "/spending/summary?until=2026-11-01")
        assert (empty["average_cost_usd"], empty["since"], empty["by_model"]) == (None, None, [])


@pytest.mark.replaces("fetcher/trends")
async def test_the_summary_by_local_day(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock) as live:
        days = (await get(live, "/spending/summary?by=day&since=2026-11-18&until=2026-11-20"))["by"]
        assert [(row["day"], row["key"], row["requests"]) for row in days] == [
            ("2026-11-18", "2026-11-18", 0),
            ("2026-11-19", "2026-11-19", 0),
            ("2026-11-20", "2026-11-20", 4),
        ]
        users = (await get(live, "/spending/summary?by=day,user&since=2026-11-18"))["by"]
        assert [(row["day"], row["key"], row["cost_nanousd"], row["share"]) for row in users] == [
            ("2026-11-20", "bob", 60_000_000, 0.6),
            ("2026-11-20", "alice", 40_000_000, 0.4),
        ]
        assert len((await get(live, "/spending/summary?by=day&until=2026-11-20"))["by"]) == 1
        assert await problem_fields(live, "/spending/summary?by=day&since=2020-01-01") == {"since"}
        assert await problem_fields(live, "/spending/summary?by=user,day") == {"by"}


async def test_models_by_family_are_one_group_and_exact_in_all_else(
    readable_store: Store, clock: SettableClock
) -> None:
    async with filled(readable_store, clock) as live:
        await live.post_signed(event(5, clock(), model="openai/gpt-4o-2024-08-06"))
        summary = await get(live, "/spending/summary?by=model_family")
    assert [(row["key"], row["requests"]) for row in summary["by"]] == [("gpt-4o", 3), ("o3", 2)]
    assert {row["model"] for row in summary["by_model"]} == {"gpt-4o", "openai/gpt-4o-2024-08-06", "o3"}


async def test_the_list_and_its_pages(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock) as live:
        first = await get(live, "/requests?limit=3")
        assert [row["external_ids"]["helicone"] for row in first["data"]] == ["external-1", "external-2", "external-3"]
        assert first["totals"] == {
            "requests": 4,
            "cost_usd": 0.1,
            "cost_nanousd": 100_000_000,
            "unpriced": 0,
            "failed": 0,
            "tokens": 1040,
            "shadow": 0,
            "plan": 0,
        }
        second = await get(live, f"/requests?limit=3&cursor={first['next_cursor']}")
        assert [row["external_ids"]["helicone"] for row in second["data"]] == ["external-4"]
        assert second["next_cursor"] is None


async def test_a_row_has_every_field(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock, 1) as live:
        (row,) = (await get(live, "/requests"))["data"]
        assert isinstance(row.pop("id"), str)
        assert row == {
            "external_ids": {"helicone": "external-1"},
            "occurred_at": "2026-11-20T14:02:07.000000Z",
            "time_source": "provider",
            "received_at": "2026-11-20T14:03:07.250000Z",
            "provider": "openai",
            "model": "gpt-4o",
            "status": "ok",
            "http_status": None,
            "user_id": "alice",
            "session_id": None,
            "session_path": None,
            "token": None,
            "properties": {},
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "total_tokens": 110,
            "cached_tokens": None,
            "cache_write_tokens": None,
            "reasoning_tokens": None,
            "cost_usd": 0.01,
            "cost_nanousd": 10_000_000,
            "basis": "reported",
            "reported_cost_usd": 0.01,
            "computed_cost_usd": None,
            "verified": False,
            "cached": False,
            "latency_ms": 900,
            "ttft_ms": None,
            "sources": ["helicone"],
            "response_id": "chat-1",
            "time_suspect": False,
            "price_version": None,
            "counted": True,
            "body_state": "stored",
            "quantities": {"input_tokens": 100, "output_tokens": 10},
            "service_level": None,
            "level_assumed": False,
            "partial": False,
            "unpriced_units": {},
            "reported_by": "gateway",
            "doubtful": False,
            "probable_twin_of": None,
            "inference_geo": None,
            "served_model": None,
            "provider_usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
            "token_name": None,
            "billing": None,
            "output_final": True,
            "api_equivalent_usd": None,
            "api_equivalent_nanousd": None,
            "imported": False,
        }


QUERIES = [
    ("user=alice", [1, 3]),
    ("user=ALICE&model=o3", [3]),
    ("model=gpt-4o", [1, 2]),
    ("token=none", []),
    ("q=user:bob cost>0.03", [4]),
    ("q=", [1, 2, 3, 4]),
    ("hours=0.04", [1, 2]),
    ("hours=1e6", [1, 2, 3, 4]),
    ("since=-150s", [1, 2]),
    ("since=2026-11-20T14:01:00Z", [1, 2]),
    ("since=2026-11-20T15:01:00%2B01:00", [1, 2]),
    ("since=2026-11-20T15:01:00+01:00", [1, 2]),
    ("to=2026-11-20T14:01:00Z", [3, 4]),
    ("from=2026-11-20T14:00:00Z&to=2026-11-20T14:02:00Z", [2, 3]),
    ("hours=1&until=2026-11-20T14:00:00Z", [4]),
]


async def test_what_lists_take(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock) as live:
        for query, numbers in QUERIES:
            found = await get(live, f"/requests?{query}")
            assert [row["external_ids"]["helicone"] for row in found["data"]] == [
                f"external-{each}" for each in numbers
            ]
            assert found["totals"]["requests"] == len(numbers)


async def test_what_lists_refuse_is_named(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock, 0) as live:
        for query, field in (
            ("hours=0", "hours"),
            ("hours=-1", "hours"),
            ("hours=nan", "hours"),
            ("hours=inf", "hours"),
            ("hours=1000001", "hours"),
            ("hours=a", "hours"),
            ("since=soon", "since"),
            ("from=soon", "from"),
            ("until=9999-99-99", "until"),
            ("to=..", "to"),
            ("since=2026-01-01&from=2026-01-01", "from"),
            ("since=2026-01-01&hours=1", "hours"),
            ("since=2026-01-02T00:00Z&until=2026-01-02T00:00Z", "until"),
            ("q=(", "q"),
            ("q=nofield:1", "q"),
            ("model=", "model"),
            (f"user={'a' * 257}", "user"),
            ("cursor=nonsense", "cursor"),
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=ten", "limit"),
            ("offset=3", "offset"),
        ):
            assert await problem_fields(live, f"/requests?{query}") == {field}, query
        assert await problem_fields(live, "/spending/summary?by=colour") == {"by"}
        assert await problem_fields(live, "/spending/summary?user=alice") == {"user"}


async def test_one_request_with_its_bodies(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock, 2) as live:
        one = await get(live, "/requests/external-2")
        assert one == await get(live, f"/requests/{one['id']}")
        assert one["request_body"] == {"messages": [{"role": "user", "content": "question 2"}]}
        assert one["response_body"]["id"] == "chat-2"
        assert (one["prompt"], one["response"]) == ("question 2", "answer 2")
        assert (one["body_state"], one["revisions"]) == ("stored", [])


async def test_an_unknown_request_is_not_found(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock, 0) as live:
        for id in ("1", "unknown", "9" * 30, "²", "-1", "%20"):
            response = await live.client.get(f"/requests/{id}")
            assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


AHEAD = ("reaches_at", "low", "high", "likely", "end_nanousd", "end_low_nanousd", "end_high_nanousd", "linear_nanousd")


async def test_limits_as_they_stand(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock) as live:
        await live.post_signed(event(60, clock() - HOUR))
        assert (await get(live, "/limits"))["data"] == [
            {
                "name": "daily",
                "entity": "",
                "entity_name": "",
                "window": "day",
                "measure": "spend",
                "starts_at": "2026-11-20T00:00:00.000000Z",
                "ends_at": "2026-11-21T00:00:00.000000Z",
                "used_nanousd": 700_000_000,
                "limit_nanousd": 1_000_000_000,
                "unpriced": 0,
                "fraction": 0.7,
                "state": "approaching",
                "thresholds": [0.5, 0.8, 1.0],
                "raised_nanousd": 0,
                "raised_until": None,
                "forecast": {"enough_data": False} | dict.fromkeys(AHEAD),
            }
        ]


async def test_text_from_outside_leaves_as_it_came(readable_store: Store, clock: SettableClock) -> None:
    name = "\x1b]52;c;x\x07[/nope]‮"
    async with filled(readable_store, clock, 0) as live:
        await live.post_signed(event(1, clock(), user_id=name, model="a\0b"))
        response = await live.client.get("/requests")
        assert b"\x1b" not in response.content
        (row,) = response.json()["data"]
        assert (row["user_id"], row["model"]) == (name, "a␀b")


async def test_the_groups_add_up_to_the_whole_also_where_requests_name_none(
    readable_store: Store, clock: SettableClock
) -> None:
    async with filled(readable_store, clock) as live:
        summary = await get(live, "/spending/summary?by=token")
    assert [(row["key"], row["requests"], row["share"]) for row in summary["by"]] == [(None, summary["requests"], 1.0)]


async def test_tokens_are_told_by_name_and_selected_by_name_or_value(
    readable_store: Store, clock: SettableClock
) -> None:
    with readable_store.writing() as connection:
        tokens.create(connection, "Production App", clock(), value="t-1")
    recorded = Recorded(readable_store)
    recorded.add([recorded.request(clock() - 1, token=value) for value in ("t-1", "t-gone")])
    async with filled(readable_store, clock, 0) as live:
        by = (await get(live, "/spending/summary?by=token"))["by"]
        assert {(row["key"], row["token"]) for row in by} == {("Production App", "t-1"), ("t-gone", "t-gone")}
        for token in ("t-1", "Production App"):
            rows = (await live.client.get("/requests", params={"token": token})).json()["data"]
            assert [(row["token"], row["token_name"]) for row in rows] == [("t-1", "Production App")]


@pytest.mark.parametrize(
    ("path", "field", "meant"),
    [
        ("/requests?start_date=2026-11-01", "start_date", "since"),
        ("/api/spending/summary?group_by=user", "group_by", "by"),
        ("/export.csv?filter=x", "filter", "q"),
        ("/users/alice/costs?period=3", "period", "days"),
        ("/verdict?username=alice", "username", "user"),
        ("/limits?page=2", "page", None),
        ("/ingest/tokens?sk-secret-1234=x", "query", None),
    ],
)
async def test_an_unknown_parameter_is_refused_with_the_name_that_was_meant(
    readable_store: Store, clock: SettableClock, path: str, field: str, meant: str | None
) -> None:
    async with filled(readable_store, clock, 0) as live:
        answer = await live.client.get(path)
    fields = answer.json()["error"]["fields"]
    assert (answer.status_code, list(fields)) == (422, [field])
    assert "is not known here" in fields[field] and "secret" not in answer.text
    assert (f"did you mean {meant}?" in fields[field]) == (meant is not None)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/requests?limit=0", {"limit": "must be at least 1"}),
        ("/requests?limit=1001", {"limit": "must be at most 1000"}),
        ("/requests?limit=ten", {"limit": "must be a whole number"}),
        ("/requests?hours=-1", {"hours": "must be more than 0"}),
        ("/requests?hours=soon", {"hours": "must be a number"}),
        ("/alerts?open=perhaps", {"open": "must be true or false"}),
        (f"/requests?user={'a' * 257}", {"user": "must be at most 256 characters long"}),
    ],
)
async def test_a_value_that_cannot_be_used_is_told_as_the_configuration_tells_it(
    readable_store: Store, clock: SettableClock, path: str, problem: dict[str, str]
) -> None:
    async with filled(readable_store, clock, 0) as live:
        assert (await live.client.get(path)).json()["error"]["fields"] == problem
        answer = await live.client.post("/ingest/tokens", json={})
        assert answer.json()["error"]["fields"] == {"name": "is missing"}


async def test_an_unknown_field_of_a_body_is_refused_likewise(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock, 0) as live:
        answer = await live.client.post("/ingest/tokens", json={"name": "web", "shadows": True})
    assert answer.json()["error"]["fields"] == {
        "shadows": "is not known here; did you mean shadow? known: name, shadow, token"
    }


async def test_parameters_have_the_names_of_the_rows_as_well(readable_store: Store, clock: SettableClock) -> None:
    recorded = Recorded(readable_store)
    recorded.add([recorded.request(clock() - 1, user_id=user, session_id=f"run-{user}") for user in ("ann", "bob")])
    async with filled(readable_store, clock, 0) as live:
        for query in ("user=ann", "user_id=ann", "session=run-ann", "session_id=run-ann", "q=user_id:ann"):
            rows = (await get(live, f"/requests?{query}"))["data"]
            assert [row["user_id"] for row in rows] == ["ann"], query
        assert await problem_fields(live, "/requests?user=ann&user_id=bob") == {"user_id"}
        by_user = await get(live, "/spending/summary?by=user")
        assert await get(live, "/spending/summary?by=user_id") == by_user
