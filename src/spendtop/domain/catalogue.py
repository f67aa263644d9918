"""Published prices from the genai-prices package, as integers, cached per provider, model and terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from spendtop.domain.clock import to_datetime
from spendtop.domain.prices import Price, Rate, registry
from spendtop.domain.pricing import Terms
from spendtop.domain.request import ServiceLevel
from spendtop.domain.service_levels import multiple_of_geo, multiple_of_level

if TYPE_CHECKING:
    from datetime import datetime

    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant, StartDateConstraint, TimeOfDateConstraint

    Constraint = StartDateConstraint | TimeOfDateConstraint

_MOST_MODELS = 10_000
_CONTEXTS: Mapping[ServiceLevel | None, Mapping[str, str]] = {
    ServiceLevel.BATCH: {"processing": "batch"},
    ServiceLevel.FLEX: {"service_tier": "flex"},
    ServiceLevel.PRIORITY: {"service_tier": "priority"},
    ServiceLevel.FAST: {"service_tier": "fast", "speed": "fast"},
}
"""How the list names the levels that can have prices of their own."""
_HOSTS = {"azure": "openai"}
"""Who owns the models that another provider serves at levels of the same prices."""


class _Entry(NamedTuple):
    """A model in the list of one who bills."""

    provider: str
    model: ModelInfo


class PublishedPrices:
    """A catalogue (see `domain.pricing.Catalogue`). Models it does not know are remembered as unknown."""

    def __init__(self) -> None:
        self._find: Callable[[str | None, str], _Entry | None] | None = None
        self._owner: Callable[[str], str | None] | None = None
        self._entries: dict[tuple[str | None, str], _Entry | None] = {}
        self._prices: dict[tuple[str | None, str, Terms, tuple[bool, ...]], Price | None] = {}
        self._constraints: dict[int, tuple[Constraint, ...]] = {}
        self._version = ""
        self._loading = Lock()

    def load(self) -> None:
        """Load the price list now (up to a second, 26 MB), once; else the first look-up does, and its thread waits."""
        with self._loading:
            if self._find is None:
                self._load()

    def _load(self) -> None:
        from genai_prices.data_snapshot import get_snapshot

        snapshot = get_snapshot()

        def find(provider: str | None, model: str) -> _Entry | None:
            try:
                found, info = snapshot.find_provider_model(model, None, provider, None)
            except LookupError:
                return None
            return _Entry(found.id, info)

        def owner(model: str) -> str | None:
            try:
                return snapshot.find_provider_model(model, None, None, None)[0].id
            except LookupError:
                return None

        self._owner = owner
        self._version = f"genai-prices {version('genai-prices')}"
        self._find = find

    def __call__(self, provider: str | None, model: str, terms: Terms, at: int) -> Price | None:
        """The price of a model at an instant (UTC µs); price lists change with dates and times of day."""
        entry = self._entry(provider, model)
        if entry is None:
            return None
        constraints = self._constraints_of(entry.model, terms)
        moment = to_datetime(at) if constraints else None
        key = (provider, model, terms, tuple(each.active(moment) for each in constraints) if moment else ())
        try:
            return self._prices[key]
        except KeyError:
            pass
        if len(self._prices) >= _MOST_MODELS:
            self._prices = {}  # a new one, as other threads may be looking at the old one
        price = self._prices[key] = self._price(entry, model, terms, to_datetime(at))
        return price

    def provider_of(self, model: str, default: str) -> str:
        """Whose model it is: the default's where its price list knows the model or nobody's does, else its owner's."""
        if self._entry(default, model) is not None:
            return default
        assert self._owner is not None
        return self._owner(model) or default

    def _entry(self, provider: str | None, model: str) -> _Entry | None:
        entries, key = self._entries, (provider, model)
        if key in entries:
            return entries[key]
        if len(entries) >= _MOST_MODELS:
            self._entries = entries = {}
        entry = entries[key] = self._look_up(provider, model)
        return entry

    def _look_up(self, provider: str | None, model: str) -> _Entry | None:
        if self._find is None:
            self.load()
        assert self._find is not None
        prefix, _, rest = model.partition("/")
        candidates: list[tuple[str | None, str]] = [(provider, model)]
        if rest:
            candidates += [(prefix, rest), (provider, rest)]
        for candidate_provider, candidate_model in candidates:
            entry = self._find(candidate_provider, candidate_model)
            if entry is not None:
                return entry
        return None

    def _constraints_of(self, model: ModelInfo, terms: Terms) -> tuple[Constraint, ...]:
        """Dates and times of day on which the price depends."""
        if terms.level in _CONTEXTS:
            conditions = [*_conditions(model), *(variant.constraint for variant in model.price_variants or ())]
            return tuple(each for each in conditions if each is not None)
        known = self._constraints.get(id(model))
        if known is None:
            known = self._constraints[id(model)] = tuple(each for each in _conditions(model) if each is not None)
        return known

    def _price(self, entry: _Entry, name: str, terms: Terms, at: datetime) -> Price | None:
        price = self._as_price(entry.model.get_prices(at))
        if price is None:
            return None
        names = (name.lower(), name.lower().rpartition("/")[2], entry.model.id)
        if terms.level is not None and terms.level in _CONTEXTS:
            price = self._at_level(price, entry, names, terms.level, at)
        if terms.inference_geo is not None:
            geo = multiple_of_geo(terms.inference_geo, entry.provider, names)
            price = price if geo is None else geo.of(price)
        return price

    def _at_level(
        self, standard: Price, entry: _Entry, names: tuple[str, ...], level: ServiceLevel, at: datetime
    ) -> Price:
        """The list's own price of the level, else a multiple of the standard price, else that price."""
        context = _CONTEXTS[level]
        owner = self._entry(_HOSTS[entry.provider], names[0]) if entry.provider in _HOSTS else None
        for model in (entry.model, owner.model if owner else None):
            if model is not None and any(_holds(variant, context, at) for variant in model.price_variants or ()):
                price = self._as_price(model.get_prices(at, dict(context)))
                if price is not None:
                    return price
        multiple = multiple_of_level(level, entry.provider, names)
        if multiple is not None:
            return multiple.of(standard)
        return msgspec.structs.replace(standard, level_assumed=True)

    def _as_price(self, prices: ModelPrice) -> Price | None:
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
        return Price.of(rates, self._version) if rates else None


def _conditions(model: ModelInfo) -> list[Constraint | None]:
    return [each.constraint for each in model.prices] if isinstance(model.prices, list) else []


def _holds(variant: PriceVariant, context: Mapping[str, str], at: datetime) -> bool:
    """Whether a variant has prices for the context at that time."""
    return (
        all(context.get(key) == value for key, value in variant.when.items())
        and (variant.constraint is None or variant.constraint.active(at))
        and any(price is not None for price in vars(variant.prices).values())
    )
