"""Which entry of the published price lists is a request's, by who bills it and the model's name.

The package's own look-up takes any name that begins or goes on like one it knows, and so prices a relative, a
fine-tune or a local copy at what nobody bills for it. Here a name has to be the entry's own, and a release is all that
may follow; every other name has no price.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from genai_prices.types import ModelInfo, Provider

from spendtop.domain.billers import biller_named
from spendtop.domain.model_names import is_local
from spendtop.domain.pricing.cloud_names import cloud_in, owned, without_route
from spendtop.domain.pricing.price_list import PriceList

_MOST_NAMES = 10_000
_LONGEST_NAME = 300
_MAKERS = (
    "anthropic", "openai", "google", "mistral", "cohere", "deepseek", "x-ai", "moonshotai", "minimax", "perplexity",
    "voyageai", "meta", "elevenlabs", "typesafe", "cloudflare", "fireworks", "databricks",
)  # fmt: skip
"""Whose names need no provider, in the order in which they are looked up.

GLM's maker is not among them: it has the same names on two lists, at different prices. The last three sell what
others made, under names that are theirs alone.
"""
_VENDORS = frozenset(
    {"anthropic", "cohere", "deepseek", "google", "meta", "minimax", "mistral", "openai", "perplexity", "x-ai"}
)
"""Makers in front of a `/`: whose model it is. Who bills may be the maker or whoever else writes names that way."""
_WORDS = _VENDORS | {"amazon", "arcee-ai", "codestral", "meta-llama", "mistralai", "moonshotai", "x", "z-ai", "zai-org"}
"""Those and other words that also begin the names of open weights, as whoever runs a copy writes them."""
_SELLERS = frozenset(
    {"avian", "azure", "baseten", "cerebras", "cloudflare", "databricks", "doubleword", "fireworks", "github-copilot",
     "groq", "modal", "novita", "openrouter", "ovhcloud", "quicksilverpro", "together", "typesafe", "voyageai", "zai",
     "zhipuai"}
)  # fmt: skip
"""Providers whose own name in front can only be that of who bills."""
_ROUTE = re.compile(r"([a-z0-9_. -]+)[/:](.+)")


class PriceEntry(NamedTuple):
    """The price entry of a model."""

    biller: str
    """Who charges by it, as the price list names them; its list or that of the model's owner has the entry."""
    model: ModelInfo


class PriceEntries:
    """The entries of price lists. Any thread may ask; what is asked again is remembered, unknown names as well."""

    entry: Callable[[str | None, str], PriceEntry | None]
    """The entry of (provider as a source names it, model); None where no price is published for it."""
    biller: Callable[[str, str], str | None]
    """Who bills a (model, default provider) that was pushed without a provider."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._lists = {provider.id: PriceList(provider) for provider in providers}
        self.entry = lru_cache(_MOST_NAMES)(self._entry)
        self.biller = lru_cache(_MOST_NAMES)(self._biller)

    def _entry(self, provider: str | None, model: str) -> PriceEntry | None:
        name = _plain(model)
        if not 0 < len(name) <= _LONGEST_NAME:
            return None
        biller = biller_named(provider) or _biller_in(name)
        if biller is None:
            return _entry_of(*self._by_maker(name))
        entry = self._at(biller, name)
        if entry is not None or biller not in _VENDORS:
            return _entry_of(biller, entry)
        # A maker's client may be pointed at somebody else, whom the name says.
        elsewhere = _biller_in(name)
        return _entry_of(elsewhere, self._at(elsewhere, name)) if elsewhere else _entry_of(*self._by_vendor(name))

    def _biller(self, model: str, default: str) -> str | None:
        """The default counts for its own names and for those that nobody lists, but not for somebody's local copy."""
        name, default_biller = _plain(model), biller_named(default)
        if len(name) > _LONGEST_NAME:
            return default_biller
        named = _biller_in(name)
        if named is not None or default_biller is None:
            return named
        if self._at(default_biller, name) is not None:
            return default_biller
        maker, _ = self._by_maker(name)
        if maker is not None:
            return maker
        is_nobodys = all(each.entry(name) is None for each in self._lists.values())
        return default_biller if is_nobodys and "/" not in name and not is_local(name) else None

    def _at(self, biller: str, name: str) -> ModelInfo | None:
        """The entry by which `biller` charges, in its own list or in that of a model's owner."""
        for each in _spellings(biller, name):
            entry = self._listed(biller, each)
            if entry is not None:
                return entry
            for owner, own_name in owned(biller, each):
                entry = self._listed(owner, own_name)
                if entry is not None:
                    return entry
        return None

    def _by_maker(self, name: str) -> tuple[str | None, ModelInfo | None]:
        """Who has a name that says enough by itself on its list, and the entry."""
        vendor, entry = self._by_vendor(name)
        if entry is None and not is_local(name):
            for maker in _MAKERS:
                entry = self._listed(maker, name)
                if entry is not None:
                    return maker, entry
        return vendor, entry

    def _by_vendor(self, name: str) -> tuple[str | None, ModelInfo | None]:
        """The same, where a vendor stands in front: its own list only."""
        route = _ROUTE.fullmatch(name)
        if route is None or route[1] not in _VENDORS:
            return None, None
        entry = self._listed(route[1], name) or self._listed(route[1], route[2])
        return (route[1], entry) if entry is not None else (None, None)

    def _listed(self, provider: str, name: str) -> ModelInfo | None:
        prices = self._lists.get(provider)
        return prices.entry(name) if prices is not None and name else None


def _entry_of(biller: str | None, model: ModelInfo | None) -> PriceEntry | None:
    return None if biller is None or model is None else PriceEntry(biller, model)


def _plain(model: str) -> str:
    return model.strip().lower().removeprefix("litellm_proxy/")


def _biller_in(name: str) -> str | None:
    """Who bills, where a name itself says it: `bedrock/...`, `google-gla:...`, an ARN, a resource at Vertex."""
    route = _ROUTE.fullmatch(name)
    word = route[1] if route else ""
    biller = biller_named(word)
    if biller is not None and word not in _WORDS and (biller != word or word in _SELLERS):
        return biller
    return cloud_in(name)


def _spellings(biller: str, name: str) -> Iterator[str]:
    """A name as it is, then without the seller in front and where it was called."""
    yield name
    bare = name
    while (parts := _ROUTE.fullmatch(bare)) and biller_named(parts[1]) == biller:
        bare = parts[2]
    bare = without_route(biller, bare)
    if bare != name:
        yield bare
