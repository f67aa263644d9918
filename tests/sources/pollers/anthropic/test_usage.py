"""What was used at Anthropic, beside its bills."""

from __future__ import annotations

from typing import Any

import pytest

from spendtop.domain.ledger.used import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, UsedPart, by_unit
from spendtop.sources.pollers.anthropic.analytics import AnthropicAnalytics
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_provider import Answer, answer
from tests.sources.pollers.polled import ONCE, TODAY

ANALYTICS = "/v1/organizations/analytics"


async def test_anthropics_usage_adds_up_its_disjoint_parts_by_key_and_model() -> None:
    pages = {
        f"{ANALYTICS}/{kind}": page(f"anthropic/analytics_{name}")
        for kind, name in (("cost", "cost_page2"), ("usage", "usage"))
    }
    with FakeApi(pages, x_api_key="sk-ant-admin-canary") as fake:
        costs = await AnthropicAnalytics("sk-ant-admin-canary", fake.url, bounds=ONCE).costs(TODAY - 2, TODAY)
        asked = next(each for each in fake.asked if each.path.endswith("/usage"))
    assert costs.used is not None

    def yesterday(unit: str, quantity: int) -> UsedPart:
        return UsedPart(TODAY - 1, unit, quantity, api_key="apikey_01Rj2", model="claude-sonnet-4-5")

    assert costs.used.parts == (
        yesterday(INPUT_TOKENS, 621_000),
        yesterday(OUTPUT_TOKENS, 40_000),
        yesterday(REQUESTS, 210),
        yesterday("web searches", 20),
    )
    whole = document("anthropic/analytics_usage")["data"][0]["usage"]["total_tokens"]
    assert by_unit(costs.used.parts)[INPUT_TOKENS] + by_unit(costs.used.parts)[OUTPUT_TOKENS] == whole
    assert asked.headers["anthropic-beta"] == "analytics-usage-cost-2026-08-24"
    assert (asked.one("starting_at"), asked.one("limit")) == ("2026-11-26T00:00:00Z", "1000")


@pytest.mark.parametrize(
    "broken", [answer({}, 403), answer({"data": [{"usage": 1}], "has_more": False}), answer({}, 503)]
)
async def test_bills_are_kept_where_counts_are_refused_or_odd_and_that_is_said(broken: Answer) -> None:
    pages: dict[str, Any] = {f"{ANALYTICS}/cost": page("anthropic/analytics_cost_page2"), f"{ANALYTICS}/usage": broken}
    with FakeApi(pages) as fake:
        costs = await AnthropicAnalytics("sk-ant-admin-canary", fake.url, bounds=ONCE).costs(TODAY - 2, TODAY)
    assert costs.used is None and costs.parts
    assert costs.flaws[-1].startswith("Tokens are shown as seen here alone: Anthropic")
