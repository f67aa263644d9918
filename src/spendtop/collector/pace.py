"""How much is deleted together, as whoever submits a request waits for the transaction under way."""

from __future__ import annotations

_LATELY = 10.0
"""Seconds for which somebody who submitted counts as still there."""
_HOLD = 0.02
"""Seconds that one transaction is to take."""
_FEWEST, _MOST = 50, 2_000
_GROWTH = 1.5


class Pace:
    """Follows what transactions take: on a busy machine, on a slow disk and in a large store less is done at once."""

    def __init__(self) -> None:
        self.most = 200
        """Rows or pages in one transaction."""

    def rest(self, took: float, quiet_for: float) -> float:
        """Seconds for which others are let alone after a transaction that took so many, where nobody submitted anything
        for so many; the next one fits."""
        fitting = self.most * min(_HOLD / max(took, 1e-6), _GROWTH)
        self.most = round(min(max(fitting, _FEWEST), _MOST))
        return took if quiet_for < _LATELY else 0.0
