"""What providers count beside money: tokens of a day by whoever they bill, and what is no token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

INPUT_TOKENS, OUTPUT_TOKENS = "input tokens", "output tokens"
"""Input is all of it, with what was written to caches and read from them."""
TOKENS = (INPUT_TOKENS, OUTPUT_TOKENS)
REQUESTS = "requests"


class UsedPart(NamedTuple):
    """So much of one unit on one UTC day; what the provider does not name is empty."""

    day: int
    unit: str
    """In words, of many: `web searches`."""
    quantity: int
    project: str = ""
    api_key: str = ""
    user: str = ""
    model: str = ""


class Used(Struct, frozen=True):
    """A whole poll of what was used: every day from `first_day` to `last_day` that no part names had no use."""

    first_day: int
    last_day: int
    parts: tuple[UsedPart, ...]


def used_words(counts: Mapping[str, int]) -> str:
    """`20 web searches, 3 images`, without tokens and requests; empty for nothing."""
    beside = ((unit, count) for unit, count in sorted(counts.items()) if unit not in (*TOKENS, REQUESTS))
    return ", ".join(f"{count:,} {unit}" for unit, count in beside if count)


def by_unit(parts: Iterable[UsedPart]) -> dict[str, int]:
    """The sum of each unit."""
    sums: dict[str, int] = {}
    for part in parts:
        sums[part.unit] = sums.get(part.unit, 0) + part.quantity
    return sums
