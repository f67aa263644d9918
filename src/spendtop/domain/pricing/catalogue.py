"""Published prices from the genai-prices package, cached per provider, model and terms."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from spendtop.domain.pricing.price import Price
from spendtop.domain.pricing.pricer import Terms
from spendtop.domain.pricing.published_list import PublishedList, bundled_list
from spendtop.domain.pricing.quotes import Quote

if TYPE_CHECKING:
    from spendtop.domain.pricing.price_entries import PriceEntries

_MOST_MODELS = 10_000
_HOSTS = {"azure": "openai"}
"""Who owns the models that another provider serves at levels of the same prices."""


class _Loaded(NamedTuple):
    price_list: PublishedList
    entries: PriceEntries


class PublishedPrices:
    """A catalogue (see `domain.pricing.Catalogue`). Models it does not know are remembered as unknown.

    It is of one list for ever: to price by another one is to take another catalogue, so that no price and no version
    of the old list lives on in it.
    """

    def __init__(self, read_list: Callable[[], PublishedList] = bundled_list) -> None:
        self._read_list = read_list
        self._loaded: _Loaded | None = None
        self._quotes: dict[tuple[str | None, str, Terms], Quote | None] = {}
        self._loading = Lock()

    def load(self) -> None:
        """Load the price list now (up to a second, 26 MB), once; else the first look-up does, and its thread waits."""
        self._load()

    @property
    def price_list(self) -> PublishedList:
        """The list that prices come from; loads it where nobody did yet."""
        return self._load().price_list

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
        return self._load().entries.biller(model, default)

    def _quote(self, provider: str | None, name: str, terms: Terms) -> Quote | None:
        price_list, entries = self._load()
        entry = entries.entry(provider, name)
        if entry is None:
            return None
        owner = entries.entry(_HOSTS[entry.biller], name) if terms.level and entry.biller in _HOSTS else None
        return Quote(entry.biller, entry.model, name, terms, price_list.version.name, owner.model if owner else None)

    def _load(self) -> _Loaded:
        if self._loaded is not None:
            return self._loaded
        with self._loading:
            if self._loaded is None:
                from spendtop.domain.pricing.price_entries import PriceEntries

                price_list = self._read_list()
                self._loaded = _Loaded(price_list, PriceEntries(price_list.snapshot.providers))
            return self._loaded
