"""Prices of service levels as multiples of the standard price, where the price list has none of its own.

Worked out from public price lists; `service_levels.json` says when, and how it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from spendtop.domain.pricing.price import Price, registry
from spendtop.domain.requests.request import ServiceLevel

_KEYS = {
    ServiceLevel.BATCH: "batch",
    ServiceLevel.FLEX: "flex",
    ServiceLevel.PRIORITY: "priority",
    ServiceLevel.FAST: "speed=fast",
}
_GEO = "inference_geo="
_COMPACT_DATE = re.compile(r"-(20\d\d)([01]\d)([0-3]\d)$")


class Multiple(NamedTuple):
    """Of the standard price of each kind of tokens; None is the standard price itself."""

    input: Fraction | None
    output: Fraction | None
    cache_read: Fraction | None

    def of(self, price: Price) -> Price:
        """The multiple of a price: of tokens only, never of searches or other calls."""
        return price.times({unit: factor for unit in price.rates if (factor := self._factor(unit)) is not None})

    def _factor(self, unit: str) -> Fraction | None:
        dimensions = registry().units[unit].dimensions
        if dimensions.get("family") != "tokens":
            return None
        if dimensions.get("token_type") == "cache_read":
            return self.cache_read
        return self.output if dimensions.get("direction") == "output" else self.input


def spellings(name: str, listed: str) -> tuple[str, ...]:
    """Names under which a model may stand here, the most exact first: as it was called, without a vendor's path,
    without the owner's suffix of a fine-tuned one, and as the price list calls it."""
    plain = name.lower().rpartition("/")[2]
    kind, _, rest = plain.partition(":")
    tuned = f"{kind}:{rest.partition(':')[0]}" if kind == "ft" else plain
    return (name.lower(), plain, tuned, _COMPACT_DATE.sub(r"-\1-\2-\3", tuned), listed, listed.rstrip("-"))


def multiple_of_level(level: ServiceLevel | None, provider: str, names: Iterable[str]) -> Multiple | None:
    """What a level costs of a model that is known by several names; None where that is not known."""
    return _find(provider, _KEYS[level], names) if level in _KEYS else None


def multiple_of_geo(inference_geo: str | None, provider: str, names: Iterable[str]) -> Multiple | None:
    """The same of inference that is kept in one part of the world."""
    return None if inference_geo is None else _find(provider, _GEO + inference_geo, names)


def _find(provider: str, key: str, names: Iterable[str]) -> Multiple | None:
    by_model = _multiples().get((provider, key), {})
    return next((by_model[name] for name in names if name in by_model), None)


@cache
def _multiples() -> Mapping[tuple[str, str], Mapping[str, Multiple]]:
    """By provider and key, multiples by model; of several for one model the first holds."""
    document = json.loads((files("spendtop.domain.pricing") / "service_levels.json").read_text())
    providers = {name: keys for name, keys in document.items() if isinstance(keys, dict)}
    return {
        (provider, key): {model: _multiple(entry["times"]) for entry in reversed(entries) for model in entry["models"]}
        for provider, keys in providers.items()
        for key, entries in keys.items()
    }


def _multiple(times: object) -> Multiple:
    each = times if isinstance(times, list) else [times] * 3
    return Multiple(*(None if factor is None else Fraction(str(factor)) for factor in each))
