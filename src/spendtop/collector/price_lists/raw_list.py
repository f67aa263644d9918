"""A published list as bytes, read as the package reads what it fetches itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from spendtop.domain.errors import SpendtopError

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, Provider

MOST_BYTES = 19 << 20
"""Unpacked: somewhat less than 20 MB, thirty times what is published."""
_NOBODYS = "a name that nobody has"


class NoPriceList(SpendtopError):
    """Bytes that are no price list. Its text is the end of a sentence: what they are instead."""


def read_list(raw: bytes) -> DataSnapshot:
    """All providers with their models. Raises NoPriceList."""
    from genai_prices.data_snapshot import DataSnapshot

    # Private, but there is no other way to turn a list into its classes; the package's own `fetch` does just this.
    from genai_prices.types import _providers_from_raw

    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise NoPriceList("is no whole JSON") from None
    if not isinstance(document, list):
        raise NoPriceList("is no list of providers")
    try:
        providers = _providers_from_raw(document)
        for provider in providers:
            _try_patterns(provider, providers)
        has_prices = all(_has_prices(model) for provider in providers for model in provider.models)
    except Exception:  # whatever the package's own code makes of text that others wrote
        raise NoPriceList("cannot be read") from None
    if not has_prices:
        raise NoPriceList("has prices below zero, or a model without any")
    return DataSnapshot(providers, from_auto_update=True)


def _try_patterns(provider: Provider, providers: list[Provider]) -> None:
    """Compile the patterns by which names are matched, so that a wrong one fails here and not with each request."""
    provider.find_model(_NOBODYS, all_providers=providers)
    for match in (provider.model_match, provider.provider_match):
        if match is not None:
            match.is_match(_NOBODYS)


def _has_prices(model: ModelInfo) -> bool:
    return model.prices != [] and all(amount >= 0 for amount in _amounts(model))


def _amounts(model: ModelInfo) -> Iterator[Decimal]:
    """All that a model may cost, at any time, of any size and at any level."""
    dated = [each.prices for each in model.prices] if isinstance(model.prices, list) else [model.prices]
    for prices in (*dated, *(variant.prices for variant in model.price_variants or ())):
        for price in vars(prices).values():
            if isinstance(price, Decimal):
                yield price
            elif price is not None:
                yield from (price.base, *(tier.price for tier in price.tiers))
