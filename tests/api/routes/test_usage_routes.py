"""What the admin API says about sessions, users and models, and its exports."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.requests.request import BodyState, Status, Usage
from spendtop.domain.sources.records import INGEST
from spendtop.services.exchange.export import COLUMNS
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable
from tests.api.listening import FakeRecorder, Live, listening, settings_of
from tests.conftest import SettableClock
from tests.store.conftest import Recorded

USAGE = Usage(prompt=10, completion=5)
SESSION = "run/7 ä?%41"
IN_PATH = "run/7%20%C3%A4%3F%2541"


@pytest.fixture
def recorded(readable_store: Store, clock: SettableClock) -> Recorded:
    """Three requests of one session, one of another, and one of a user with a slash, over two days."""
    made = Recorded(readable_store)
    now = clock()
    chat = json.dumps({"messages": [{"role": "user", "content": "a question"}]}).encode()
    answer = json.dumps({"choices": [{"message": {"role": "assistant", "content": "an answer"}}]}).encode()
    made.add(
        [
            made.request(
                now - MINUTE,
                30_000_000,
                session_id=SESSION,
                session_path="/plan",
                model="gpt-4o",
                provider="openai",
                user_id="alice",
                usage=USAGE,
                verified=True,
                latency_ms=900,
                request_body=chat,
                response_body=answer,
                body_state=BodyState.STORED,
            ),
            made.request(
                now - HOUR, None, session_id=SESSION, model="own", user_id="alice", usage=USAGE, verified=True
            ),
            made.request(
                now - 30 * HOUR,
                10_000_000,
                session_id=SESSION,
                model="gpt-4o",
                provider="openai",
                user_id="alice",
                status=Status.ERROR,
                http_status=429,
                verified=True,
            ),
            made.request(now - 2 * HOUR, None, session_id="other", user_id="a/b", source=INGEST),
        ]
    )
    return made


@asynccontextmanager
async def serving(recorded: Recorded, clock: SettableClock, recorder: FakeRecorder) -> AsyncIterator[Live]:
    """A listener over these requests, whose days begin in Berlin."""
    settings = settings_of().model_copy(
        update={"time": settings_of().time.model_copy(update={"zone": "Europe/Berlin"})}
    )
    async with listening(recorded.store, clock, recorder, settings) as live:
        yield live


async def get(live: Live, target: str) -> Any:
    response = await live.client.get(target)
    assert response.status_code == 200, response.text
    return response.json()


async def test_sessions_are_listed_with_their_sums(
    recorded: Recorded, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with serving(recorded, clock, recorder) as live:
        first = await get(live, "/sessions?limit=1")
        assert first["data"] == [
            {
                "session_id": SESSION,
                "first_at": "2026-11-19T08:03:07.250000Z",
                "last_at": "2026-11-20T14:02:07.250000Z",
                "requests": 3,
                "cost_usd": 0.04,
                "cost_nanousd": 40_000_000,
                "unpriced": 1,
                "failed": 0,
                "tokens": {"prompt": 20, "completion": 10, "total": 30},
                "models": ["gpt-4o", "own"],
                "users": ["alice"],
                "state": "running",
            }
        ]
        second = await get(live, f"/sessions?limit=1&cursor={first['next_cursor']}")
        assert [(row["session_id"], row["cost_usd"], row["unpriced"]) for row in second["data"]] == [("other", None, 1)]
        assert second["next_cursor"] is None
        assert [row["requests"] for row in (await get(live, "/sessions?hours=2&user=alice"))["data"]] == [2]
        for query, field in (("cursor=x", "cursor"), ("q=(", "q"), ("limit=0", "limit")):
            response = await live.client.get(f"/sessions?{query}")
            assert (response.status_code, set(response.json()["error"]["fields"])) == (422, {field})


@pytest.mark.replaces("fetcher/job-costs")
async def test_what_a_session_cost(recorded: Recorded, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with serving(recorded, clock, recorder) as live:
        costs = await get(live, f"/sessions/{IN_PATH}/costs")
        assert costs == {
            "totalCostUSD": 0.04,
            "unpriced": 1,
            "failed": 0,
            "requestCount": 3,
            "tokenCounts": {"prompt": 20, "completion": 10, "total": 30},
            "breakdown": [
                {"model": "gpt-4o", "costUSD": 0.04, "unpriced": 0, "tokens": 15},
                {"model": "own", "costUSD": None, "unpriced": 1, "tokens": 15},
            ],
            "heliconeVerified": True,
            "heliconeCosts": 2,
            "api_equivalent": {"requests": 0, "tokens": 0, "usd": 0.0},
            "complete": None,
            "note": "Helicone's API is not asked: there is no api_key under [helicone].",
        }
        for path in (f"/jobs/{IN_PATH}/costs", f"/api/sessions/{IN_PATH.replace('/', '%2F')}/costs"):
            assert await get(live, path) == costs
        other = await get(live, "/jobs/other/costs")
        assert (other["totalCostUSD"], other["unpriced"], other["heliconeVerified"]) == (None, 1, False)


@pytest.mark.replaces("fetcher/job-debug")
async def test_what_was_said_in_a_session(recorded: Recorded, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with serving(recorded, clock, recorder) as live:
        debug = await get(live, f"/jobs/{IN_PATH}/debug")
        assert debug == await get(live, f"/sessions/{IN_PATH}/debug")
        assert debug["jobId"] == SESSION
        assert [each["error"] for each in debug["requests"]] == ["error 429", None, None]
        assert debug["requests"][-1] == {
            "id": debug["requests"][-1]["id"],
            "timestamp": "2026-11-20T14:02:07.250000Z",
            "model": "gpt-4o",
            "cost": 0.03,
            "tokens": {"prompt": 10, "completion": 5},
            "prompt": "a question",
            "response": "an answer",
            "body_state": "stored",
            "body_reason": None,
            "latency": 900,
            "path": "/plan",
            "error": None,
        }
        assert (debug["requests"][1]["cost"], debug["requests"][1]["prompt"]) == (None, None)


async def test_a_damaged_body_breaks_a_stream_off(
    recorded: Recorded, clock: SettableClock, recorder: FakeRecorder
) -> None:
    with recorded.store.writing() as connection:
        connection.execute(table_of(BodyTable).update().values(data=b"broken"))
    async with serving(recorded, clock, recorder) as live:
        with pytest.raises(httpx.RemoteProtocolError):
            await live.client.get(f"/sessions/{IN_PATH}/debug")


async def test_what_is_unknown_is_not_found(recorded: Recorded, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with serving(recorded, clock, recorder) as live:
        for target in (
            "/sessions/none/costs",
            "/sessions/none/debug",
            "/jobs//costs",
        ):
            response = await live.client.get(target)
            assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
            assert "none" not in response.json()["error"]["message"]


@pytest.mark.replaces("fetcher/user-costs")
async def test_what_a_user_spent_by_local_day(recorded: Recorded, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with serving(recorded, clock, recorder) as live:
        answer = await get(live, "/users/alice/costs?days=3")
        assert answer == {
            "userId": "alice",
            "known": True,
            "period": {
                "text": "last 3 days",
                "days": 3,
                "since": "2026-11-17T23:00:00.000000Z",
                "until": "2026-11-20T14:03:07.250000Z",
            },
            "totalCostUSD": 0.04,
            "totalTokens": {"prompt": 20, "completion": 10, "total": 30},
            "requestCount": 3,
            "unpriced": 1,
            "failed": 0,
            "byDay": [
                {"date": "2026-11-18", "costUSD": 0.0, "unpriced": 0, "failed": 0, "tokens": 0, "requests": 0},
                {"date": "2026-11-19", "costUSD": 0.01, "unpriced": 0, "failed": 0, "tokens": 0, "requests": 1},
                {"date": "2026-11-20", "costUSD": 0.03, "unpriced": 1, "failed": 0, "tokens": 30, "requests": 2},
            ],
        }
        with_slash = await get(live, "/users/a%2Fb/costs")
        assert (with_slash["userId"], with_slash["totalCostUSD"], with_slash["unpriced"]) == ("a/b", None, 1)
        assert len(with_slash["byDay"]) == 30
        unknown = await get(live, "/users/nobody/costs?days=1")
        assert (unknown["known"], unknown["totalCostUSD"], unknown["requestCount"]) == (False, 0.0, 0)
        assert (unknown["period"]["text"], len(unknown["byDay"])) == ("today", 1)
        for days in ("0", "367", "x"):
            assert (await live.client.get(f"/users/alice/costs?days={days}")).status_code == 422


@pytest.mark.replaces("push/data")
async def test_usage_data_is_the_list_of_requests(
    recorded: Recorded, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with serving(recorded, clock, recorder) as live:
        data = await get(live, "/data?user=alice&limit=2")
        assert data == await get(live, "/requests?user=alice&limit=2")
        assert (len(data["data"]), data["totals"]["requests"], data["totals"]["unpriced"]) == (2, 3, 1)


@pytest.mark.replaces("push/models")
async def test_models_with_their_providers(recorded: Recorded, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with serving(recorded, clock, recorder) as live:
        first, *others = (await get(live, "/models"))["data"]
        assert first == {
            "model": "gpt-4o",
            "family": "gpt-4o",
            "provider": "openai",
            "requests": 2,
            "cost_usd": 0.04,
            "cost_nanousd": 40_000_000,
            "unpriced": 0,
            "failed": 0,
            "last_seen": "2026-11-20T14:02:07.250000Z",
        }
        assert [(row["model"], row["family"], row["cost_usd"]) for row in others] == [
            (None, None, None),
            ("own", "own", None),
        ]
        assert [row["model"] for row in (await get(live, "/models?q=status:error"))["data"]] == ["gpt-4o"]


@pytest.mark.replaces("push/csv")
async def test_exports_are_what_the_list_has(recorded: Recorded, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with serving(recorded, clock, recorder) as live:
        for query in ("", "user=alice", "q=cost>0.02", "hours=2", "user=nobody"):
            rows = (await get(live, f"/requests?{query}"))["data"]
            lines = await live.client.get(f"/export.jsonl?{query}")
            assert [json.loads(line) for line in lines.text.splitlines()] == rows
            table = await live.client.get(f"/export.csv?{query}")
            found = list(csv.DictReader(io.StringIO(table.text, newline="")))
            assert [row["id"] for row in found] == [row["id"] for row in rows]
            assert next(csv.reader(table.text.splitlines()[:1])) == list(COLUMNS)
            assert all(list(row) == list(COLUMNS) for row in rows)
        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        assert lines.headers["content-type"] == "application/x-ndjson"
        named = table.headers["content-disposition"]
        assert named == 'attachment; filename="spendtop-requests-20261120-150307.csv"'
        assert table.headers["transfer-encoding"] == "chunked"


async def test_a_wrong_filter_is_refused_before_the_export_begins(
    recorded: Recorded, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with serving(recorded, clock, recorder) as live:
        for query, field in (("q=(", "q"), ("since=soon", "since"), ("limit=5", "limit"), ("hours=0", "hours")):
            for kind in ("csv", "jsonl"):
                response = await live.client.get(f"/export.{kind}?{query}")
                assert (response.status_code, set(response.json()["error"]["fields"])) == (422, {field})


async def test_an_export_that_fails_in_the_middle_does_not_end_cleanly(
    recorded: Recorded, clock: SettableClock, recorder: FakeRecorder
) -> None:
    recorded.add(recorded.request(clock() - DAY - number) for number in range(600))
    with recorded.store.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE request SET status = 'nonsense' WHERE occurred_at = ?", (clock() - DAY - 550,)
        )
    async with serving(recorded, clock, recorder) as live:
        for kind in ("csv", "jsonl"):
            with pytest.raises(httpx.RemoteProtocolError):
                await live.client.get(f"/export.{kind}")


async def test_a_client_that_goes_away_stops_the_reading(
    recorded: Recorded, clock: SettableClock, recorder: FakeRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.add(recorded.request(clock() - DAY, user_id="u" * 200, properties={"p": "x" * 200}) for _ in range(15_000))
    reads = 0
    reading = recorded.store.reading

    def counted() -> Any:
        nonlocal reads
        reads += 1
        return reading()

    monkeypatch.setattr(recorded.store, "reading", counted)
    async with serving(recorded, clock, recorder) as live, live.client.stream("GET", "/export.jsonl") as response:
        await anext(response.aiter_bytes())
    # Leaving the block waits for what is still being answered.
    assert reads < 25
