"""Bills by key and user as each provider tells them, from servers that answer as the contract says."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from spendtop.domain.clock import DAY, to_datetime, to_micros
from spendtop.domain.ledger.amounts import BilledName, total
from spendtop.domain.ledger.used import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, by_unit
from spendtop.domain.money import Usd
from spendtop.sources.pollers import Costs, KeyRefused, PollFailed
from spendtop.sources.pollers.anthropic_analytics import AnthropicAnalytics
from spendtop.sources.pollers.anthropic_report import AnthropicReport
from spendtop.sources.pollers.http_client import FetchBounds
from spendtop.sources.pollers.litellm_activity import LitellmActivity
from spendtop.sources.pollers.openai_bills import OpenAIBills
from spendtop.sources.pollers.openrouter_activity import OpenRouterActivity
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_anthropic import ADMIN_KEY, Cost, FakeAnthropic
from tests.sources.pollers.fake_provider import Answer, Asked, answer

ONCE = FetchBounds(attempts=1)
TODAY = to_micros(datetime(2026, 11, 28, tzinfo=UTC)) // DAY
ANALYTICS = "/v1/organizations/analytics/cost"
COSTS = "/v1/organization/costs"
CI = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"
CHECKOUT = "f01d52606dc8f0a8303a7b5cc3fa07109c2e346cec7c0a16b40de462992ce943"


def by_day(costs: Costs, *names: str) -> dict[tuple[str, ...], Usd]:
    """What each day cost, and each of these on it."""
    amounts: defaultdict[tuple[str, ...], list[Decimal]] = defaultdict(list)
    for part in costs.parts:
        date = f"{to_datetime(part.day * DAY):%Y-%m-%d}"
        amounts[date, *(getattr(part, name) for name in names)].append(part.amount)
    return {key: total(each) for key, each in amounts.items()}


def analytics(fake: FakeApi) -> AnthropicAnalytics:
    return AnthropicAnalytics("sk-ant-admin-canary", fake.url, bounds=ONCE)


async def test_anthropics_analytics_are_read_to_the_last_digit_by_key_and_user() -> None:
    pages: dict[str, Any] = {
        ANALYTICS: [page("anthropic/analytics_cost_page1"), page("anthropic/analytics_cost_page2")],
        "/v1/organizations/workspaces": page("anthropic/workspaces"),
        "/v1/organizations/api_keys": page("anthropic/api_keys"),
    }
    with FakeApi(pages, x_api_key="sk-ant-admin-canary") as fake:
        poller = analytics(fake)
        costs = await poller.costs(TODAY - 2, TODAY)
        asked = fake.asked[0]
        assert len(fake.asked) == 2 + 1 + 4  # and usage, and names
        again = await poller.costs(TODAY - 2, TODAY)
        assert len(fake.asked) == 2 + 1 + 4 + 2
    expected = document("anthropic/analytics_cost.expected")
    assert by_day(costs, "api_key") == {
        (row["day"], row["api_key_id"] or ""): Usd.of(row["usd"]) for row in expected["usd_by_day_and_key"]
    }
    assert costs.used is None and again.used is None
    assert [flaw.partition(":")[0] for flaw in costs.flaws] == ["Tokens are shown as seen here alone"]
    assert costs.billed_until == to_micros(datetime.fromisoformat(expected["refreshed"]))
    assert asked.headers["anthropic-beta"] == "analytics-usage-cost-2026-08-24"
    assert (asked.one("starting_at"), asked.one("ending_at")) == ("2026-11-26T00:00:00Z", "2026-11-29T00:00:00Z")
    assert (asked.one("limit"), asked.query["group_by[]"]) == (
        "1000",
        ["workspace_id", "api_key_id", "model", "actor"],
    )
    assert costs.users is not None
    assert {user for _, user, _ in costs.users} == {"user_01Al", "", "arn:aws:iam::123456789012:role/ci"}
    assert BilledName("user", "user_01Al", "alice@example.com") in costs.names


async def test_names_of_anthropic_tell_workspaces_keys_and_which_workspace_is_the_default_one() -> None:
    class WithDefault(FakeApi):
        def good(self, asked: Asked) -> Answer:
            workspaces = document("anthropic/workspaces")
            if asked.path == "/v1/organizations/workspaces" and asked.one("include_default"):
                workspaces["data"].append({"id": "wrkspc_default", "name": "Default"})
                return answer(workspaces)
            return super().good(asked)

    pages: dict[str, Any] = {
        "/v1/organizations/workspaces": page("anthropic/workspaces"),
        "/v1/organizations/api_keys": page("anthropic/api_keys"),
        "/v1/organizations/users": b'{"data": [{"id": "user_01Al", "email": "alice@example.com"}]}',
        "/v1/organizations/cost_report": answer(
            {
                "data": [
                    {
                        "starting_at": "2026-11-27T00:00:00Z",
                        "results": [{"amount": "100", "currency": "USD", "workspace_id": None, "description": "x"}],
                    }
                ],
                "has_more": False,
            }
        ),
    }
    with WithDefault(pages) as fake:
        costs = await AnthropicReport(ADMIN_KEY, fake.url, bounds=ONCE).costs(TODAY - 1, TODAY)
    assert [(part.project, part.amount) for part in costs.parts] == [("wrkspc_default", Decimal(1))]
    assert set(costs.names) == {
        BilledName("project", "wrkspc_01AliceTeam", "Checkout"),
        BilledName("project", "wrkspc_default", "Default"),
        BilledName("key", "apikey_01Rj2", "checkout-prod", "wrkspc_01AliceTeam"),
        BilledName("key", "apikey_01Zz9", "batch"),
        BilledName("user", "user_01Al", "alice@example.com"),
    }


@pytest.mark.parametrize("error", ["hipaa", "workspace_key", "no_beta_header_on_gated_route"])
async def test_closed_analytics_say_which_right_is_missing_and_what_is_read_instead(error: str) -> None:
    refusal = document("anthropic/analytics_errors")[error]
    with FakeApi({ANALYTICS: answer(refusal["body"], refusal["status"])}) as fake:
        with pytest.raises(KeyRefused, match=rf"\({refusal['status']}\).*read:analytics.*older cost report"):
            await analytics(fake).costs(TODAY - 2, TODAY)
        assert len(fake.asked) == 1


async def test_analytics_are_asked_for_31_days_at_a_time_and_no_farther_than_they_reach() -> None:
    with FakeApi({ANALYTICS: b'{"data": [], "has_more": false, "next_page": null}'}) as fake:
        costs = await analytics(fake).costs(TODAY - 500, TODAY)
        spans = [(asked.one("starting_at"), asked.one("ending_at")) for asked in fake.asked if asked.path == ANALYTICS]
    assert (spans[0][0], spans[-1][1], len(spans)) == ("2026-01-01T00:00:00Z", "2026-11-29T00:00:00Z", 11)
    assert (costs.first_day, costs.billed_until) == (to_micros(datetime(2026, 1, 1, tzinfo=UTC)) // DAY, None)


async def test_a_page_of_analytics_that_leads_back_ends_the_poll() -> None:
    again = page("anthropic/analytics_cost_page1")
    with FakeApi({ANALYTICS: answer(document("anthropic/analytics_cost_page1"))}) as fake:
        fake.pages[ANALYTICS] = again
        with pytest.raises(PollFailed, match="do not lead on"):
            await analytics(fake).costs(TODAY - 2, TODAY)


class Openai(FakeApi):
    """Costs by key in pages, and by user apart from projects."""

    def good(self, asked: Asked) -> Answer:
        groups = asked.query.get("group_by", [])
        if asked.path == COSTS and "user_id" in groups:
            if "project_id" in groups:
                return answer(document("openai/costs_by_user_project_400")["body"], 400)
            return Answer(body=page("openai/costs_by_user"))
        return super().good(asked)


async def test_openais_costs_are_read_by_key_user_and_line_item_in_both_spellings() -> None:
    pages: dict[str, Any] = {
        COSTS: [page("openai/costs_by_key_page1"), page("openai/costs_by_key_page2")],
        "/v1/organization/projects": page("openai/projects"),
        "/v1/organization/projects/proj_checkout/api_keys": page("openai/project_api_keys"),
        "/v1/organization/users": page("openai/users"),
    }
    first = 1795651200 // 86400
    with Openai(pages, authorization="Bearer sk-admin-canary") as fake:
        poller = OpenAIBills("sk-admin-canary", fake.url, bounds=ONCE)
        costs = await poller.costs(first, first + 2)
        assert len(fake.asked) == 2 + 1 + 11 + 3
        again = await poller.costs(first, first + 2)
        assert len(fake.asked) == 2 + 1 + 11 + 3 + 2
        fake.pages[COSTS] = page("openai/costs_by_line_item")
        items = await poller.costs(first, first)
    expected = document("openai/costs_by_key.expected")
    amounts: defaultdict[str, Usd] = defaultdict(lambda: Usd(0))
    for (_, key), amount in by_day(costs, "api_key").items():
        amounts[key or "(none)"] += amount
    assert amounts == {key: Usd.of(usd) for key, usd in expected["keys"].items()}
    assert costs.users is not None and again.users is None
    assert [(user, amount) for _, user, amount in costs.users] == [("user-alice", Decimal("1.9")), ("", Decimal("0.1"))]
    assert costs.names == (
        BilledName("project", "proj_checkout", "Checkout"),
        BilledName("user", "user-alice", "alice@example.com"),
        BilledName("key", "key_ABC123", "prod", "proj_checkout"),
    )
    assert {part.line_item for part in items.parts} >= {"gpt-6-astra, input_tokens", "gpt-6-astra, cached input"}


async def test_openrouters_activity_is_of_completed_days_and_by_key_with_the_rest_apart() -> None:
    class ByKey(FakeApi):
        def good(self, asked: Asked) -> Answer:
            if asked.path == "/api/v1/activity" and (key := asked.one("api_key_hash")):
                row = {"date": "2026-11-27", "model": "openai/gpt-4.1", "usage": 1.2, "byok_usage_inference": 0.4}
                return answer({"data": [row] if key == CHECKOUT else []})
            if asked.path == "/api/v1/activity" and asked.one("user_id"):
                row = {"date": "2026-11-27", "model": "openai/gpt-4.1", "usage": 1.1, "prompt_tokens": 8_000}
                return answer({"data": [row]})
            return super().good(asked)

    pages = {"/api/v1/activity": page("openrouter/activity"), "/api/v1/keys": page("openrouter/keys")}
    with ByKey(pages, authorization="Bearer sk-or-canary") as fake:
        costs = await OpenRouterActivity("sk-or-canary", fake.url, bounds=ONCE).costs(TODAY - 60, TODAY)
        assert len(fake.asked) == 1 + 2 + 2 + 1  # its keys until none is new, each of them, and who made them
    expected = document("openrouter/activity.expected")["usd_by_day"]
    assert by_day(costs) == {(day,): Usd.of(usd) for day, usd in expected.items()}
    assert by_day(costs, "api_key")["2026-11-27", CHECKOUT] == Usd.of("1.2")
    assert by_day(costs, "api_key")["2026-11-27", ""] == Usd.of("0.065")
    assert (costs.last_day, costs.billed_until) == (TODAY - 1, TODAY * DAY)
    assert BilledName("key", CHECKOUT, "checkout", "ws_1") in costs.names
    assert costs.users is not None
    assert [(user, amount) for _, user, amount in costs.users] == [
        ("user_invented", Decimal("1.1")),
        ("", Decimal("0.165")),
    ]
    assert costs.used is not None and by_unit(costs.used.parts) == {
        "input tokens": 50 + 9_000 + 9,
        "output tokens": 125 + 700 + 7,
        "requests": 5 + 12 + 1,
    }


async def test_a_key_that_is_no_management_key_is_told_which_one_is_needed() -> None:
    refusal = document("openrouter/errors")["not_management_key"]
    with (
        FakeApi({"/api/v1/activity": answer(refusal["body"], refusal["status"])}) as fake,
        pytest.raises(KeyRefused, match="management keys only"),
    ):
        await OpenRouterActivity("sk-or-canary", fake.url, bounds=ONCE).costs(TODAY - 1, TODAY)


async def test_litellms_activity_is_read_by_key_user_and_model() -> None:
    with FakeApi({"/user/daily/activity": page("litellm/user_daily_activity")}) as fake:
        costs = await LitellmActivity("sk-canary", fake.url, bounds=ONCE).costs(TODAY - 1, TODAY)
        (asked,) = fake.asked
    expected = document("litellm/user_daily_activity.expected")["by_day"]
    assert by_day(costs) == {(day,): Usd.of(each["usd"]) for day, each in expected.items()}
    assert {part.api_key for part in costs.parts} == {CI}
    assert costs.users is not None and {user for _, user, _ in costs.users} == {"u1"}
    assert costs.names == (BilledName("key", CI, "ci", "team-1"),)
    assert (asked.one("start_date"), asked.one("end_date")) == ("2026-11-27", "2026-11-28")
    assert costs.used is not None
    whose = {"project": "team-1", "api_key": CI, "user": "u1"}
    counts = [(INPUT_TOKENS, 1_000), (OUTPUT_TOKENS, 100), (REQUESTS, 9)]
    of_today = [part for part in costs.used.parts if part.day == TODAY]
    assert [(part.unit, part.quantity) for part in of_today] == counts
    assert all((part.project, part.api_key, part.user) == tuple(whose.values()) and part.model for part in of_today)


async def test_what_litellm_cannot_price_or_has_no_room_for_is_said() -> None:
    activity = document("litellm/user_daily_activity")
    activity["results"][1]["breakdown"]["models"]["claude-nonexistent-9"]["metrics"]["spend"] = 0
    activity["results"][0]["metrics"] |= {"spend": 2.0, "prompt_tokens": 1_500}
    activity["metadata"] |= {"api_key_limit": 1, "total_api_keys": 4}
    with FakeApi({"/user/daily/activity": answer(activity)}) as fake:
        costs = await LitellmActivity("sk-canary", fake.url, bounds=ONCE).costs(TODAY - 1, TODAY)
    assert by_day(costs, "api_key")["2026-11-28", ""] == Usd.of("0.5")
    assert costs.used is not None
    assert [part[1:4] for part in costs.used.parts if not part.api_key] == [(INPUT_TOKENS, 500, "")]
    assert [flaw.split(":")[0] for flaw in costs.flaws] == [
        "LiteLLM has no price for 1 models that were used",
        "LiteLLM's answer has no room for 3 keys",
    ]


async def test_anthropics_older_report_is_as_before_where_names_are_refused() -> None:
    with FakeAnthropic([Cost(day=TODAY, cents='"123.45"')]) as fake:
        costs = await AnthropicReport(ADMIN_KEY, fake.url, bounds=ONCE).costs(TODAY, TODAY)
    assert [(part.project, part.amount) for part in costs.parts] == [("", Decimal("1.2345"))]
    assert costs.names == ()
