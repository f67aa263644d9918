"""What a breakdown can measure of requests, as three sums: what it is of, how much, and what is not in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Measured(NamedTuple):
    """Over some requests."""

    of: int = 0
    """Requests; of the cache's share prompt tokens, of failures errors."""
    amount: int = 0
    """Nano-USD, requests, tokens or milliseconds."""
    missing: int = 0
    """Requests whose amount is not known, or only in part."""

    def plus(self, other: Measured) -> Measured:
        return Measured(self[0] + other[0], self[1] + other[1], self[2] + other[2])

    def minus(self, other: Measured) -> Measured:
        return Measured(self[0] - other[0], self[1] - other[1], self[2] - other[2])


NOTHING = Measured()


class Unit(StrEnum):
    """How a figure is written."""

    MONEY = "money"
    COUNT = "count"
    FAILURES = "failures"
    """How many, and what they cost."""
    SHARE = "share"
    """`amount` of `of`."""
    TIME = "time"
    """Milliseconds, which do not add up."""


@dataclass(frozen=True, slots=True)
class Measure:
    name: str
    """As people choose it."""
    unit: Unit
    key: str
    """That chooses it."""
    in_totals: bool = False
    """Whether totals know it, so that no request has to be read."""

    def size(self, sums: Measured) -> int:
        """What rows are ordered by: in parts of a million where it is a share."""
        if self.unit is Unit.FAILURES:
            return sums.of
        if self.unit is Unit.SHARE:
            return sums.amount * 1_000_000 // sums.of if sums.of else 0
        return sums.amount

    @property
    def adds_up(self) -> bool:
        """Whether parts have a share of the whole."""
        return self.unit not in (Unit.SHARE, Unit.TIME)


COST = Measure("cost", Unit.MONEY, "c", in_totals=True)
REQUESTS = Measure("requests", Unit.COUNT, "r", in_totals=True)
LATENCY = Measure("p95 latency", Unit.TIME, "l")
PLAN = Measure("API-equivalent", Unit.MONEY, "e")
"""What calls under a plan would have cost. All others are of what counts as spend."""
MEASURES = {
    each.name: each
    for each in (
        COST,
        PLAN,
        REQUESTS,
        Measure("tokens", Unit.COUNT, "t", in_totals=True),
        Measure("prompt tokens", Unit.COUNT, "p", in_totals=True),
        Measure("completion tokens", Unit.COUNT, "o", in_totals=True),
        Measure("cached tokens", Unit.COUNT, "d"),
        Measure("reasoning tokens", Unit.COUNT, "n"),
        Measure("failed", Unit.FAILURES, "f"),
        Measure("cache hit", Unit.SHARE, "h"),
        LATENCY,
    )
}
