from __future__ import annotations

import random

import pytest

from spendtop.domain.breakdown.latencies import APART, LONGEST, STEPS, percentile_95, without


def mark(milliseconds: int) -> str:
    """As the store makes one."""
    for number, (below, step) in enumerate(STEPS):
        if milliseconds < below:
            return chr(1 + APART * number + (milliseconds + step // 2) // step)
    return chr(1 + LONGEST)


def marks(*latencies: int) -> str:
    return "".join(map(mark, latencies))


@pytest.mark.parametrize(
    ("milliseconds", "read"),
    [
        *[(0, 0), (4, 0), (5, 10), (994, 990), (996, 1_000), (1_049, 1_000), (9_960, 10_000), (99_400, 99_000)],
        *[(123_456, 120_000), (7 * 86_400_000, 600_000_000), (10**12, 1_000_000_000)],
    ],
)
def test_a_latency_is_told_to_two_figures(milliseconds: int, read: int) -> None:
    assert percentile_95(mark(milliseconds)) == read


def test_every_mark_says_a_latency_of_its_own_and_longer_ones_come_later() -> None:
    read = [percentile_95(chr(1 + number)) for number in range(LONGEST + 1)]
    assert read == sorted(set(read))


@pytest.mark.parametrize("parts", [1, 9])
@pytest.mark.parametrize(
    ("latencies", "expected"),
    [([], 0), ([70], 70), ([10] * 95 + [20] * 5, 10), ([10] * 94 + [20] * 6, 20), ([90] + [10] * 19, 10)],
)
def test_ninety_five_of_a_hundred_take_no_longer(latencies: list[int], expected: int, parts: int) -> None:
    """Of few requests and of many."""
    assert percentile_95("".join([marks(*latencies)] * parts)) == expected


def test_what_was_joined_can_be_taken_out_again() -> None:
    drawn = random.Random(7)
    kept, gone = ([drawn.randrange(300_000) for _ in range(40)] for _ in range(2))
    assert sorted(without(marks(*kept, *gone), marks(*reversed(gone)))) == sorted(marks(*kept))
