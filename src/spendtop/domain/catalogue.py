"""Published prices from the genai-prices package, as integers, cached per provider and model."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from threading import Lock
from typing import TYPE_CHECKING

from spendtop.domain.clock import to_datetime
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.pricing import Price, Rate
from spendtop.domain.published_list import PublishedList, bundled_list

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

_MOST_MODELS = 10_000


class PublishedPrices:
    """A catalogue (see `domain.pricing.Catalogue`). Models it does not know are remembered as unknown.

    It is of one list for ever: to price by another one is to take another catalogue, so that no price and no version
    of the old list lives on in it.
    """

    def __init__(self, read_list: Callable[[], PublishedList] = bundled_list) -> None:
        self._read_list = read_list
        self._list: PublishedList | None = None
        self._find: Callable[[str | None, str], ModelInfo | None] | None = None
        self._owner: Callable[[str], str | None] | None = None
        self._models: dict[tuple[str | None, str], ModelInfo | None] = {}
        self._prices: dict[int, tuple[ModelPrice, Price | None]] = {}
        self._version = ""
        self._loading = Lock()

    def load(self) -> None:
        """Load the price list now (up to a second, 26 MB), once; else the first look-up does, and its thread waits."""
        with self._loading:
            if self._find is None:
                self._load()

    @property
    def price_list(self) -> PublishedList:
        """The list that prices come from; loads it where nobody did yet."""
        self.load()
        assert self._list is not None
        return self._list

    def _load(self) -> None:
        self._list = self._read_list()
        snapshot = self._list.snapshot

        def find(provider: str | None, model: str) -> ModelInfo | None:
            try:
                return snapshot.find_provider_model(model, None, provider, None)[1]
            except LookupError:
                return None

        def owner(model: str) -> str | None:
            try:
                return snapshot.find_provider_model(model, None, None, None)[0].id
            except LookupError:
                return None

        self._owner = owner
        self._version = self._list.version.name
        self._find = find

    def __call__(self, provider: str | None, model: str, at: int) -> Price | None:
        """The price of a model at an instant (UTC µs); price lists change with dates and times of day."""
        info = self._model(provider, model)
        if info is None:
            return None
        published = info.prices if not isinstance(info.prices, list) else info.get_prices(to_datetime(at))
        entry = self._prices.get(id(published))
        if entry is None:
            entry = self._prices[id(published)] = (published, self._as_price(published))
        return entry[1]

    def provider_of(self, model: str, default: str) -> str:
        """Whose model it is: the default's where its price list knows the model or nobody's does, else its owner's."""
        if self._model(default, model) is not None:
            return default
        assert self._owner is not None
        return self._owner(model) or default

    def _model(self, provider: str | None, model: str) -> ModelInfo | None:
        models, key = self._models, (provider, model)
        if key in models:
            return models[key]
        if len(models) >= _MOST_MODELS:
            self._models = models = {}  # a new one, as other threads may be looking at the old one
        info = models[key] = self._look_up(provider, model)
        return info

    def _look_up(self, provider: str | None, model: str) -> ModelInfo | None:
        if self._find is None:
            self.load()
        assert self._find is not None
        prefix, _, rest = model.partition("/")
        candidates: list[tuple[str | None, str]] = [(provider, model)]
        if rest:
            candidates += [(prefix, rest), (provider, rest)]
        for candidate_provider, candidate_model in candidates:
            info = self._find(candidate_provider, candidate_model)
            if info is not None:
                return info
        return None

    def _as_price(self, prices: ModelPrice) -> Price | None:
        input_rate = _rate(prices.input_mtok)
        if input_rate is None:
            return None
        return Price(
            input=input_rate,
            output=_rate(prices.output_mtok),
            cache_read=_rate(prices.cache_read_mtok),
            cache_write=_rate(prices.cache_write_mtok),
            request=_per_request(prices.requests_kcount),
            version=self._version,
        )


def _rate(price: object) -> Rate | None:
    from genai_prices.types import TieredPrices

    if isinstance(price, TieredPrices):
        return Rate.per_million(price.base, tuple((tier.start, tier.price) for tier in price.tiers))
    return Rate.per_million(price) if isinstance(price, Decimal) else None


def _per_request(thousand: object) -> Usd:
    """What one request costs where a thousand have a price."""
    return Usd.of(thousand / 1000) if isinstance(thousand, Decimal) else ZERO
