"""What is kept of a usage object: numbers and known words only, in the provider's own form and in a flat one.

Queries, arguments and other texts never get in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from spendtop.domain.usage.levels import level_word, place_word, speed_word

Flat: TypeAlias = dict[str, Any]
"""Dotted name to number, word or flag; entries of lists by their modality, lifetime or kind."""

NO_NUMBER = -1
"""Stands for what should be a number and is none: its sum is unknown, also when it is read again."""

_SMALLEST, _LARGEST = -(2**63), 2**63
_DEEPEST = 4
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")
_MOST_NAMES = 4096
"""Names that are remembered to be some, as most come again and again."""
_COUNTS = ("tokens", "Tokens", "Count", "_count")
_MODALITIES = frozenset({"TEXT", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT"})
_CURRENCY = re.compile("[A-Z]{3}")


def _one_of(*words: str) -> Callable[[object], str | None]:
    return lambda value: value if isinstance(value, str) and value in words else None


def _modality(value: object) -> str | None:
    return value.upper() if isinstance(value, str) and value.upper() in _MODALITIES else None


def _currency(value: object) -> str | None:
    return value if isinstance(value, str) and _CURRENCY.fullmatch(value) else None


TIERS = frozenset({"service_tier", "serviceTier", "trafficType", "traffic_type"})
_WORDS: Mapping[str, Callable[[object], str | None]] = {
    "modality": _modality,
    "ttl": _one_of("5m", "1h"),
    "type": _one_of("tokens", "duration", "message", "compaction", "advisor_message", "fallback_message"),
    **dict.fromkeys(TIERS, level_word),
    "speed": speed_word,
    "latency": speed_word,
    "inference_geo": place_word,
    "search_context_size": _one_of("low", "medium", "high"),
    "currency": _currency,
}
"""Fields whose words are kept, and what gives a word in its one form."""
_FLAGS = frozenset({"is_byok"})
_AMOUNTS = frozenset({"cost", "total_cost", "estimated_cost", "upstream_inference_cost"})
_AMOUNT = re.compile(r"\d{1,9}(?:\.\d{1,18})?")
_LABELS = ("modality", "ttl", "type")


class Kept(NamedTuple):
    """What is kept of one answer."""

    object: dict[str, Any]
    flat: Flat

    def add(self, name: str, value: int | float | str) -> None:
        """What is said beside the usage object, where that does not say it itself."""
        if name not in self.flat:
            self.object[name] = self.flat[name] = value


def keep(usage: Mapping[str, Any]) -> Kept:
    """What is kept of a usage object."""
    raw = usage.get("raw")
    if isinstance(raw, dict) and any(name.endswith(_COUNTS) for name in raw if isinstance(name, str)):
        usage = raw  # the provider's own object inside that of an SDK
    flat: Flat = {}
    return Kept(_reduced(usage, "", flat, 0), flat)


def _reduced(source: Mapping[str, Any], prefix: str, flat: Flat, depth: int) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in source.items():
        kind = type(value)
        if kind is int:
            if not _SMALLEST < value < _LARGEST:
                value = NO_NUMBER
        elif value is None:
            continue
        elif kind is dict or kind is list:
            if depth < _DEEPEST and _is_name(name):
                if kind is dict:
                    inner: Any = _reduced(value, f"{prefix}{name}.", flat, depth + 1)
                else:
                    inner = [*_entries(value, prefix + name, flat, depth + 1)]
                if inner:
                    kept[name] = inner
                    continue
            if not name.endswith(_COUNTS):
                continue
            value = NO_NUMBER
        elif kind is not float:
            value = _word(name, value)
            if value is None:
                continue
        elif not _SMALLEST < value < _LARGEST:
            value = NO_NUMBER
        if not _is_name(name):
            continue
        kept[name] = value
        flat[prefix + name] = value
    return kept


@lru_cache(_MOST_NAMES)
def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _word(name: str, value: object) -> object:
    """A known word, a flag, or an amount in a text; what stands where a count should be, but is none, is no number."""
    read = _WORDS.get(name)
    if read is not None:
        return read(value)
    if name in _AMOUNTS and isinstance(value, str) and _AMOUNT.fullmatch(value):
        return float(value)
    if name in _FLAGS:
        return value if isinstance(value, bool) else None
    return NO_NUMBER if name.endswith(_COUNTS) else None


def _entries(values: list[Any], name: str, flat: Flat, depth: int) -> Iterator[dict[str, Any]]:
    """Objects of a list; those with the same label are one in the flat form."""
    for value in values:
        if not isinstance(value, dict):
            continue
        of_entry: Flat = {}
        kept = _reduced(value, "", of_entry, depth)
        if not kept:
            continue
        yield kept
        label = next((word for key in _LABELS if isinstance(word := of_entry.get(key), str)), "")
        for part, amount in of_entry.items():
            if part in _LABELS:
                continue
            path = f"{name}.{label}.{part}" if label else f"{name}.{part}"
            before = flat.get(path)
            if isinstance(before, int | float) and isinstance(amount, int | float):
                amount = NO_NUMBER if before < 0 or amount < 0 else before + amount
            flat[path] = amount
