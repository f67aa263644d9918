"""The monthly cap of a Gemini tier."""

from __future__ import annotations

from datetime import UTC, datetime

from spendtop.domain.clock import to_micros
from spendtop.domain.limits.provider_limits import LimitMeasure, ProviderLimit
from spendtop.domain.money import Usd
from spendtop.sources.pollers import LimitPoller
from spendtop.sources.pollers.gemini_caps import GeminiCaps

NOW = to_micros(datetime(2026, 11, 28, 12, tzinfo=UTC))


async def told(poller: LimitPoller) -> list[ProviderLimit]:
    return [*(await poller.limits(NOW)).limits]


async def test_geminis_cap_follows_from_the_tier() -> None:
    (cap,) = await told(GeminiCaps(2))
    assert (cap.scope, cap.name, cap.amount, cap.measure) == (
        "billing account",
        "tier 2",
        Usd.of(2000),
        LimitMeasure.SEEN,
    )
