"""A published list as bytes, read as the package reads what it fetches itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from spendtop.domain.errors import SpendtopError

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, Provider

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
        models = [model for provider in providers for model in provider.models]
        _leave_out_unknown_units(models)
        has_prices = all(map(_has_prices, models))
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


def _leave_out_unknown_units(models: Sequence[ModelInfo]) -> None:
    """A list may be newer than the package: no usage is known by a unit that the package has not heard of."""
    from genai_prices.data_units import unit_data
    from genai_prices.units import UnitRegistry

    known = {unit.price_key for unit in UnitRegistry(unit_data).units.values()}
    for model in models:
        for prices in _prices_of(model):
            for key in vars(prices).keys() - known:
                delattr(prices, key)


def _has_prices(model: ModelInfo) -> bool:
    return model.prices != [] and all(amount >= 0 for prices in _prices_of(model) for amount in _amounts(prices))


def _prices_of(model: ModelInfo) -> Iterator[ModelPrice]:
    """At any time and at any level."""
    yield from (each.prices for each in model.prices) if isinstance(model.prices, list) else (model.prices,)
    yield from (variant.prices for variant in model.price_variants or ())


def _amounts(prices: ModelPrice) -> Iterator[Decimal]:
    for price in vars(prices).values():
        if isinstance(price, Decimal):
            yield price
        elif price is not None:
            yield from (price.base, *(tier.price for tier in price.tiers))
