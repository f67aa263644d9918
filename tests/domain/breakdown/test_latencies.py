from __future__ import annotations

import random

import pytest

from spendtop.domain.breakdown.latencies import APART, LONGEST, STEPS, Latencies, LatencyColumn, joined


def mark(milliseconds: int) -> str:
    """As the store makes one."""
    for number, (below, step) in enumerate(STEPS):
        if milliseconds < below:
            return chr(1 + APART * number + (milliseconds + step // 2) // step)
    return chr(1 + LONGEST)


def marks(*latencies: int) -> str:
    return "".join(map(mark, latencies))


def told(one: str) -> int:
    return Latencies.of(one).percentile_95()


@pytest.mark.parametrize(
    ("milliseconds", "read"),
    [
        *[(0, 0), (4, 0), (5, 10), (994, 990), (996, 1_000), (1_049, 1_000), (9_960, 10_000), (99_400, 99_000)],
        *[(123_456, 120_000), (7 * 86_400_000, 600_000_000), (10**12, 1_000_000_000)],
    ],
)
def test_a_latency_is_told_to_two_figures(milliseconds: int, read: int) -> None:
    assert told(mark(milliseconds)) == told(mark(milliseconds) * 1_000) == read


def test_every_mark_says_a_latency_of_its_own_and_longer_ones_come_later() -> None:
    read = [told(chr(1 + number)) for number in range(LONGEST + 1)]
    assert read == sorted(set(read))


@pytest.mark.parametrize("parts", [1, 9])
@pytest.mark.parametrize(
    ("latencies", "expected"),
    [([], 0), ([70], 70), ([10] * 95 + [20] * 5, 10), ([10] * 94 + [20] * 6, 20), ([90] + [10] * 19, 10)],
)
def test_ninety_five_of_a_hundred_take_no_longer(latencies: list[int], expected: int, parts: int) -> None:
    """Of few requests and of many."""
    assert joined([Latencies.of(marks(*latencies))] * parts).percentile_95() == expected


@pytest.mark.parametrize("seed", range(40))
def test_whatever_was_added_and_taken_out_they_are_those_of_a_plain_list(seed: int) -> None:
    drawn = random.Random(seed)
    left, parts = Latencies(), list[list[int]]()
    for _ in range(30):
        if parts and drawn.random() < 0.4:
            left -= Latencies.of(marks(*reversed(parts.pop(drawn.randrange(len(parts))))))
        else:
            highest = 10 ** drawn.randrange(1, 12)
            parts.append([drawn.randrange(highest) for _ in range(drawn.choice((0, 1, 5, 60, 70, 900)))])
            left += Latencies.of(marks(*parts[-1]))
        in_order = sorted(latency for part in parts for latency in part)
        slow = in_order[-(-len(in_order) * 95 // 100) - 1] if in_order else None
        assert left.percentile_95() == (0 if slow is None else told(mark(slow)))
        assert bool(left) == bool(in_order)


def test_a_column_gives_back_what_each_key_has() -> None:
    each = ["", marks(40), marks(*range(0, 90_000, 100)), "", marks(7, 10**9)]
    assert [*LatencyColumn(each)] == [Latencies.of(one) for one in each]
