"""How much is deleted together, as whoever submits a request waits for the transaction under way."""

from __future__ import annotations

from spendtop.collector.agents.stride import LATELY

_HOLD = 0.02
"""Seconds that one transaction is to take."""
_FEWEST, _MOST = 50, 2_000
_GROWTH = 1.5


class Batch:
    """Follows what transactions take: on a busy machine, on a slow disk and in a large store less is done at once."""

    def __init__(self) -> None:
        self.size = 200
        """Rows or pages in one transaction."""

    def rest(self, took: float, quiet_for: float) -> float:
        """Seconds for which others are let alone after a transaction that took so many, where nobody submitted anything
        for so many; the next one fits."""
        fitting = self.size * min(_HOLD / max(took, 1e-6), _GROWTH)
        self.size = round(min(max(fitting, _FEWEST), _MOST))
        return took if quiet_for < LATELY else 0.0
