"""What a request costs: reported where the gateway's figure can be trusted, else computed, else unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from msgspec import Struct

from spendtop.domain.money import ZERO, Usd
from spendtop.domain.request import Basis, Cost, Request, Status, Usage

_LARGEST_COST = Usd.of(1_000_000)
"""A larger cost of one request is not believed."""
_ATTO_PER_NANO = 10**9
_ATTO_PER_USD_PER_MILLION = 10**12


class Rate(Struct, frozen=True):
    """Price of one token in 1e-18 USD. Above a tier's start (input tokens), its rate holds for the whole request."""

    base: int
    tiers: tuple[tuple[int, int], ...] = ()
    """(start, rate), ascending."""

    @classmethod
    def per_million(cls, dollars: Decimal, tiers: tuple[tuple[int, Decimal], ...] = ()) -> Rate:
        """A rate from USD per million tokens, rounded half-even."""
        return cls(_atto(dollars), tuple((start, _atto(price)) for start, price in tiers))

    def at(self, input_tokens: int) -> int:
        """The rate that holds for a request of this many input tokens."""
        rate = self.base
        for start, tier in self.tiers:
            if input_tokens > start:
                rate = tier
        return rate


class Price(Struct, frozen=True, kw_only=True):
    """What one model's tokens cost. A cache rate that is None is charged as plain input."""

    input: Rate
    output: Rate | None = None
    """None where a model has no output, such as embeddings."""
    cache_read: Rate | None = None
    cache_write: Rate | None = None
    request: Usd = ZERO
    """What each request costs besides its tokens."""
    version: str = "own"
    """Where the price comes from."""

    def cost(self, usage: Usage) -> Usd | None:
        """Tokens times price, rounded half-even once.

        None when the tokens or a rate they need are unknown, and for a sum that no single request costs.
        """
        if usage.prompt is None or (usage.completion is None and self.output is not None):
            return None
        output_tokens = usage.completion or 0
        if output_tokens and self.output is None:
            return None
        read = min(usage.cache_read or 0, usage.prompt)
        write = min(usage.cache_write or 0, usage.prompt - read)
        plain = usage.prompt - read - write
        atto = self.request.nano * _ATTO_PER_NANO + plain * self.input.at(usage.prompt)
        atto += read * (self.cache_read or self.input).at(usage.prompt)
        atto += write * (self.cache_write or self.input).at(usage.prompt)
        if self.output is not None:
            atto += output_tokens * self.output.at(usage.prompt)
        cost = Usd(_half_even(atto, _ATTO_PER_NANO))
        return cost if cost <= _LARGEST_COST else None


Catalogue = Callable[[str | None, str, int], Price | None]
"""Published price of (provider, model) at an instant in UTC µs, or None when it is not known."""

Hook = Callable[[Request], tuple[Usd | None, bool]]
"""The user's own rule: its cost and whether it decided at all (see `services.pricing_hook`)."""


class Pricer:
    """Prices requests: the user's own prices, the user's hook, then the published catalogue."""

    def __init__(self, own: Mapping[str, Price], hook: Hook | None, catalogue: Catalogue) -> None:
        self._own = {name.lower(): price for name, price in own.items()}
        self._hook = hook
        self._catalogue = catalogue

    def cost(self, request: Request) -> Cost:
        """What the request cost, and on what basis. A gateway's cache hit costs nothing."""
        reported = request.cost.reported
        computed, version = self._computed(request)
        if request.cached:
            amount, basis, version = Usd(0), Basis.REPORTED, None
        elif reported is not None and is_trusted(reported, request):
            amount, basis, version = reported, Basis.REPORTED, None
        elif computed is not None:
            amount, basis = computed, Basis.COMPUTED
        else:
            amount, basis, version = None, Basis.UNKNOWN, None
        return Cost(amount=amount, basis=basis, reported=reported, computed=computed, price_version=version)

    def ceiling(self, model: str, at: int) -> Price | None:
        """The price at which a limit counts what has none."""
        return self._own.get(model.lower()) or self._catalogue(None, model, at)

    def _computed(self, request: Request) -> tuple[Usd | None, str | None]:
        own = self._own.get(request.model.lower()) if request.model else None
        if own is not None and has_tokens(request):
            return own.cost(request.usage), own.version
        if self._hook is not None:
            cost, decided = self._hook(request)
            if decided:
                return cost, "hook"
        if request.model is None or own is not None or not has_tokens(request):
            return None, None
        price = self._catalogue(request.provider, request.model, request.occurred_at)
        return (price.cost(request.usage), price.version) if price else (None, None)


def has_tokens(request: Request) -> bool:
    """Whether the tokens are known: none at all are only believed of a response that failed."""
    return request.usage.total is not None and (request.usage.total > 0 or request.status is Status.ERROR)


def is_trusted(reported: Usd, request: Request) -> bool:
    """Whether a gateway's figure can be believed: zero means "free", "error" and "unknown model" alike."""
    if reported != ZERO:
        return is_amount(reported)
    return request.cached or (not request.usage.total and request.status is Status.ERROR)


def is_amount(reported: Usd) -> bool:
    """Whether a figure can be a request's cost whatever else is known about it."""
    return ZERO < reported <= _LARGEST_COST


def _atto(dollars_per_million: Decimal) -> int:
    return int((dollars_per_million * _ATTO_PER_USD_PER_MILLION).to_integral_value(ROUND_HALF_EVEN))


def _half_even(amount: int, divisor: int) -> int:
    quotient, rest = divmod(amount, divisor)
    double = 2 * rest
    return quotient + (double > divisor or (double == divisor and quotient % 2 == 1))
