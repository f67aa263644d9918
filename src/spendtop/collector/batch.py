"""How much is deleted together, as whoever submits a request waits for the transaction under way."""

from __future__ import annotations

_HOLD_BESIDE, _HOLD_ALONE = 0.02, 0.08
"""Seconds that one transaction is to take. In large ones more of what is deleted lies on the same pages of the indexes,
so they cost up to half as much."""
_FEWEST, _MOST = 50, 2_000
_GROWTH = 1.5


class Batch:
    """Follows what transactions take: on a busy machine, on a slow disk and in a large store less is done at once."""

    def __init__(self) -> None:
        self.size = 200
        """Rows or pages in one transaction."""

    def rest(self, took: float, is_quiet: bool) -> float:
        """Seconds for which others are let alone after a transaction that took so many; none where nobody submits. The
        next one fits."""
        hold, share = (_HOLD_ALONE, 0.0) if is_quiet else (_HOLD_BESIDE, 1.0)
        fitting = self.size * min(hold / max(took, 1e-6), _GROWTH)
        self.size = round(min(max(fitting, _FEWEST), _MOST))
        return took * share
