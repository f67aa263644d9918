"""What members, workspaces and the organization may spend at Anthropic."""

from __future__ import annotations

import pytest

from spendtop.domain.limits.provider_limits import LimitMeasure
from spendtop.domain.money import Usd
from spendtop.sources.pollers import KeyRefused
from spendtop.sources.pollers.anthropic.limits import AnthropicLimits
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_provider import answer
from tests.sources.pollers.polled import ONCE, told

EFFECTIVE, CONFIGURED = "/v1/organizations/spend_limits/effective", "/v1/organizations/spend_limits"


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
