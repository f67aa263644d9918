"""Latencies of many requests: a mark for each, a character that says two figures of it. A few are kept as the text of
their marks, more as how many there are of each mark, so that what is done with them costs the same for ten million."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from struct import pack, unpack

from msgspec import Struct

STEPS: tuple[tuple[int, int], ...] = tuple((1_000 * 10**number, 10 * 10**number) for number in range(7))
"""Latencies below so many ms are told apart by steps of so many."""
APART = 90
"""Marks of each step that those before do not have: 1,000 ms are 10 steps of 100 ms and 100 of 10 ms."""
LONGEST = APART * (len(STEPS) - 1) + 100
"""The number of the mark of all that took longer."""
_FEW = 64
"""So many marks are a text; the counts of so many take more room."""
_COUNT_BITS = 32


class Latencies(Struct, frozen=True, gc=False):
    """They add up, and parts can be taken out again. One of the two is empty."""

    marks: str = ""
    counts: int = 0
    """The one of the mark with the character n in the bits from 32 n on, so that to add numbers adds all counts."""

    @classmethod
    def of(cls, marks: str) -> Latencies:
        return cls(marks) if len(marks) <= _FEW else cls(counts=_counted(marks))

    def __bool__(self) -> bool:
        return bool(self.marks or self.counts)

    def __add__(self, other: Latencies) -> Latencies:
        return joined((self, other))

    def __sub__(self, gone: Latencies) -> Latencies:
        """All but those that have gone, which are among them."""
        if self.counts:
            return Latencies(counts=self.counts - gone.counts - _counted(gone.marks))
        left = Counter(self.marks)
        left.subtract(gone.marks)
        return Latencies("".join(left.elements()))

    def percentile_95(self) -> int:
        """The milliseconds that 95 % of requests do not exceed, to two figures; 0 of none."""
        if self.counts:
            length = -(-self.counts.bit_length() // _COUNT_BITS)
            up_to = [*accumulate(unpack(f"<{length}I", self.counts.to_bytes(4 * length, "little")))]
            return _milliseconds(bisect_left(up_to, _rank(up_to[-1])))
        return _milliseconds(ord(sorted(self.marks)[_rank(len(self.marks)) - 1])) if self.marks else 0


class LatencyColumn:
    """Those of many keys, in as little memory as their marks take."""

    def __init__(self, each: Sequence[str]) -> None:
        self._marks = "".join(each)
        self._lengths = array("I", map(len, each))

    def __iter__(self) -> Iterator[Latencies]:
        start = 0
        for end in accumulate(self._lengths):
            yield Latencies.of(self._marks[start:end])
            start = end


def joined(parts: Iterable[Latencies]) -> Latencies:
    """All of them."""
    parts = tuple(parts)
    marks, counts = "".join([part.marks for part in parts]), sum([part.counts for part in parts])
    return Latencies(counts=counts + _counted(marks)) if counts else Latencies.of(marks)


def _counted(marks: str) -> int:
    counts = [0] * (1 + ord(max(marks, default="\0")))
    for mark, count in Counter(marks).items():
        counts[ord(mark)] = count
    return int.from_bytes(pack(f"<{len(counts)}I", *counts), "little")


def _rank(count: int) -> int:
    return -(-count * 95 // 100)


def _milliseconds(character: int) -> int:
    """A mark is the character behind its number."""
    number = character - 1
    step = max(number - 10, 0) // APART
    return (number - APART * step) * STEPS[step][1] if step < len(STEPS) else STEPS[-1][0]
