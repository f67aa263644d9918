"""Anthropic's analytics, and the older report where they are closed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from spendtop.domain.clock import DAY, to_micros
from spendtop.domain.ledger.amounts import BilledName
from spendtop.domain.money import Usd
from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.sources.pollers.anthropic.analytics import AnthropicAnalytics
from spendtop.sources.pollers.anthropic.report import AnthropicReport
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_anthropic import ADMIN_KEY, Cost, FakeAnthropic
from tests.sources.pollers.fake_provider import Answer, Asked, answer
from tests.sources.pollers.polled import ONCE, TODAY, by_day

ANALYTICS = "/v1/organizations/analytics/cost"


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


async def test_anthropics_older_report_is_as_before_where_names_are_refused() -> None:
    with FakeAnthropic([Cost(day=TODAY, cents='"123.45"')]) as fake:
        costs = await AnthropicReport(ADMIN_KEY, fake.url, bounds=ONCE).costs(TODAY, TODAY)
    assert [(part.project, part.amount) for part in costs.parts] == [("", Decimal("1.2345"))]
    assert costs.names == ()
