"""What quantities cost: integer arithmetic over the prices of units.

Which unit counts where is the rule of genai-prices' registry: a quantity is charged at the price of its own unit or of
its nearest priced ancestor, so what is priced apart is taken out of the units that include it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from spendtop.domain.money import Usd
from spendtop.domain.request import Quantities, Usage

if TYPE_CHECKING:
    from genai_prices.units import UnitRegistry

LARGEST_COST = Usd.of(1_000_000)
"""A larger cost of one request is not believed."""
_ZEPTO_PER_NANO = 10**12
_ZEPTO = Decimal(10**21)


class Rate(Struct, frozen=True):
    """Price of one of a unit in 1e-21 USD. Above a tier's start (input tokens) its rate holds for the whole request."""

    base: int
    tiers: tuple[tuple[int, int], ...] = ()
    """(start, rate), ascending."""

    @classmethod
    def of(cls, dollars: Decimal, per: int, tiers: Iterable[tuple[int, Decimal]] = ()) -> Rate:
        """A rate from USD for so many of a unit, rounded half-even."""
        return cls(_zepto(dollars, per), tuple((start, _zepto(price, per)) for start, price in tiers))

    @classmethod
    def per_million(cls, dollars: Decimal, tiers: Iterable[tuple[int, Decimal]] = ()) -> Rate:
        """A rate from USD per million."""
        return cls.of(dollars, 1_000_000, tiers)

    def at(self, input_tokens: int) -> int:
        """The rate that holds for a request of this many input tokens."""
        rate = self.base
        for start, tier in self.tiers:
            if input_tokens > start:
                rate = tier
        return rate

    def times(self, factor: Fraction) -> Rate:
        """A multiple of the rate, rounded half-even."""
        return Rate(round(self.base * factor), tuple((start, round(rate * factor)) for start, rate in self.tiers))


class Priced(Struct, frozen=True):
    """What quantities cost together, and those without a price."""

    amount: Usd | None
    """None when it is not known: tokens are missing, parts are more than their whole, or nothing has a price."""
    unpriced: Quantities | None = None
    """What the amount is without."""


_UNKNOWN = Priced(None)


class _Charge(Struct, frozen=True):
    """One unit with a rate."""

    unit: str
    rate: Rate
    parts: tuple[int, ...]
    """Places of the charges of units that this one includes."""
    below: tuple[str, ...]
    """All units that this one includes: without a quantity of its own it has that of these."""


class Price(Struct, frozen=True, kw_only=True):
    """What one model's units cost."""

    charges: tuple[_Charge, ...]
    """The most particular units first."""
    covered: frozenset[str]
    """Units with a rate, and those below them."""
    request: int = 0
    """What each request costs besides, in 1e-21 USD."""
    version: str = "own"
    """Where the price comes from."""
    level_assumed: bool = False
    """Whether it is the standard price, as none is known of the service level."""

    @classmethod
    def of(cls, rates: Mapping[str, Rate], version: str = "own") -> Price:
        """Rates by unit of genai-prices' registry."""
        units = registry().units
        order = sorted(
            (unit for unit in rates if unit != "requests"), key=lambda unit: (-len(units[unit].dimensions), unit)
        )
        charges = tuple(
            _Charge(
                unit,
                rates[unit],
                tuple(place for place, other in enumerate(order) if unit in _ancestors(other)),
                tuple(other for other in units if unit in _ancestors(other)),
            )
            for unit in order
        )
        covered = frozenset(unit for unit in units if unit in rates or not _ancestors(unit).isdisjoint(rates))
        per_request = rates["requests"].base if "requests" in rates else 0
        return cls(charges=charges, covered=covered, request=per_request, version=version)

    @property
    def rates(self) -> dict[str, Rate]:
        """By unit."""
        return {charge.unit: charge.rate for charge in self.charges}

    def times(self, factors: Mapping[str, Fraction], level_assumed: bool = False) -> Price:
        """The price with multiples of some of its rates."""
        charges = tuple(
            msgspec.structs.replace(charge, rate=charge.rate.times(factors[charge.unit]))
            if charge.unit in factors
            else charge
            for charge in self.charges
        )
        return msgspec.structs.replace(self, charges=charges, level_assumed=level_assumed)

    def priced(self, usage: Usage) -> Priced:
        """Quantities times rates, rounded half-even once to nano-USD."""
        if self._lacks_counts(usage):
            return _UNKNOWN
        quantities = usage.quantities
        counted: list[int | Fraction] = []
        zepto: int | Fraction = self.request
        input_tokens = usage.prompt or 0
        is_any_priced = False
        for charge in self.charges:
            quantity = quantities.get(charge.unit)
            if quantity is None:
                count = _inferred(charge.below, quantities) if usage.units else 0
            else:
                count = quantity if isinstance(quantity, int) else Fraction(repr(quantity))
            for place in charge.parts:
                count -= counted[place]
            if count < 0:
                return _UNKNOWN
            counted.append(count)
            if count:
                is_any_priced = True
                zepto += count * charge.rate.at(input_tokens)
        unpriced = {unit: count for unit, count in quantities.items() if unit not in self.covered}
        if unpriced and not is_any_priced:
            return Priced(None, unpriced)
        cost = Usd(_half_even(zepto, _ZEPTO_PER_NANO) if type(zepto) is int else round(zepto / _ZEPTO_PER_NANO))
        return Priced(cost, unpriced or None) if cost <= LARGEST_COST else _UNKNOWN

    def _lacks_counts(self, usage: Usage) -> bool:
        """Whether tokens that the price asks for are unknown; units of other kinds may be all that there is."""
        if usage.prompt is not None and usage.completion is not None:
            return False
        if usage.prompt is None and usage.completion is None and usage.units:
            return False
        return (usage.prompt is None and "input_tokens" in self.covered) or (
            usage.completion is None and "output_tokens" in self.covered
        )


@cache
def registry() -> UnitRegistry:
    """The units that there are, and which includes which."""
    from genai_prices.data_units import unit_data
    from genai_prices.units import UnitRegistry

    return UnitRegistry(unit_data)


@cache
def _ancestors(unit: str) -> frozenset[str]:
    return registry().ancestor_usage_keys(unit)


def _inferred(below: tuple[str, ...], quantities: Quantities) -> Fraction | int:
    """How much there is of a unit of which only parts are reported: its largest parts, those inside others left out."""
    present = [unit for unit in below if unit in quantities]
    outer = [unit for unit in present if _ancestors(unit).isdisjoint(present)]
    total = sum(Fraction(repr(quantities[unit])) for unit in outer)
    return int(total) if total.denominator == 1 else total


def _zepto(dollars: Decimal, per: int) -> int:
    return round(Fraction(dollars * _ZEPTO) / per)


def _half_even(amount: int, divisor: int) -> int:
    quotient, rest = divmod(amount, divisor)
    double = 2 * rest
    return quotient + (double > divisor or (double == divisor and quotient % 2 == 1))
