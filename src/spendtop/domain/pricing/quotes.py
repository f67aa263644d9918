"""What a model of the published list costs on certain terms, with dates and times of day."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from spendtop.domain.clock import to_datetime
from spendtop.domain.pricing.price import Price, Rate, registry
from spendtop.domain.pricing.pricer import Terms
from spendtop.domain.pricing.service_levels import multiple_of_geo, multiple_of_level, spellings
from spendtop.domain.requests.request import ServiceLevel

if TYPE_CHECKING:
    from datetime import datetime

    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant

CONTEXTS: Mapping[ServiceLevel | None, Mapping[str, str]] = {
    ServiceLevel.BATCH: {"processing": "batch"},
    ServiceLevel.FLEX: {"service_tier": "flex"},
    ServiceLevel.PRIORITY: {"service_tier": "priority"},
    ServiceLevel.FAST: {"service_tier": "fast", "speed": "fast"},
}
"""How the list names the levels that can have prices of their own."""
_FREE = ":free"
"""Ends the names of models that cost nothing; of other models without any price the list just knows none."""
_TEN_SECONDS = {"audio_seconds": 10, "input_audio_seconds": 10}
_LEAST = {("groq", "whisper-large-v3"): _TEN_SECONDS, ("groq", "whisper-large-v3-turbo"): _TEN_SECONDS}
"""What a call is charged for at least; the list's own arithmetic has these as exceptions too."""


class Quote:
    """Prices of one model, one for each combination of dates and times of day on which they depend."""

    def __init__(
        self, provider: str, model: ModelInfo, name: str, terms: Terms, version: str, owner: ModelInfo | None = None
    ) -> None:
        """`provider` bills the model, `name` is how it was called. The owner's variants hold for a host's model too."""
        variants = list(model.price_variants or ())
        if owner is not None and owner is not model:
            variants += owner.price_variants or ()
        conditions = [price.constraint for price in model.prices] if isinstance(model.prices, list) else []
        if terms.level in CONTEXTS:
            conditions += [variant.constraint for variant in variants]
        self._constraints = [each for each in conditions if each is not None]
        self._provider = provider
        self._model = dataclasses.replace(model, price_variants=variants)
        self._names = spellings(name, model.id)
        self._terms = terms
        self._version = version
        self._prices: dict[tuple[bool, ...], Price | None] = {}

    def price(self, at: int) -> Price | None:
        """The price at an instant (UTC µs); None where the list has none."""
        moment = to_datetime(at) if self._constraints else None
        active = tuple([each.active(moment) for each in self._constraints]) if moment else ()
        try:
            return self._prices[active]
        except KeyError:
            price = self._prices[active] = self._price(moment or to_datetime(at))
            return price

    def _price(self, moment: datetime) -> Price | None:
        """The list's own price of the level, else a multiple of the standard price, else that price."""
        price = self._listed(self._model.get_prices(moment))
        if price is None:
            return None
        context = CONTEXTS.get(self._terms.level)
        if context is not None:
            multiple = multiple_of_level(self._terms.level, self._provider, self._names)
            if _has_variant(self._model.price_variants or (), context, moment):
                # A variant names some units only: the others cost as ever.
                price = self._listed(self._model.get_prices(moment, context))
            elif multiple is not None:
                price = multiple.of(price)
            else:
                price = msgspec.structs.replace(price, level_assumed=True)
        geo = multiple_of_geo(self._terms.inference_geo, self._provider, self._names)
        return price if geo is None or price is None else geo.of(price)

    def _listed(self, prices: ModelPrice) -> Price | None:
        from genai_prices.types import TieredPrices

        rates: dict[str, Rate] = {}
        for key, price in vars(prices).items():
            if price is None:
                continue
            unit = registry().unit_for_price_key(key)
            if isinstance(price, TieredPrices):
                tiers = [(tier.start, tier.price) for tier in price.tiers]
                rates[unit.usage_key] = Rate.of(price.base, unit.per, tiers)
            elif isinstance(price, Decimal):
                rates[unit.usage_key] = Rate.of(price, unit.per)
        if not rates and self._model.id.endswith(_FREE):
            rates = {"input_tokens": Rate(0), "output_tokens": Rate(0)}
        return Price.of(rates, self._version, _LEAST.get((self._provider, self._model.id))) if rates else None


def _has_variant(variants: Sequence[PriceVariant], context: Mapping[str, str], moment: datetime) -> bool:
    return any(
        all(context.get(key) == value for key, value in variant.when.items())
        and (variant.constraint is None or variant.constraint.active(moment))
        for variant in variants
    )
