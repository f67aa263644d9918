"""What quantities cost: integer arithmetic over the prices of units.

Which unit counts where is the rule of genai-prices' registry: a quantity is charged at the price of its own unit or of
its nearest priced ancestor, so what is priced apart is taken out of the units that include it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from msgspec import Struct

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import COUNTED_UNITS, Quantities, Usage

if TYPE_CHECKING:
    from genai_prices.units import UnitRegistry

LARGEST_COST = Usd.of(1_000_000)
"""A larger cost of one request is not believed."""
_ZEPTO_PER_NANO = 10**12
_ZEPTO_PER_USD = 10**21
_REQUESTS = "requests"
_INPUT, _OUTPUT, _CACHE_READ, _CACHE_WRITE, _REASONING = COUNTED_UNITS

_Number: TypeAlias = int | Fraction


class Rate(Struct, frozen=True):
    """Price of one of a unit in 1e-21 USD, exactly. Above a tier's start (input tokens) its rate holds for the whole
    request."""

    base: _Number
    tiers: tuple[tuple[int, _Number], ...] = ()
    """(start, rate), ascending."""

    @classmethod
    def of(cls, dollars: Decimal, per: int, tiers: Iterable[tuple[int, Decimal]] = ()) -> Rate:
        """A rate from USD for so many of a unit."""
        return cls(_zepto(dollars, per), tuple((start, _zepto(price, per)) for start, price in tiers))

    @classmethod
    def per_million(cls, dollars: Decimal, tiers: Iterable[tuple[int, Decimal]] = ()) -> Rate:
        """A rate from USD per million."""
        return cls.of(dollars, 1_000_000, tiers)

    def at(self, input_tokens: int) -> _Number:
        """The rate that holds for a request of this many input tokens."""
        rate = self.base
        for start, tier in self.tiers:
            if input_tokens > start:
                rate = tier
        return rate

    def times(self, factor: Fraction) -> Rate:
        return Rate(_simple(self.base * factor), tuple((start, _simple(rate * factor)) for start, rate in self.tiers))


class Priced(Struct, frozen=True):
    """What quantities cost together, and those without a price."""

    amount: Usd | None
    """None when it is not known: tokens are missing, parts are more than their whole, or nothing has a price."""
    unpriced: Quantities | None = None
    """What the amount is without."""


_UNKNOWN = Priced(None)


class _Overlap(NamedTuple):
    """Two units that share the quantity of a third one, such as audio and cache reads that of cached audio."""

    one: str
    other: str
    whole: str | None
    """What includes both."""
    rest_of_one: tuple[str, ...]
    """What divides the first unit together with the shared one: of cached audio, what else is done with audio."""
    rest_of_other: tuple[str, ...]


class _Charge(Struct, frozen=True):
    """One unit with a rate."""

    unit: str
    rate: Rate
    parts: tuple[int, ...]
    """Places of the charges of units that this one includes."""
    overlaps: tuple[_Overlap, ...]
    least: int
    """Any quantity is charged as at least so much."""

    def quantity(self, quantities: Mapping[str, _Number]) -> _Number | None:
        """How much of it there was; None where two quantities share it and nothing tells how much they share."""
        quantity = quantities.get(self.unit)
        if quantity is None:
            quantity = self._shared(quantities) if self.overlaps else 0
        return self.least if quantity and quantity < self.least else quantity

    def _shared(self, quantities: Mapping[str, _Number]) -> _Number | None:
        """The quantity that the others leave room for, where they leave no choice."""
        most: _Number | None = None
        least: _Number = 0
        for overlap in self.overlaps:
            one, other = quantities.get(overlap.one, 0), quantities.get(overlap.other, 0)
            for part, rest in ((one, overlap.rest_of_one), (other, overlap.rest_of_other)):
                room = part - sum(quantities.get(unit, 0) for unit in rest)
                most = room if most is None else min(most, room)
            if overlap.whole is not None:
                least = max(least, one + other - quantities.get(overlap.whole, one + other))
        assert most is not None
        return most if most <= 0 or least >= most else None


class _Band(NamedTuple):
    """Rates of the counts that every usage has, above so many input tokens."""

    start: int
    input: _Number
    output: _Number
    cache_read: _Number
    """Beyond what it costs as input; so for the other parts."""
    cache_write: _Number
    reasoning: _Number


class Price(Struct, frozen=True, kw_only=True):
    """What one model's units cost."""

    rates: Mapping[str, Rate]
    """By unit, as they were given."""
    version: str
    """Where the price comes from."""
    level_assumed: bool
    """Whether it is the standard price, as none is known of the service level."""
    charges: tuple[_Charge, ...]
    """The most particular units first."""
    covered: frozenset[str]
    """Units with a rate, and those below them."""
    bands: tuple[_Band, ...]
    """Where input and output have rates, what the counts cost without any further unit, ascending."""

    @classmethod
    def of(
        cls,
        rates: Mapping[str, Rate],
        version: str = "own",
        least: Mapping[str, int] | None = None,
        level_assumed: bool = False,
    ) -> Price:
        """A price of rates by unit of genai-prices' registry.

        What two of the units share, such as cached audio, has the dearer of their rates where it has none of its own.
        """
        units, priced = registry().units, _with_shared(rates)
        order = sorted(
            (unit for unit in priced if unit != _REQUESTS), key=lambda unit: (-len(units[unit].dimensions), unit)
        )
        charges = tuple(
            _Charge(
                unit,
                priced[unit],
                tuple(place for place, other in enumerate(order) if unit in _ancestors(other)),
                _overlaps(unit),
                (least or {}).get(unit, 0),
            )
            for unit in order
        )
        covered = frozenset(unit for unit in units if unit in priced or not _ancestors(unit).isdisjoint(priced))
        return cls(
            rates=rates,
            version=version,
            level_assumed=level_assumed,
            charges=charges,
            covered=covered | {_REQUESTS},
            bands=_bands(priced),
        )

    @property
    def is_flat(self) -> bool:
        """Whether each request costs the same, whatever it used."""
        return not self.charges

    def times(self, factors: Mapping[str, Fraction]) -> Price:
        """The price with multiples of some of its rates."""
        rates = {unit: rate.times(factors[unit]) if unit in factors else rate for unit, rate in self.rates.items()}
        least = {charge.unit: charge.least for charge in self.charges}
        return Price.of(rates, self.version, least, self.level_assumed)

    def priced(self, usage: Usage) -> Priced:
        """Quantities times rates, rounded half-even once to nano-USD."""
        if usage.units is None and self.bands:
            return self._of_counts(usage)
        if self._lacks_counts(usage):
            return _UNKNOWN
        quantities = completed(usage)
        if quantities is None:
            return _UNKNOWN
        input_tokens = usage.prompt or 0
        charged: list[_Number] = []
        zepto: _Number = 0
        for charge in self.charges:
            quantity = charge.quantity(quantities)
            if quantity is None:
                return _UNKNOWN
            for place in charge.parts:
                quantity -= charged[place]
            if quantity < 0:
                return _UNKNOWN
            charged.append(quantity)
            if quantity:
                zepto += quantity * charge.rate.at(input_tokens)
        if _REQUESTS in self.rates:
            zepto += quantities.get(_REQUESTS, 1) * self.rates[_REQUESTS].base
        unpriced = None if quantities.keys() <= self.covered else self._unpriced(usage, quantities, charged)
        if unpriced and not any(charged) and _REQUESTS not in self.rates:
            return Priced(None, unpriced)
        return _priced(zepto, unpriced)

    def _of_counts(self, usage: Usage) -> Priced:
        """The same where there is nothing but the counts, as with nearly all requests."""
        prompt, completion = usage.prompt, usage.completion
        if prompt is None or completion is None:
            return _UNKNOWN
        read, write, reasoning = usage.cache_read or 0, usage.cache_write or 0, usage.reasoning or 0
        if read + write > prompt or reasoning > completion:
            return _UNKNOWN
        band = self.bands[0]
        for each in self.bands:
            if prompt > each.start:
                band = each
        _, per_input, per_output, per_read, per_write, per_reasoning = band
        zepto = prompt * per_input + completion * per_output
        if read or write or reasoning:
            zepto += read * per_read + write * per_write + reasoning * per_reasoning
        if _REQUESTS in self.rates:
            zepto += self.rates[_REQUESTS].base
        return _priced(zepto, None)

    def _lacks_counts(self, usage: Usage) -> bool:
        """Whether tokens that the price asks for are unknown. What is measured otherwise, such as a recording in
        seconds, may be all that there is; calls of tools never are."""
        if usage.prompt is not None and usage.completion is not None:
            return False
        families = {_dimensions(unit).get("family") for unit in usage.units or ()}
        if usage.prompt is None and usage.completion is None and "tokens" not in families and families - {"tool_calls"}:
            return False
        priced = {_dimensions(charge.unit).get("direction") for charge in self.charges if _is_of_tokens(charge.unit)}
        return (usage.prompt is None and "input" in priced) or (usage.completion is None and "output" in priced)

    def _unpriced(self, usage: Usage, quantities: Mapping[str, _Number], charged: list[_Number]) -> Quantities | None:
        """Quantities without a price, without those that others of them include and without what is charged of them."""
        without = usage.quantities.keys() - self.covered
        unpriced: Quantities = {}
        for unit in without:
            if _ancestors(unit).isdisjoint(without):
                rest = quantities[unit]
                for part, charge in zip(charged, self.charges, strict=True):
                    rest -= part if unit in _ancestors(charge.unit) else 0
                if rest > 0:
                    unpriced[unit] = int(rest) if rest.denominator == 1 else float(rest)
        return unpriced or None


def _priced(zepto: _Number, unpriced: Quantities | None) -> Priced:
    nano = _half_even(zepto, _ZEPTO_PER_NANO) if type(zepto) is int else round(zepto / _ZEPTO_PER_NANO)
    return Priced(Usd(nano), unpriced) if nano <= LARGEST_COST.nano else _UNKNOWN


def completed(usage: Usage) -> dict[str, _Number] | None:
    """All quantities, with those that follow from their parts; None where parts are more than their whole."""
    counts = (usage.prompt, usage.completion, usage.cache_read, usage.cache_write, usage.reasoning)
    stated: Quantities = {unit: count for unit, count in zip(COUNTED_UNITS, counts, strict=True) if count is not None}
    stated.update(usage.units or {})
    quantities: dict[str, _Number] = {}
    for unit, divisions in _divisions(frozenset(stated)):
        parts: _Number = 0
        for division in divisions:
            together: _Number = 0
            for part in division:
                together += quantities[part]
            parts = together if together > parts else parts
        quantity = _exact(stated[unit]) if unit in stated else parts
        if quantity < parts:
            return None
        quantities[unit] = quantity
    return quantities


@cache
def registry() -> UnitRegistry:
    """The units that there are, and which includes which."""
    from genai_prices.data_units import unit_data
    from genai_prices.units import UnitRegistry

    return UnitRegistry(unit_data)


def _dimensions(unit: str) -> Mapping[str, str]:
    known = registry().units.get(unit)
    return known.dimensions if known else {}


def _is_of_tokens(unit: str) -> bool:
    return _dimensions(unit).get("family") == "tokens"


@cache
def _unit_of(dimensions: frozenset[tuple[str, str]]) -> str | None:
    return next((unit for unit in registry().units if frozenset(_dimensions(unit).items()) == dimensions), None)


def _ancestors(unit: str) -> frozenset[str]:
    return registry().ancestor_usage_keys(unit) if unit in registry().units else frozenset()


@lru_cache(maxsize=1_000)
def _divisions(stated: frozenset[str]) -> tuple[tuple[str, tuple[frozenset[str], ...]], ...]:
    """These units and those that include them, the most particular first, each with the ways in which others of them
    divide it: input tokens by modality, and by what the cache does with them."""
    units = sorted(stated.union(*map(_ancestors, stated)), key=lambda unit: (-len(_dimensions(unit)), unit))
    present = frozenset(units)
    return tuple(
        (unit, tuple(present.intersection(each) for each in _all_divisions(unit) if not present.isdisjoint(each)))
        for unit in units
    )


@cache
def _all_divisions(unit: str) -> tuple[tuple[str, ...], ...]:
    """By every further dimension, the units that divide a unit."""
    own = _dimensions(unit).items()
    divisions: dict[str, list[str]] = {}
    for part in registry().units:
        further = _dimensions(part).items() - own
        if unit in _ancestors(part) and len(further) == 1:
            divisions.setdefault(next(iter(further))[0], []).append(part)
    return tuple(map(tuple, divisions.values()))


@cache
def _overlaps(shared: str) -> tuple[_Overlap, ...]:
    """The pairs of units that share a unit's quantity, neither of which includes the other."""
    pairs = combinations(sorted(_ancestors(shared)), 2)
    joined = _dimensions(shared).items()
    return tuple(
        _Overlap(
            one,
            other,
            _unit_of(frozenset(_dimensions(one).items() & _dimensions(other).items())),
            _rest(one, shared),
            _rest(other, shared),
        )
        for one, other in pairs
        if one not in _ancestors(other)
        and other not in _ancestors(one)
        and _dimensions(one).items() | _dimensions(other).items() == joined
    )


def _rest(unit: str, part: str) -> tuple[str, ...]:
    """What divides a unit together with a part of it."""
    division = next((division for division in _all_divisions(unit) if part in division), ())
    return tuple(other for other in division if other != part)


def _with_shared(rates: Mapping[str, Rate]) -> dict[str, Rate]:
    """The rates, and those of what two of the units share."""
    priced, units = dict(rates), registry().units
    for unit in sorted(units, key=lambda unit: len(_dimensions(unit))):
        sharing = [pair for pair in _overlaps(unit) if pair.one in priced and pair.other in priced]
        if sharing and unit not in priced:
            dearest = max(
                (each for pair in sharing for each in (pair.one, pair.other)), key=lambda one: priced[one].base
            )
            priced[unit] = priced[dearest]
    return priced


def _bands(rates: Mapping[str, Rate]) -> tuple[_Band, ...]:
    if _INPUT not in rates or _OUTPUT not in rates:
        return ()
    per_input, per_output = rates[_INPUT], rates[_OUTPUT]
    parts = [rates.get(_CACHE_READ, per_input), rates.get(_CACHE_WRITE, per_input), rates.get(_REASONING, per_output)]
    starts = {start for rate in (per_input, per_output, *parts) for start, _ in rate.tiers}
    bands = []
    for start in (-1, *sorted(starts)):
        input, output = per_input.at(start + 1), per_output.at(start + 1)
        read, write, reasoning = (rate.at(start + 1) for rate in parts)
        bands.append(_Band(start, input, output, read - input, write - input, reasoning - output))
    return tuple(bands)


def _exact(quantity: int | float) -> _Number:
    return quantity if isinstance(quantity, int) else Fraction(repr(quantity))


def _zepto(dollars: Decimal, per: int) -> _Number:
    return _simple(Fraction(dollars) * _ZEPTO_PER_USD / per)


def _simple(number: _Number) -> _Number:
    """A whole number as an integer, which is much faster to calculate with."""
    return int(number) if number.denominator == 1 else number


def _half_even(amount: int, divisor: int) -> int:
    quotient, rest = divmod(amount, divisor)
    double = 2 * rest
    return quotient + (double > divisor or (double == divisor and quotient % 2 == 1))
