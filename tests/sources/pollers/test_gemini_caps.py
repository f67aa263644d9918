"""The monthly cap of a Gemini tier."""

from __future__ import annotations

from spendtop.domain.limits.provider_limits import LimitMeasure
from spendtop.domain.money import Usd
from spendtop.sources.pollers.gemini_caps import GeminiCaps
from tests.sources.pollers.polled import told


async def test_geminis_cap_follows_from_the_tier() -> None:
    (cap,) = await told(GeminiCaps(2))
    assert (cap.scope, cap.name, cap.amount, cap.measure) == (
        "billing account",
        "tier 2",
        Usd.of(2000),
        LimitMeasure.SEEN,
    )
