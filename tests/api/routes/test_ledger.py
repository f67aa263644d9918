"""Accounts and their ledgers over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.ledger.amounts import BilledName, CostPart, Costs, UserPart
from spendtop.domain.money import Usd
from spendtop.services import checkpoints, tasks
from spendtop.services.ledger import entries as ledger
from spendtop.services.tasks import TaskKind, TaskState
from spendtop.store.engine import Store
from spendtop.store.reads.configuration.applied import applied, keep
from spendtop.store.tables import LedgerEventTable
from tests import accounts
from tests.accounts import OPENAI
from tests.api.listening import Live
from tests.api.routes.test_admin_routes import filled, get
from tests.conftest import SettableClock
from tests.services.conftest import rows
from tests.waiting import soon

ROUTER = replace(accounts.ROUTER, low_balance=None)


def bill(store: Store, now: int, *amounts: str) -> None:
    """A poll just now: these dollars for today and the days before it."""
    today = now // DAY
    parts = tuple(CostPart(day=today - ago, amount=Decimal(each)) for ago, each in enumerate(amounts))
    with store.writing() as connection:
        ledger.take_costs(connection, "openai", Costs(first_day=today - 10, last_day=today, parts=parts), now)
        checkpoints.succeeded(connection, "openai-costs", now)


@asynccontextmanager
async def kept(store: Store, clock: SettableClock, count: int = 1) -> AsyncIterator[Live]:
    """A listener with both accounts, the costs read just now."""
    async with filled(store, clock, count) as live:
        with store.writing() as connection:
            known = applied(connection)
            assert known is not None
            keep(connection, type(known)(**{**_fields(known), "accounts": (OPENAI, ROUTER)}))
        bill(store, clock(), "4.20", "1.10")
        yield live


def _fields(known: Any) -> dict[str, Any]:
    return {name: getattr(known, name) for name in known.__struct_fields__}


async def post(live: Live, target: str, body: object, status: int = 200) -> Any:
    answer = await live.client.post(target, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_accounts_are_listed_as_they_stand(readable_store: Store, clock: SettableClock) -> None:
    async with kept(readable_store, clock) as live:
        with readable_store.writing() as connection:
            ledger.take_balance(connection, "router", Usd.of("7.25"), clock())
        openai, router = (await get(live, "/ledger"))["data"]
    assert (openai["account"], openai["balance_usd"], openai["state"]) == ("openai", None, "uncalibrated")
    assert openai["as_of"] == "2026-11-20T14:03:07.250000Z"
    assert (router["balance_usd"], router["balance_nanousd"], router["state"]) == (7.25, 7_250_000_000, "stale")


async def test_a_ledger_has_its_entries_and_days(readable_store: Store, clock: SettableClock) -> None:
    async with kept(readable_store, clock, 2) as live:
        await post(live, "/ledger/openai/sync", {"balance": "25.00"})
        found = await get(live, "/api/ledger/openai?days=7")
    assert (found["account"], found["provider"], found["state"]) == ("openai", "openai", "ok")
    assert (found["balance_usd"], found["balance_nanousd"]) == (25.0, 25_000_000_000)
    assert (found["calibrated_at"], found["drift_usd"]) == ("2026-11-20T14:03:07.250000Z", None)
    assert [(each["kind"], each["observed_nanousd"]) for each in found["events"]] == [("calibration", 25_000_000_000)]
    assert found["days"][:2] == [
        {
            "date": "2026-11-20",
            "billed_nanousd": 4_200_000_000,
            "ours_nanousd": 30_000_000,
            "unpriced": 0,
            "restated": 0,
            "doubted": False,
            "imported": 0,
        },
        {
            "date": "2026-11-19",
            "billed_nanousd": 1_100_000_000,
            "ours_nanousd": 0,
            "unpriced": 0,
            "restated": 0,
            "doubted": False,
            "imported": 0,
        },
    ]


@pytest.mark.parametrize("balance", ["42.93", 42.93, "42.930000000"])
async def test_a_calibration_is_exact_as_text_and_as_number(
    readable_store: Store, clock: SettableClock, balance: object
) -> None:
    async with kept(readable_store, clock) as live:
        await post(live, "/ledger/openai/sync", {"balance": "29.123456789"})
        clock.advance(MINUTE)
        bill(readable_store, clock(), "5.05", "1.10")
        answer = await post(live, "/ledger/openai/sync", {"balance": balance})
    assert answer == {
        "account": "openai",
        "predicted_nanousd": 28_273_456_789,
        "observed_nanousd": 42_930_000_000,
        "drift_nanousd": 14_656_543_211,
        "state": "ok",
    }


async def test_the_first_calibration_predicts_nothing(readable_store: Store, clock: SettableClock) -> None:
    async with kept(readable_store, clock) as live:
        answer = await post(live, "/ledger/openai/sync", {"balance": "25"})
        (event,) = (await get(live, "/ledger/openai"))["events"]
    assert (answer["predicted_nanousd"], answer["observed_nanousd"], answer["drift_nanousd"]) == (
        None,
        25 * 10**9,
        None,
    )
    assert (event["amount_usd"], event["amount_nanousd"], event["predicted_nanousd"]) == (None, None, None)


async def test_a_drift_that_no_account_has_is_refused(readable_store: Store, clock: SettableClock) -> None:
    async with kept(readable_store, clock) as live:
        await post(live, "/ledger/openai/sync", {"balance": "999999999"})
        answer = await post(live, "/ledger/openai/sync", {"balance": "-999999999"}, 422)
    assert list(answer["error"]["fields"]) == ["balance"]


async def test_old_costs_are_read_before_a_calibration(readable_store: Store, clock: SettableClock) -> None:
    async with kept(readable_store, clock) as live:
        await post(live, "/ledger/openai/sync", {"balance": "20"})
        clock.advance(HOUR)
        asked = asyncio.ensure_future(post(live, "/ledger/openai/sync", {"balance": "19"}))
        task = await soon(lambda: queued(readable_store, clock()))
        assert (task.kind, task.arguments) == (TaskKind.POLL_NOW, {"poller": "openai-costs"})
        bill(readable_store, clock(), "5.20", "1.10")
        with readable_store.writing() as connection:
            tasks.finish(connection, task.id, TaskState.DONE, "Polled.", clock())
        answer = await asked
    assert (answer["predicted_nanousd"], answer["drift_nanousd"], answer["state"]) == (19_000_000_000, 0, "ok")


async def test_a_calibration_on_old_costs_says_so(readable_store: Store, clock: SettableClock) -> None:
    async with kept(readable_store, clock) as live:
        clock.advance(20 * MINUTE)
        asked = asyncio.ensure_future(post(live, "/ledger/openai/sync", {"balance": "19"}))
        task = await soon(lambda: queued(readable_store, clock()))
        with readable_store.writing() as connection:
            tasks.finish(connection, task.id, TaskState.FAILED, "OpenAI is away.", clock())
        answer = await asked
    assert (answer["observed_nanousd"], answer["state"]) == (19_000_000_000, "stale")


def queued(store: Store, now: int) -> Any:
    with store.writing() as connection:
        return tasks.claim(connection, now)


@pytest.mark.replaces("credit/entries")
async def test_entries_move_the_balance_and_are_never_edited(readable_store: Store, clock: SettableClock) -> None:
    async with kept(readable_store, clock) as live:
        await post(live, "/ledger/openai/sync", {"balance": 20})
        clock.advance(MINUTE)
        deposit = {"kind": "deposit", "amount": "25", "note": "card"}
        assert (await post(live, "/ledger/openai/events", deposit))["balance_usd"] == 45.0
        before = {"kind": "deposit", "amount": 5, "effective_at": "2026-11-20T13:00:00+00:00"}
        assert (await post(live, "/ledger/openai/events", before))["balance_usd"] == 45.0
        clock.advance(MINUTE)
        await post(live, "/ledger/openai/events", {"kind": "expiry", "amount": "1.25"})
        found = await post(live, "/ledger/openai/events", {"kind": "adjustment", "amount": -0.75})
    assert found["balance_nanousd"] == 43_000_000_000
    newest = found["events"][0]
    assert (newest["kind"], newest["amount_nanousd"], newest["recorded_by"]) == ("adjustment", -750_000_000, "api")


@pytest.mark.parametrize(
    ("target", "body", "field"),
    [
        ("openai/sync", {}, "balance"),
        ("openai/sync", {"balance": "canary"}, "balance"),
        ("openai/sync", {"balance": True}, "balance"),
        ("openai/sync", {"balance": "NaN"}, "balance"),
        ("openai/sync", {"balance": 1e12}, "balance"),
        ("openai/sync", {"balance": 1, "more": "canary"}, "more"),
        ("router/sync", {"balance": 1}, "account"),
        ("openai/events", {"kind": "canary", "amount": 1}, "kind"),
        ("openai/events", {"kind": "calibration", "amount": 1}, "kind"),
        ("openai/events", {"kind": "deposit", "amount": -1}, "amount"),
        ("openai/events", {"kind": "deposit", "amount": 0}, "amount"),
        ("openai/events", {"kind": "deposit", "amount": 1, "effective_at": "2026-11-20T13:00:00"}, "effective_at"),
        ("openai/events", {"kind": "deposit", "amount": 1, "effective_at": "2026-11-21T00:00:00Z"}, "effective_at"),
    ],
)
async def test_what_cannot_be_entered_is_refused_by_field(
    readable_store: Store, clock: SettableClock, target: str, body: object, field: str
) -> None:
    async with kept(readable_store, clock) as live:
        answer = await live.client.post(f"/ledger/{target}", json=body)
    assert answer.status_code == 422
    assert set(answer.json()["error"]["fields"]) == {field}
    assert "canary" not in answer.text
    assert rows(readable_store, LedgerEventTable) == []


async def test_an_unknown_account_is_404(readable_store: Store, clock: SettableClock) -> None:
    async with kept(readable_store, clock) as live:
        for answer in (
            await live.client.get("/ledger/nobody"),
            await live.client.post("/ledger/nobody/sync", json={"balance": 1}),
            await live.client.post("/ledger/nobody/events", json={"kind": "deposit", "amount": 1}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_without_accounts_the_list_is_empty(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock, 1) as live:
        assert await get(live, "/ledger") == {"data": []}


async def test_a_day_is_told_by_key_user_and_project_with_what_is_not_billed_yet(
    readable_store: Store, clock: SettableClock
) -> None:
    now, day = clock(), clock() // DAY
    async with kept(readable_store, clock, count=2) as live:
        costs = Costs(
            first_day=day,
            last_day=day,
            parts=(
                CostPart(day=day, amount=Decimal("0.03"), api_key="key_1", project="proj_1", line_item="gpt-4o, input"),
                CostPart(day=day, amount=Decimal("0.80"), api_key="key_2", project="proj_2", line_item="o3, input"),
            ),
            users=(UserPart(day, "user-alice", Decimal("0.83")),),
            names=(BilledName("key", "key_2", "lab"), BilledName("user", "user-alice", "alice")),
            billed_until=now - 90 * 1_000_000,
            split="by key",
        )
        with readable_store.writing() as connection:
            ledger.take_costs(connection, "openai", costs, now)
        date = "2026-11-20"
        keys = (await get(live, f"/ledger/openai?day={date}&by=key"))["who"]
        users = (await get(live, f"/ledger/openai?day={date}&by=user"))["who"]
        projects = (await get(live, f"/ledger/openai?day={date}&by=project"))["who"]
        whole = await get(live, "/ledger/openai")
        wrong = await live.client.get("/ledger/openai?by=key")
    assert (keys["date"], keys["by"], keys["billed_until"]) == (date, "key", "2026-11-20T14:01:37.250000Z")
    strange, ours = keys["data"]
    assert (strange["id"], strange["name"], strange["billed_usd"]) == ("key_2", "lab", 0.8)
    assert (strange["never_passed"], ours["never_passed"]) == (True, False)
    assert (ours["id"], ours["billed_nanousd"], ours["seen_nanousd"]) == ("key_1", 30_000_000, 20_000_000)
    assert (ours["not_billed_yet_nanousd"], ours["not_billed_yet_requests"]) == (10_000_000, 1)
    first = users["data"][0]
    assert (first["id"], first["name"], first["billed_usd"]) == ("user-alice", "alice", 0.83)
    assert [each["id"] for each in projects["data"]] == ["proj_2", "proj_1"]
    assert (whole["who"], whole["billed_until"]) == (None, keys["billed_until"])
    assert (wrong.status_code, [*wrong.json()["error"]["fields"]]) == (422, ["day"])
