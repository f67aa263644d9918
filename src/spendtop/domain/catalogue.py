"""Published prices from the genai-prices package, as integers, cached per provider and model."""

from __future__ import annotations

from decimal import Decimal
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING

from spendtop.domain.clock import to_datetime
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.pricing import Price, Rate

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

    from spendtop.domain.price_entries import PriceEntries


class PublishedPrices:
    """A catalogue (see `domain.pricing.Catalogue`)."""

    def __init__(self) -> None:
        self._entries: PriceEntries | None = None
        self._prices: dict[int, tuple[ModelPrice, Price | None]] = {}
        self._version = ""
        self._loading = Lock()

    def load(self) -> None:
        """Load the price list now (up to a second, 26 MB), once; else the first look-up does, and its thread waits."""
        self._loaded()

    def _loaded(self) -> PriceEntries:
        if self._entries is not None:
            return self._entries
        with self._loading:
            if self._entries is None:
                from genai_prices.data_snapshot import get_snapshot

                from spendtop.domain.price_entries import PriceEntries

                self._version = f"genai-prices {version('genai-prices')}"
                self._entries = PriceEntries(get_snapshot().providers)
            return self._entries

    def __call__(self, provider: str | None, model: str, at: int) -> Price | None:
        """The price of a model at an instant (UTC µs); price lists change with dates and times of day."""
        info = self._loaded().entry(provider, model)
        if info is None:
            return None
        published = info.prices if not isinstance(info.prices, list) else info.get_prices(to_datetime(at))
        entry = self._prices.get(id(published))
        if entry is None:
            entry = self._prices[id(published)] = (published, self._as_price(published))
        return entry[1]

    def provider_of(self, model: str, default: str) -> str | None:
        """Who bills a model that was pushed without a provider; None where that is not known."""
        return self._loaded().biller(model, default)

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
