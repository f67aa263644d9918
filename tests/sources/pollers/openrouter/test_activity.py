"""What OpenRouter charged by key and user."""

from __future__ import annotations

from decimal import Decimal

import pytest

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.amounts import BilledName
from spendtop.domain.ledger.used import by_unit
from spendtop.domain.money import Usd
from spendtop.sources.pollers import KeyRefused
from spendtop.sources.pollers.openrouter.activity import OpenRouterActivity
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_provider import Answer, Asked, answer
from tests.sources.pollers.polled import ONCE, TODAY, by_day

CHECKOUT = "f01d52606dc8f0a8303a7b5cc3fa07109c2e346cec7c0a16b40de462992ce943"


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
