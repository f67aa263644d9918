"""Quantities that cannot be true together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from spendtop.domain.pricing.price import registry
from spendtop.domain.requests.quantity_words import quantities_words
from spendtop.domain.requests.request import COUNTED_UNITS, Quantities, Usage


def contradiction(usage: Usage) -> str | None:
    """Which parts are more than their whole, such as `1,000 cache read tokens are more than 900 prompt tokens`; None
    for none."""
    if usage.units is None:
        return _of_counts(usage)
    known: Quantities = {**usage.quantities, **_zeros(usage)}
    units = registry().units
    for whole, quantity in known.items():
        if whole not in units:
            continue
        dimensions = units[whole].dimensions
        parts: dict[str, list[str]] = defaultdict(list)
        for unit in known:
            more = _beyond(dimensions, units[unit].dimensions) if unit in units else ()
            if len(more) == 1:
                parts[more[0]].append(unit)
            elif more and known[unit] > quantity:
                return _more({unit: known[unit]}, {whole: quantity})
        for together in parts.values():
            if sum(known[unit] for unit in together) > quantity:
                return _more({unit: known[unit] for unit in together}, {whole: quantity})
    return None


def _of_counts(usage: Usage) -> str | None:
    read, written = usage.cache_read or 0, usage.cache_write or 0
    if usage.prompt is not None and read + written > usage.prompt:
        parts: Quantities = {
            unit: count for unit, count in ((COUNTED_UNITS[2], read), (COUNTED_UNITS[3], written)) if count
        }
        return _more(parts, {COUNTED_UNITS[0]: usage.prompt})
    if usage.completion is not None and usage.reasoning is not None and usage.reasoning > usage.completion:
        return _more({COUNTED_UNITS[4]: usage.reasoning}, {COUNTED_UNITS[1]: usage.completion})
    return None


def _more(parts: Quantities, whole: Quantities) -> str:
    verb = "is" if sum(parts.values()) == 1 else "are"
    return f"{quantities_words(parts)} {verb} more than {quantities_words(whole)}"


def _zeros(usage: Usage) -> Quantities:
    """Counts that are known to be none."""
    counts = (usage.prompt, usage.completion, usage.cache_read, usage.cache_write, usage.reasoning)
    return {unit: 0 for unit, count in zip(COUNTED_UNITS, counts, strict=True) if count == 0}


def _beyond(whole: Mapping[str, str], part: Mapping[str, str]) -> tuple[str, ...]:
    """The dimensions that a part has more than its whole; none for what is no part of it."""
    if len(part) <= len(whole) or any(part.get(name) != value for name, value in whole.items()):
        return ()
    return tuple(name for name in part if name not in whole)
