"""Published prices from the genai-prices package, cached per provider, model and terms."""

from __future__ import annotations

from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING

from spendtop.domain.prices import Price
from spendtop.domain.pricing import Terms
from spendtop.domain.quotes import Quote

if TYPE_CHECKING:
    from spendtop.domain.price_entries import PriceEntries

_MOST_MODELS = 10_000
_HOSTS = {"azure": "openai"}
"""Who owns the models that another provider serves at levels of the same prices."""


class PublishedPrices:
    """A catalogue (see `domain.pricing.Catalogue`). Models it does not know are remembered as unknown."""

    def __init__(self) -> None:
        self._entries: PriceEntries | None = None
        self._quotes: dict[tuple[str | None, str, Terms], Quote | None] = {}
        self._version = ""
        self._loading = Lock()

    def load(self) -> None:
        """Load the price list now (up to a second, 26 MB), once; else the first look-up does, and its thread waits."""
        self._loaded()

    def __call__(self, provider: str | None, model: str, terms: Terms, at: int) -> Price | None:
        """The price of a model at an instant (UTC µs); price lists change with dates and times of day."""
        quotes, key = self._quotes, (provider, model, terms)
        try:
            quote = quotes[key]
        except KeyError:
            if len(quotes) >= _MOST_MODELS:
                self._quotes = quotes = {}  # a new one, as other threads may be looking at the old one
            quote = quotes[key] = self._quote(provider, model, terms)
        return None if quote is None else quote.price(at)

    def provider_of(self, model: str, default: str) -> str | None:
        """Who bills a model that was pushed without a provider; None where that is not known."""
        return self._loaded().biller(model, default)

    def _quote(self, provider: str | None, name: str, terms: Terms) -> Quote | None:
        entries = self._loaded()
        entry = entries.entry(provider, name)
        if entry is None:
            return None
        owner = entries.entry(_HOSTS[entry.biller], name) if terms.level and entry.biller in _HOSTS else None
        return Quote(entry.biller, entry.model, name, terms, self._version, owner.model if owner else None)

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
