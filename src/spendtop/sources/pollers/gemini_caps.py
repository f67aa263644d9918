"""Gemini: the monthly cap of a billing account's tier, which no API tells.

Google caps what a billing account may spend on the Gemini API in a month by its tier: $250, $2,000, and from $20,000 up
to more than $100,000 in the third (vendor's page, read 2026-11). What is used of it is what passed here; the true bill
is in an export of Cloud Billing alone, hours to a day late.
"""

from __future__ import annotations

from typing import Literal

from spendtop.domain.limits.provider_limits import LimitMeasure, ProviderLimit
from spendtop.domain.money import Usd
from spendtop.sources.pollers import Limits

Tier = Literal[1, 2, 3]
_CAPS: dict[Tier, Usd] = {1: Usd.of(250), 2: Usd.of(2_000), 3: Usd.of(20_000)}
"""The lowest that a tier has."""


class GeminiCaps:
    """Knows the cap by the tier in the configuration; asks nobody."""

    provider = "google"

    def __init__(self, tier: Tier) -> None:
        self._tier = tier

    async def limits(self, now: int) -> Limits:
        cap = ProviderLimit(
            scope="billing account",
            name=f"tier {self._tier}",
            amount=_CAPS[self._tier],
            measure=LimitMeasure.SEEN,
            interval="month",
        )
        return Limits(limits=(cap,))
