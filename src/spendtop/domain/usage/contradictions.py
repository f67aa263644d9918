"""Quantities that cannot be true together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from spendtop.domain.prices import registry
from spendtop.domain.request import COUNTED_UNITS, Quantities, Usage


def contradiction(usage: Usage) -> str | None:
    """Which parts are more than their whole, such as `cache_read_tokens are more than input_tokens`; None for none."""
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
                return f"{unit} are more than {whole}"
        for together in parts.values():
            if sum(known[unit] for unit in together) > quantity:
                return f"{' and '.join(together)} are more than {whole}"
    return None


def _of_counts(usage: Usage) -> str | None:
    read, written = usage.cache_read or 0, usage.cache_write or 0
    if usage.prompt is not None and read + written > usage.prompt:
        parts = [unit for unit, count in ((COUNTED_UNITS[2], read), (COUNTED_UNITS[3], written)) if count]
        return f"{' and '.join(parts)} are more than {COUNTED_UNITS[0]}"
    if usage.completion is not None and (usage.reasoning or 0) > usage.completion:
        return f"{COUNTED_UNITS[4]} are more than {COUNTED_UNITS[1]}"
    return None


def _zeros(usage: Usage) -> Quantities:
    """Counts that are known to be none."""
    counts = (usage.prompt, usage.completion, usage.cache_read, usage.cache_write, usage.reasoning)
    return {unit: 0 for unit, count in zip(COUNTED_UNITS, counts, strict=True) if count == 0}


def _beyond(whole: Mapping[str, str], part: Mapping[str, str]) -> tuple[str, ...]:
    """The dimensions that a part has more than its whole; none for what is no part of it."""
    if len(part) <= len(whole) or any(part.get(name) != value for name, value in whole.items()):
        return ()
    return tuple(name for name in part if name not in whole)
