"""What OpenAI bills by key, user and line item."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from spendtop.domain.ledger.amounts import BilledName
from spendtop.domain.money import Usd
from spendtop.sources.pollers.openai.bills import OpenAIBills
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_provider import Answer, Asked, answer
from tests.sources.pollers.polled import ONCE, by_day

COSTS = "/v1/organization/costs"


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
