"""What a request costs: as somebody who can be believed says, else computed from its quantities, else unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from spendtop.domain.money import ZERO, Usd
from spendtop.domain.pricing.price import LARGEST_COST, Price
from spendtop.domain.requests.request import Basis, Cost, Quantities, Reporter, Request, ServiceLevel, Status

FALLBACK = "*"
"""The name of the own price that holds for models without any other."""
_CERTAIN = Usd.of("0.01")
"""Two costs that are less apart do not make each other doubtful."""
_HOOK = "hook"
_FAR = 3
"""How many times as much one of two costs has to be to make the other doubtful."""


class Terms(NamedTuple):
    """What a model's price depends on besides the time."""

    level: ServiceLevel | None = None
    inference_geo: str | None = None


_STANDARD = Terms()

Catalogue = Callable[[str | None, str, Terms, int], Price | None]
"""Published price of (provider, model, terms) at an instant in UTC µs, or None when it is not known."""

Hook = Callable[[Request], tuple[Usd | None, bool]]
"""The user's own rule: its cost and whether it decided at all (see `services.recording.pricing_hook`)."""


class _Computed(NamedTuple):
    """What was computed here, and by what."""

    amount: Usd | None = None
    version: str | None = None
    unpriced: Quantities | None = None
    level_assumed: bool = False
    is_published: bool = False


_NOTHING = _Computed()
_FREE = _Computed(ZERO)


class Pricer:
    """Prices requests: the user's own prices, the user's hook, then the published catalogue."""

    def __init__(
        self, own: Mapping[str, Price], hook: Hook | None, catalogue: Catalogue, hook_over: Hook | None = None
    ) -> None:
        """`own` is by model, with `FALLBACK` for all that have no other price. `hook` is asked where there is no own
        price, `hook_over` before whatever anyone says."""
        self._own = {name.lower(): price for name, price in own.items()}
        self._fallback = self._own.pop(FALLBACK, None)
        self._hook = hook
        self._hook_over = hook_over
        self._catalogue = catalogue

    def cost(self, request: Request) -> Cost:
        """What the request cost, and on what basis. A gateway's cache hit costs nothing, nor does a failure without
        any usage."""
        reported, reporter = request.cost.reported, request.cost.reported_by
        if self._hook_over is not None and not (request.cached or request.is_plan):
            amount, decided = self._hook_over(request)
            if decided:
                return _cost(request, _Computed(amount, _HOOK))
        computed = self._computed(request)
        if request.is_plan:
            return replace(_cost(request, computed), amount=None, basis=Basis.PLAN)
        if request.cached or (reported is not None and is_trusted(reported, request)):
            return Cost(
                amount=ZERO if request.cached else reported,
                basis=Basis.REPORTED,
                reported=reported,
                reported_by=reporter,
                computed=computed.amount,
                doubtful=not request.cached and reported is not None and _are_far_apart(reported, computed),
            )
        if computed is _NOTHING and is_failure_without_usage(request):
            computed = _FREE
        return _cost(request, computed)

    def ceiling(self, model: str, at: int) -> Price | None:
        """The price at which a limit counts what has none."""
        return self._own.get(model.lower()) or self._catalogue(None, model, _STANDARD, at) or self._fallback

    def _computed(self, request: Request) -> _Computed:
        own = self._own_price(request) if self._own else None
        if own is not None and (request.usage.is_known or (own.is_flat and request.status is Status.OK)):
            return _by_own(own, request)
        if self._hook is not None:
            amount, decided = self._hook(request)
            if decided:
                return _Computed(amount, _HOOK)
        if not request.usage.is_known:
            was_counted = request.usage.total is not None
            return _FREE if was_counted and request.status is Status.ERROR else _NOTHING
        published = self._published_price(request)
        if published is not None:
            priced = published.priced(request.usage)
            return _Computed(priced.amount, published.version, priced.unpriced, published.level_assumed, True)
        return _NOTHING if self._fallback is None else _by_own(self._fallback, request)

    def _own_price(self, request: Request) -> Price | None:
        named = (request.model, request.served_model)
        return next((self._own[name.lower()] for name in named if name and name.lower() in self._own), None)

    def _published_price(self, request: Request) -> Price | None:
        level, geo = request.service_level, request.inference_geo
        terms = _STANDARD if level is None and geo is None else Terms(level, geo)
        price = None
        if request.model is not None:
            price = self._catalogue(request.provider, request.model, terms, request.occurred_at)
        if price is None and request.served_model is not None:
            price = self._catalogue(request.provider, request.served_model, terms, request.occurred_at)
        return price


def _cost(request: Request, computed: _Computed) -> Cost:
    """The cost as computed here, or unknown."""
    reported, reporter = request.cost.reported, request.cost.reported_by
    if computed.amount is None:
        return Cost(reported=reported, reported_by=reporter)
    return Cost(
        amount=computed.amount,
        basis=Basis.COMPUTED,
        reported=reported,
        reported_by=reporter,
        computed=computed.amount,
        price_version=computed.version,
        level_assumed=computed.level_assumed,
        unpriced_units=computed.unpriced,
    )


def _by_own(price: Price, request: Request) -> _Computed:
    """An own price holds for every service level, which is then said to be assumed."""
    priced = price.priced(request.usage)
    is_assumed = request.service_level not in (None, ServiceLevel.STANDARD)
    return _Computed(priced.amount, price.version, priced.unpriced, is_assumed)


def is_failure_without_usage(request: Request) -> bool:
    """Whether a call failed before anything was used: nobody bills it."""
    return request.status is Status.ERROR and not request.usage.is_known


def is_failed(request: Request) -> bool:
    """Whether a request counts as failed: an error without any usage, which cost nothing."""
    return is_failure_without_usage(request) and request.cost.amount == ZERO


def is_trusted(reported: Usd, request: Request) -> bool:
    """Whether a reported figure can be believed: a gateway's zero means "free", "error" and "unknown model" alike, a
    provider's own is a price."""
    if reported != ZERO:
        return is_amount(reported)
    if request.cached or request.cost.reported_by is Reporter.PROVIDER:
        return True
    return is_failure_without_usage(request)


def is_amount(reported: Usd) -> bool:
    """Whether a figure can be a request's cost whatever else is known about it."""
    return ZERO < reported <= LARGEST_COST


def _are_far_apart(reported: Usd, computed: _Computed) -> bool:
    """Whether a reported cost is so far from what a published list says that one of the two has to be wrong."""
    if computed.amount is None or computed.unpriced is not None or not computed.is_published:
        return False
    smaller, larger = sorted((reported.nano, computed.amount.nano))
    return larger - smaller > _CERTAIN.nano and larger > _FAR * smaller
