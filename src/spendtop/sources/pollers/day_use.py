"""What providers tell of use in one row: money, and what it bought."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal
from typing import NamedTuple

from spendtop.domain.ledger.used import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS

_EXACT = Context(prec=60)


class DayUse(NamedTuple):
    """Money is in US dollars."""

    dollars: Decimal = Decimal(0)
    prompt: int = 0
    completion: int = 0
    requests: int = 0

    def plus(self, other: DayUse) -> DayUse:
        """Both together."""
        dollars = _EXACT.add(self.dollars, other.dollars)
        return DayUse(
            dollars, self.prompt + other.prompt, self.completion + other.completion, self.requests + other.requests
        )

    def less(self, parts: Iterable[DayUse]) -> DayUse:
        """What is in none of the parts."""
        rest = self
        for dollars, prompt, completion, requests in parts:
            rest = rest.plus(DayUse(-dollars, -prompt, -completion, -requests))
        return rest

    def counts(self) -> dict[str, object]:
        """By unit, as far as they can be: parts may be ahead of their whole."""
        return {
            INPUT_TOKENS: max(self.prompt, 0),
            OUTPUT_TOKENS: max(self.completion, 0),
            REQUESTS: max(self.requests, 0),
        }
