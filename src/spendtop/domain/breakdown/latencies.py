"""Latencies of many requests as one text: a mark for each request, which says two figures of its latency.

Texts of parts are joined into that of the whole, and a million requests take one or two megabytes.
"""

from __future__ import annotations

from collections import Counter

STEPS: tuple[tuple[int, int], ...] = tuple((1_000 * 10**number, 10 * 10**number) for number in range(7))
"""Latencies below so many ms are told apart by steps of so many."""
APART = 90
"""Marks of each step that those before do not have: 1,000 ms are 10 steps of 100 ms and 100 of 10 ms."""
LONGEST = APART * (len(STEPS) - 1) + 100
"""The number of the mark of all that took longer."""
_FEW = 64
"""So many marks are sorted sooner than they are counted."""


def percentile_95(marks: str) -> int:
    """The milliseconds that 95 % of requests do not exceed, to two figures; 0 of none."""
    rank = -(-len(marks) * 95 // 100)
    if len(marks) <= _FEW:
        return _milliseconds(sorted(marks)[rank - 1]) if marks else 0
    for mark, count in sorted(Counter(marks).items()):
        rank -= count
        if rank <= 0:
            return _milliseconds(mark)
    raise AssertionError(marks)


def without(marks: str, gone: str) -> str:
    """The marks but for those that have gone, which are among them."""
    left = Counter(marks)
    left.subtract(gone)
    return "".join(mark * count for mark, count in left.items())


def _milliseconds(mark: str) -> int:
    """A mark is the character behind its number."""
    number = ord(mark) - 1
    step = max(number - 10, 0) // APART
    return (number - APART * step) * STEPS[step][1] if step < len(STEPS) else STEPS[-1][0]
