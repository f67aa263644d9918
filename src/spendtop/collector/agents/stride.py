"""How fast the history of coding agents is recorded, as whoever submits a request waits for its transactions."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from spendtop.sources.agents.scan import FileRead

_LONGEST_REST = 1.0


class Stride(Struct, frozen=True):
    """How much is recorded together, and how long others are let alone then."""

    most: int
    """Calls in one transaction."""
    rests: float
    """How many times as long as the last transaction took."""

    def part(self, reads: Sequence[FileRead]) -> Sequence[FileRead]:
        """The first of these, as many as are recorded together; one at least."""
        calls = 0
        for number, each in enumerate(reads):
            calls += len(each.calls)
            if number and calls > self.most:
                return reads[:number]
        return reads

    def rest(self, took: float) -> float:
        """Seconds after a transaction that took so many."""
        return min(took * self.rests, _LONGEST_REST)


ALONE = Stride(most=100, rests=0.0)
BESIDE_OTHERS = Stride(most=25, rests=4.0)
