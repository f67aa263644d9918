"""Limits as each provider tells them, from servers that answer as the contract says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from spendtop.domain.clock import to_micros
from spendtop.domain.limits.provider_limits import LimitMeasure, ProviderLimit
from spendtop.domain.money import Usd
from spendtop.sources.pollers import KeyRefused, LimitPoller, PollFailed
from spendtop.sources.pollers.anthropic.limits import AnthropicLimits
from spendtop.sources.pollers.gemini_caps import GeminiCaps
from spendtop.sources.pollers.http_client import FetchBounds
from spendtop.sources.pollers.litellm.limits import LitellmLimits
from spendtop.sources.pollers.openai.costs import OpenAICosts
from spendtop.sources.pollers.openai.limits import OpenAILimits
from spendtop.sources.pollers.openrouter.limits import OpenRouterLimits
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_provider import Answer, answer

ONCE = FetchBounds(attempts=1)
NOW = to_micros(datetime(2026, 11, 28, 12, tzinfo=UTC))
DECEMBER = to_micros(datetime(2026, 12, 1, tzinfo=UTC))
ORGANIZATION = "/v1/organization"
OPENAI = {
    f"{ORGANIZATION}/spend_limit": page("openai/spend_limit"),
    f"{ORGANIZATION}/spend_alerts": page("openai/spend_alerts"),
    f"{ORGANIZATION}/projects": page("openai/projects"),
    f"{ORGANIZATION}/projects/proj_checkout/spend_limit": page("openai/project_spend_limit"),
}
EFFECTIVE, CONFIGURED = "/v1/organizations/spend_limits/effective", "/v1/organizations/spend_limits"
HASH = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"


def openai(fake: FakeApi) -> OpenAILimits:
    return OpenAILimits("sk-admin-canary", fake.url, bounds=ONCE)


async def told(poller: LimitPoller) -> list[ProviderLimit]:
    return [*(await poller.limits(NOW)).limits]


async def test_openai_tells_limits_and_alerts_in_cents_and_404_is_none() -> None:
    with FakeApi(OPENAI, authorization="Bearer sk-admin-canary") as fake:
        organization, mail, project = await told(openai(fake))
        paths = fake.paths()
    assert (organization.scope, organization.amount, organization.enforced) == ("organization", Usd.of(2500), False)
    assert (mail.scope, mail.amount, mail.enforced, mail.interval) == ("organization", Usd.of(2000), False, "month")
    assert (project.scope, project.subject, project.name) == ("project", "proj_checkout", "Checkout")
    assert (project.amount, project.enforced, project.measure) == (Usd.of(500), True, LimitMeasure.BILLED)
    assert {each.used for each in (organization, mail, project)} == {None}
    assert paths[-1] == f"{ORGANIZATION}/projects/proj_checkout/spend_alerts"


@pytest.mark.parametrize(
    "nothing", [Answer(body=b"null"), answer(document("openai/spend_limit_none_404")["body"], 404)]
)
async def test_an_organization_of_openai_without_a_limit_has_none(nothing: Answer) -> None:
    pages: dict[str, bytes | Answer | list[bytes]] = {
        **OPENAI,
        f"{ORGANIZATION}/spend_limit": nothing,
        f"{ORGANIZATION}/projects": b'{"data": []}',
    }
    with FakeApi(pages) as fake:
        assert [each.amount for each in await told(openai(fake))] == [Usd.of(2000)]


async def test_anthropics_limits_are_fractional_cents_and_zero_is_no_proof_of_nothing() -> None:
    pages = {EFFECTIVE: page("anthropic/spend_limits_effective"), CONFIGURED: page("anthropic/spend_limits")}
    with FakeApi(pages, x_api_key="sk-ant-admin-canary") as fake:
        alice, unlimited, workspace, tier = await told(AnthropicLimits("sk-ant-admin-canary", fake.url, bounds=ONCE))
        beta = [asked.headers.get("anthropic-beta") for asked in fake.asked]
    assert (alice.scope, alice.subject, alice.name) == ("user", "user_01Al", "Alice")
    assert (alice.amount, alice.used, alice.interval) == (Usd.of(500), Usd.of("120.505"), "month")
    assert (unlimited.amount, unlimited.used, unlimited.interval) == (None, None, "day")
    assert (workspace.scope, workspace.subject, workspace.amount) == ("workspace", "wrkspc_01AliceTeam", Usd.of(1000))
    assert (tier.scope, tier.measure) == ("usage_tier", LimitMeasure.BILLED)
    assert beta == [None, "spend-limit-reads-2026-09-26"]


@pytest.mark.parametrize("refused", [403, 404])
async def test_whoever_anthropic_tells_nothing_reads_which_right_is_missing(refused: int) -> None:
    errors = answer(document("anthropic/analytics_errors")["workspace_key"]["body"], refused)
    with FakeApi({EFFECTIVE: errors, CONFIGURED: page("anthropic/spend_limits")}) as fake:
        assert len(await told(AnthropicLimits("sk-ant-admin-canary", fake.url, bounds=ONCE))) == 2
        fake.pages[CONFIGURED] = errors
        with pytest.raises(KeyRefused, match="Enterprise organizations only"):
            await told(AnthropicLimits("sk-ant-admin-canary", fake.url, bounds=ONCE))


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


async def test_litellms_budgets_are_of_their_window() -> None:
    pages = {"/user/daily/activity": page("litellm/user_daily_activity"), "/key/info": page("litellm/key_info")}
    with FakeApi(pages, authorization="Bearer sk-canary") as fake:
        key, model = await told(LitellmLimits("sk-canary", fake.url, bounds=ONCE))
        assert [asked.one("key") for asked in fake.asked] == [None, HASH]
    assert (key.subject, key.name, key.amount, key.used) == (HASH, "ci", Usd.of(10), Usd.of("9.6"))
    assert (key.interval, key.resets_at) == ("30d", DECEMBER)
    assert (model.name, model.amount, model.used, model.resets_at) == ("ci gpt-4o", Usd.of(5), Usd.of("4.9"), None)


async def test_nulls_and_older_shapes_are_no_reason_to_tell_nothing() -> None:
    bare = answer({"data": {"label": "sk-or-v1-x", "limit": 5, "limit_remaining": None, "budgets": None}})
    with FakeApi({"/api/v1/key": bare}) as fake:
        (key,) = await told(OpenRouterLimits("sk-or-canary", fake.url, bounds=ONCE))
    assert (key.amount, key.used, key.interval) == (Usd.of(5), None, "lifetime")
    info = {"info": {"max_budget": None, "model_max_budget": {"gpt-4o": 2.5, "o3": None}, "surprise": [1]}}
    activity = answer(document("litellm/user_daily_activity"))
    pages = {"/user/daily/activity": activity, "/key/info": answer(info)}
    with FakeApi(pages) as fake:
        (model,) = await told(LitellmLimits("sk-canary", fake.url, bounds=ONCE))
    assert (model.name, model.amount, model.used) == ("ci gpt-4o", Usd.of("2.5"), None)


async def test_geminis_cap_follows_from_the_tier() -> None:
    (cap,) = await told(GeminiCaps(2))
    assert (cap.scope, cap.name, cap.amount, cap.measure) == (
        "billing account",
        "tier 2",
        Usd.of(2000),
        LimitMeasure.SEEN,
    )


async def test_a_list_that_leads_back_to_what_was_read_ends_and_says_so() -> None:
    round_trip = page("openai/projects").replace(b'"has_more": false', b'"has_more": true')
    with FakeApi({**OPENAI, f"{ORGANIZATION}/projects": round_trip}) as fake:
        with pytest.raises(PollFailed, match="leads back to what was read"):
            await told(openai(fake))
        assert fake.paths().count(f"{ORGANIZATION}/projects") == 2


async def test_a_redirect_is_never_followed_with_the_key() -> None:
    with FakeApi({}) as elsewhere, FakeApi({}) as fake:
        fake.always = lambda good: Answer(status=307, headers={"Location": elsewhere.url})
        for poller in (openai(fake), OpenRouterLimits("sk-or-canary", fake.url, bounds=ONCE)):
            with pytest.raises(PollFailed, match="redirect"):
                await told(poller)
        assert elsewhere.asked == []


async def test_one_provider_is_asked_one_thing_at_a_time() -> None:
    pages = {**OPENAI, f"{ORGANIZATION}/costs": b'{"data": [], "has_more": false}'}
    with FakeApi(pages) as fake:
        costs = OpenAICosts("sk-admin-canary", fake.url, bounds=ONCE)
        await asyncio.gather(told(openai(fake)), costs.costs(1, 2), told(openai(fake)), return_exceptions=True)
        assert fake.paths()[5] == f"{ORGANIZATION}/costs"
