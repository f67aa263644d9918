"""Raising a limit over HTTP."""

from __future__ import annotations

import pytest

from spendtop.domain.limits.provider_limits import ProviderLimit
from spendtop.domain.money import Usd
from spendtop.services.alerting.provider_limits import take_limits
from spendtop.store.engine import Store
from spendtop.store.tables import LimitRaiseTable
from tests.api.routes.test_admin_routes import event, filled, get
from tests.conftest import SettableClock
from tests.services.conftest import rows


async def test_a_raise_counts_at_once_for_limits_and_the_verdict(readable_store: Store, clock: SettableClock) -> None:
    async with filled(readable_store, clock) as live:
        answer = await live.client.post("/limits/daily/raise", json={"usd": "20.5", "until": "tomorrow"})
        assert answer.status_code == 200
        raised = answer.json()
        assert (raised["name"], raised["entity"], raised["raised_usd"], raised["raised_nanousd"]) == (
            *("daily", None, 20.5),
            20_500_000_000,
        )
        assert raised["until"] == "2026-11-21T00:00:00.000000Z"
        (limit,) = (await get(live, "/limits"))["data"]
        assert (limit["limit_nanousd"], limit["raised_nanousd"]) == (21_500_000_000, 20_500_000_000)
        assert (limit["state"], limit["raised_until"]) == ("ok", raised["until"])
        verdict = (await live.client.get("/verdict")).json()
        assert (verdict["verdict"], verdict["limit"]) == ("allow", "daily")
        assert verdict["remaining_usd"] > 20


async def test_a_raise_that_is_taken_back_is_answered_and_the_limit_holds_as_before(
    readable_store: Store, clock: SettableClock
) -> None:
    async with filled(readable_store, clock) as live:
        made = (await live.client.post("/limits/daily/raise", json={"usd": "20.5", "until": "tomorrow"})).json()
        named = await live.client.delete("/limits/daily/raise", params={"entity": "ada"})
        assert (named.status_code, [*named.json()["error"]["fields"]]) == (422, ["entity"])
        assert (await live.client.delete("/limits/daily/raise", params={"whose": "ada"})).status_code == 422
        assert (await live.client.put("/limits/daily/raise")).headers["Allow"] == "POST, DELETE"
        assert (await live.client.delete("/limits/daily/raise")).json() == {"data": [made]}
        (limit,) = (await get(live, "/limits"))["data"]
        assert (limit["raised_nanousd"], limit["raised_until"]) == (0, None)
        for name in ("daily", "monthly"):
            assert (await live.client.delete(f"/limits/{name}/raise")).status_code == 404


@pytest.mark.parametrize(
    ("name", "body", "code", "field"),
    [
        ("monthly", {"usd": 20, "until": "tomorrow"}, 404, None),
        ("daily", {"usd": 0, "until": "tomorrow"}, 422, "usd"),
        ("daily", {"usd": "much", "until": "tomorrow"}, 422, "usd"),
        ("daily", {"usd": 20, "until": "yesterday"}, 422, "until"),
        ("daily", {"usd": 20, "until": "2020-01-01"}, 422, "until"),
        ("daily", {"usd": 20, "until": "tomorrow", "entity": "ada"}, 422, "entity"),
        ("daily", {"usd": 20}, 422, "until"),
        ("daily", {"usd": 20, "until": "2h", "untill": "3h"}, 422, "untill"),
    ],
)
async def test_what_cannot_be_raised_is_named_and_changes_nothing(
    readable_store: Store, clock: SettableClock, name: str, body: dict[str, object], code: int, field: str | None
) -> None:
    async with filled(readable_store, clock, 0) as live:
        answer = await live.client.post(f"/limits/{name}/raise", json=body)
        assert answer.status_code == code
        assert field is None or [*answer.json()["error"]["fields"]] == [field]
    assert rows(readable_store, LimitRaiseTable) == []


async def test_a_back_test_says_how_often_each_threshold_would_have_fired(
    readable_store: Store, clock: SettableClock
) -> None:
    async with filled(readable_store, clock, 0) as live:
        await live.post_signed(event(60, clock()))
        answer = (await live.client.post("/limits/backtest", json={"name": "daily", "usd": "0.7", "days": 7})).json()
        assert (answer["name"], answer["usd"], answer["unit"], answer["periods"]) == ("daily", 0.7, "day", 1)
        fired = [(each["fraction"], each["times"], each["dates"]) for each in answer["thresholds"]]
        assert fired == [(0.5, 1, ["2026-11-20"]), (0.8, 1, ["2026-11-20"]), (1.0, 0, [])]
        assert answer["text"].startswith("Would have fired 50% on 1 of 1 day (11-20)")
        for body, code in (({"name": "monthly"}, 404), ({"name": "daily", "days": 0}, 422), ({}, 422)):
            assert (await live.client.post("/limits/backtest", json=body)).status_code == code
        refused = await live.client.post("/limits/backtest", json={"name": "daily", "usd": -1})
        assert [*refused.json()["error"]["fields"]] == ["usd"]


async def test_providers_own_limits_are_answered_as_they_were_told(readable_store: Store, clock: SettableClock) -> None:
    told = [
        ProviderLimit(scope="user", subject="user_01Al", name="Alice", amount=Usd.of(500), interval="month"),
        ProviderLimit(
            scope="organization",
            amount=Usd.of(2500),
            used=Usd.of("120.505"),
            interval="lifetime",
            enforced=False,
        ),
    ]
    with readable_store.writing() as connection:
        take_limits(connection, "anthropic-limits", "anthropic", "anthropic", told, clock())
    async with filled(readable_store, clock) as live:
        organization, alice = (await get(live, "/provider-limits"))["data"]
    assert organization == {
        "provider": "anthropic",
        "scope": "organization",
        "name": "",
        "limit_usd": 2500.0,
        "used_usd": 120.505,
        "remaining_usd": 2379.495,
        "interval": "lifetime",
        "resets_at": None,
        "enforced": False,
        "as_of": "2026-11-20T14:03:07.250000Z",
    }
    assert (alice["name"], alice["limit_usd"], alice["used_usd"], alice["remaining_usd"]) == (
        "Alice",
        500.0,
        None,
        None,
    )
    assert (alice["resets_at"], alice["enforced"]) == ("2026-12-01T00:00:00.000000Z", True)
