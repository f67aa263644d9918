"""What keys and workspaces may spend at OpenRouter."""

from __future__ import annotations

from datetime import UTC, datetime

from spendtop.domain.clock import to_micros
from spendtop.domain.money import Usd
from spendtop.sources.pollers.openrouter.limits import OpenRouterLimits
from tests.provider_pages import FakeApi, page
from tests.sources.pollers.polled import ONCE, told

DECEMBER = to_micros(datetime(2026, 12, 1, tzinfo=UTC))


async def test_any_key_of_openrouter_is_told_its_limit_and_the_budget_that_bites_first() -> None:
    with FakeApi({"/api/v1/key": page("openrouter/key")}, authorization="Bearer sk-or-canary") as fake:
        key, budget = await told(OpenRouterLimits("sk-or-canary", fake.url, bounds=ONCE))
        assert fake.paths() == ["/api/v1/key"]
    assert (key.scope, key.amount, key.used, key.interval) == ("key", Usd.of(100), Usd.of("25.5"), "month")
    assert (budget.scope, budget.amount, budget.used) == ("workspace", Usd.of(100), Usd.of("88.5"))
    assert (budget.resets_at, budget.enforced) == (DECEMBER, True)


async def test_a_management_key_of_openrouter_is_told_all_keys_and_further_budgets() -> None:
    own = page("openrouter/key").replace(b'"is_management_key": false', b'"is_management_key": true')
    pages = {
        "/api/v1/key": own,
        "/api/v1/keys": page("openrouter/keys"),
        "/api/v1/workspaces/ws_1/budgets": page("openrouter/workspace_budgets"),
    }
    with FakeApi(pages) as fake:
        limits = await told(OpenRouterLimits("sk-or-canary", fake.url, bounds=ONCE))
    assert [(each.scope, each.name, each.amount) for each in limits[2:]] == [
        ("key", "checkout", Usd.of(100)),
        ("workspace", "budget", Usd.of(5000)),
    ]
    assert (limits[3].used, limits[3].interval) == (None, "lifetime")
