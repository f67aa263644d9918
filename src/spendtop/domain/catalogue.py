"""Published prices from the genai-prices package, cached per provider, model and terms."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from spendtop.domain.prices import Price
from spendtop.domain.pricing import Terms
from spendtop.domain.quotes import Quote

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

_MOST_MODELS = 10_000
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
        self._quotes: dict[tuple[str | None, str, Terms], Quote | None] = {}
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
        quotes, key = self._quotes, (provider, model, terms)
        try:
            quote = quotes[key]
        except KeyError:
            if len(quotes) >= _MOST_MODELS:
                self._quotes = quotes = {}  # a new one, as other threads may be looking at the old one
            quote = quotes[key] = self._quote(provider, model, terms)
        return None if quote is None else quote.price(at)

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

    def _quote(self, provider: str | None, name: str, terms: Terms) -> Quote | None:
        entry = self._entry(provider, name)
        if entry is None:
            return None
        owner = self._entry(_HOSTS[entry.provider], name) if terms.level and entry.provider in _HOSTS else None
        return Quote(entry.provider, entry.model, name, terms, self._version, owner.model if owner else None)
