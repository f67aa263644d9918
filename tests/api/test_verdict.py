from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from msgspec.structs import replace

from spendtop.api.verdict import VerdictRoute
from spendtop.domain.clock import HOUR, to_iso
from spendtop.domain.filters.filters import parse_filter
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.limits.provider_limits import ProviderLimit
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis, Billing, Cost
from spendtop.domain.windows import parse_window
from spendtop.services import tokens
from spendtop.services.alerting.provider_limits import take_limits
from spendtop.store.engine import Store
from tests.api.listening import FakeRecorder, Live, listening, settings_of
from tests.api.recorders import apply, recording
from tests.conftest import SettableClock
from tests.store.conftest import Recorded
from tests.waiting import eventually, soon_answered

DAY_END = "2026-11-21T00:00:00.000000Z"
NOTHING = {"verdict": "allow", "limit": None, "remaining_usd": None, "resets_at": None}


def limit(name: str, dollars: int = 10, window: str = "day", where: str = "", **fields: Any) -> Limit:
    tree = parse_filter(where) if where else None
    return Limit(name=name, window=parse_window(window), amount=Usd.of(dollars), where=tree, where_text=where, **fields)


def spent(store: Store, clock: SettableClock, dollars: float, limits: list[Limit], **fields: Any) -> None:
    recorded = Recorded(store)
    recorded.add([recorded.request(clock() - 1, int(dollars * 1_000_000_000), **fields)], limits)


async def asked(store: Store, clock: SettableClock, limits: list[Limit], *queries: str) -> list[dict[str, Any]]:
    async with recording(store, clock, limits=limits) as (live, _):
        answers = [await live.client.get(f"/verdict?{query}") for query in queries]
    assert [answer.status_code for answer in answers] == [200] * len(queries)
    return [answer.json() for answer in answers]


async def test_without_limits_everything_is_allowed(readable_store: Store, clock: SettableClock) -> None:
    assert await asked(readable_store, clock, [], "", "user=alice&model=gpt-4o&token=t&session=s") == [NOTHING] * 2


async def test_before_a_collector_put_limits_in_force_everything_is_allowed(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    async with listening(readable_store, clock, recorder) as live:
        assert (await live.client.get("/verdict")).json() == NOTHING


@pytest.mark.parametrize(
    ("dollars", "verdict", "remaining"), [(7.9, "allow", 2.1), (8, "warn", 2.0), (10, "deny", 0.0), (11, "deny", 0.0)]
)
async def test_follows_the_state_of_the_limit(
    readable_store: Store, clock: SettableClock, dollars: float, verdict: str, remaining: float
) -> None:
    spent(readable_store, clock, dollars, [])
    (answer,) = await asked(readable_store, clock, [limit("daily")], "user=alice")
    assert answer == {"verdict": verdict, "limit": "daily", "remaining_usd": remaining, "resets_at": DAY_END}


async def test_the_fullest_of_the_worst_decides(readable_store: Store, clock: SettableClock) -> None:
    limits = [
        limit("roomy", 100),
        limit("calm", 10, warn=()),
        limit("near", 10, warn=(0.5,)),
        limit("nearer", 9, warn=(0.95,)),
    ]
    spent(readable_store, clock, 8.1, limits)
    (answer,) = await asked(readable_store, clock, limits, "")
    assert (answer["verdict"], answer["limit"], answer["remaining_usd"]) == ("warn", "near", 1.9)


async def test_limits_that_do_not_apply_say_nothing(readable_store: Store, clock: SettableClock) -> None:
    limits = [
        limit("each user", 1, each=Each.USER),
        limit("each session", 1, window="session", each=Each.SESSION),
        limit("mini", 1, where="model:gpt-4o-mini"),
        limit("not mini", 50, where="-model:gpt-4o-mini"),
        limit("one request", 1, window="request"),
    ]
    spent(readable_store, clock, 2, limits, user_id="alice", session_id="s 1", model="gpt-4o-mini")
    answers = await asked(
        readable_store, clock, limits, "", "user=alice", "user=Alice", "session=s%201", "model=GPT-4o-mini"
    )
    assert [(answer["verdict"], answer["limit"]) for answer in answers] == [
        ("allow", "not mini"),
        ("deny", "each user"),
        ("allow", "each user"),
        ("deny", "each session"),
        ("deny", "mini"),
    ]
    assert answers[3]["resets_at"] is None


@pytest.mark.parametrize("window", ["day", "3h"])
async def test_a_model_is_judged_by_its_family(readable_store: Store, clock: SettableClock, window: str) -> None:
    limits = [limit("each model", 4, window=window, each=Each.MODEL)]
    limits.append(limit("each family", 5, window=window, each=Each.MODEL_FAMILY))
    recorded = Recorded(readable_store)
    names = ("gpt-4o", "openai/gpt-4o-2024-08-06", "gpt-4o-mini")
    recorded.add([recorded.request(clock() - 1, 3 * 10**9, model=name) for name in names], limits)
    asked_for = (
        "model=GPT-4o",
        f"model={quote('gpt-4o@today', safe='')}",
        "model=gpt-4o-mini",
        "user=alice",
        "model=o3",
    )
    answers = await asked(readable_store, clock, limits, *asked_for)
    assert [(answer["verdict"], answer["limit"], answer["remaining_usd"]) for answer in answers] == [
        ("deny", "each family", 0.0),
        ("deny", "each family", 0.0),
        ("allow", "each model", 1.0),
        ("allow", None, None),
        ("allow", "each model", 4.0),
    ]


async def test_names_are_compared_as_they_are_stored(readable_store: Store, clock: SettableClock) -> None:
    each = limit("each user", 1, each=Each.USER)
    spent(readable_store, clock, 2, [each], user_id="jörg")
    (answer,) = await asked(readable_store, clock, [each], f"user={quote('jörg')}")
    assert answer["verdict"] == "deny"


async def test_a_rolling_window_is_exact_for_every_entity(readable_store: Store, clock: SettableClock) -> None:
    each = limit("each user", 10, window="3h", each=Each.USER)
    recorded = Recorded(readable_store)
    edge = clock() - 3 * HOUR
    users = {"alice": (edge, edge - 1, clock() - HOUR), "bob": (edge - 1,)}
    recorded.add([recorded.request(at, 10**9, user_id=user) for user, times in users.items() for at in times], [each])
    answers = await asked(readable_store, clock, [each], "user=alice", "user=bob", "user=carol")
    assert [answer["remaining_usd"] for answer in answers] == [8.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("colour=red", "colour"),
        ("user=", "user"),
        ("user", "query"),
        (f"user={'x' * 257}", "user"),
        ("user=a&user=b", "user"),
        ("user=%ff", "query"),
        ("&".join(f"user={number}" for number in range(20)), "query"),
    ],
)
async def test_refuses_parameters_that_cannot_be_used(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder, query: str, field: str
) -> None:
    async with listening(readable_store, clock, recorder) as live:
        answer = await live.client.get(f"/verdict?{query}")
    assert answer.status_code == 422
    assert list(answer.json()["error"]["fields"]) == [field]


async def test_takes_the_api_key_and_ingest_keys_only(
    readable_store: Store, clock: SettableClock, recorder: FakeRecorder
) -> None:
    settings = settings_of({"api_key": "admin", "ingest_keys": {"apps": "pushes"}})
    async with listening(readable_store, clock, recorder, settings) as live:
        credentials = [
            {},
            {"X-API-Key": "admin"},
            {"X-Ingest-Key": "pushes"},
            {"Authorization": "Bearer pushes"},
            {"X-Ingest-Key": "admin"},
            {"X-API-Key": "pushes"},
        ]
        codes = [(await live.client.get("/api/verdict", headers=headers)).status_code for headers in credentials]
        foreign = await live.client.get(
            "/verdict", headers={"X-Ingest-Key": "pushes", "Origin": "https://evil.example"}
        )
        posted = await live.client.post("/verdict", headers={"X-Ingest-Key": "pushes"})
    assert codes == [401, 200, 200, 200, 401, 401]
    assert (foreign.status_code, posted.status_code) == (403, 405)


async def test_an_unreadable_store_is_no_verdict(store: Store, clock: SettableClock, recorder: FakeRecorder) -> None:
    async with listening(store, clock, recorder) as live:
        answer = await live.client.get("/verdict")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")


async def until(live: Live, query: str, verdict: str) -> dict[str, Any]:
    async def judged() -> dict[str, Any] | None:
        answer: dict[str, Any] = (await live.client.get(f"/verdict?{query}")).json()
        return answer if answer["verdict"] == verdict else None

    return await soon_answered(judged)


async def test_new_spend_and_new_limits_are_seen_soon(readable_store: Store, clock: SettableClock) -> None:
    daily = limit("daily")
    async with recording(readable_store, clock, limits=[daily]) as (live, _):
        assert (await live.client.get("/verdict?user=alice")).json()["verdict"] == "allow"
        spent(readable_store, clock, 11, [daily])
        await until(live, "user=alice", "deny")
        apply(readable_store, clock, [limit("daily", 100), limit("monthly", 1_000, window="month")])
        answer = await until(live, "user=alice", "allow")
    assert (answer["limit"], answer["resets_at"]) == ("daily", to_iso(clock() - clock() % (24 * HOUR) + 24 * HOUR))


async def test_a_new_day_begins_with_nothing_used_from_its_first_moment(
    readable_store: Store, clock: SettableClock
) -> None:
    daily = limit("daily")
    spent(readable_store, clock, 11, [daily])
    async with recording(readable_store, clock, limits=[daily]) as (live, _):
        assert (await until(live, "user=alice", "deny"))["resets_at"] == DAY_END
        clock.advance(24 * HOUR)
        answer = (await live.client.get("/verdict?user=alice")).json()
    assert (answer["verdict"], answer["resets_at"]) == ("allow", "2026-11-22T00:00:00.000000Z")


async def test_many_at_once_are_answered_from_few_reads(
    readable_store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = limit("each user", each=Each.USER)
    async with recording(readable_store, clock, limits=[each]) as (live, _):
        reads, judged = 0, 0
        reading, judging = Store.reading, VerdictRoute._judge

        def counted(store: Store) -> Any:
            nonlocal reads
            reads += 1
            eventually(lambda: judged == 100)
            return reading(store)

        async def noted(verdict: VerdictRoute, subject: Any) -> Any:
            nonlocal judged
            judged += 1
            return await judging(verdict, subject)

        monkeypatch.setattr(Store, "reading", counted)
        monkeypatch.setattr(VerdictRoute, "_judge", noted)

        async def ask(number: int) -> httpx.Response:
            return await live.client.get(f"/verdict?user={number}")

        answers = await asyncio.gather(*map(ask, range(100)))
    assert {answer.json()["remaining_usd"] for answer in answers} == {10.0}
    assert reads < 60


async def test_a_token_is_judged_under_its_name_as_under_its_value(readable_store: Store, clock: SettableClock) -> None:
    limits = [limit("each token", 1, each=Each.TOKEN), limit("app", 9, where='token:"Production App"')]
    with readable_store.writing() as connection:
        tokens.create(connection, "Production App", clock(), value="t-1")
    spent(readable_store, clock, 2, limits, token="t-1")
    answers = await asked(readable_store, clock, limits, "token=t-1", "token=Production%20App", "token=t-2")
    assert [(each["verdict"], each["limit"]) for each in answers] == [("deny", "each token")] * 2 + [
        ("allow", "each token")
    ]


@pytest.mark.parametrize(
    ("include", "query", "verdict"),
    [
        (False, "user=Alice", ("allow", None)),
        (True, "", ("warn", "anthropic organization")),
        (True, "user=Alice", ("deny", "anthropic user Alice")),
        (True, "user=Bob", ("warn", "anthropic organization")),
    ],
)
async def test_providers_limits_decide_where_they_are_to(
    readable_store: Store, clock: SettableClock, include: bool, query: str, verdict: tuple[str, str | None]
) -> None:
    told = [
        ProviderLimit(scope="organization", amount=Usd.of(100), used=Usd.of(90), interval="month"),
        ProviderLimit(scope="organization", amount=Usd.of(50), used=Usd.of(90), interval="month", enforced=False),
        ProviderLimit(scope="user", subject="u1", name="Alice", amount=Usd.of(5), used=Usd.of(5), interval="month"),
        ProviderLimit(scope="project", subject="p1", amount=Usd.of(5), used=Usd.of(9), interval="month"),
    ]
    with readable_store.writing() as connection:
        take_limits(connection, "limits", "anthropic", "anthropic", told, clock())
    async with recording(readable_store, clock) as (live, _):
        apply(readable_store, clock, [], include_provider=include)
        answer = (await live.client.get(f"/verdict?{query}")).json()
    assert (answer["verdict"], answer["limit"]) == verdict


async def test_a_limit_on_usage_under_a_plan_stands_apart_and_does_not_decide(
    readable_store: Store, clock: SettableClock
) -> None:
    under_plan = {"counted": False, "billing": Billing.SUBSCRIPTION}
    plan, daily = limit("plan", 2, measure=LimitedValue.API_EQUIVALENT), limit("daily", 4)
    known = Recorded(readable_store)
    equivalent = Cost(basis=Basis.PLAN, computed=Usd(2_000_000_000))
    known.add([replace(known.request(clock() - 1, None, **under_plan), cost=equivalent)], [plan, daily])
    known.add([known.request(clock() - 1, 10**9)], [plan, daily])
    of_plan = {"verdict": "deny", "limit": "plan", "remaining_usd": 0.0, "resets_at": DAY_END}
    by_spend = {"verdict": "allow", "limit": "daily", "remaining_usd": 3.0, "resets_at": DAY_END}
    assert await asked(readable_store, clock, [plan, daily], "") == [{**by_spend, "api_equivalent": of_plan}]
    assert await asked(readable_store, clock, [plan], "") == [{**NOTHING, "api_equivalent": of_plan}]
