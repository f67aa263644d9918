from __future__ import annotations

import pytest

from spendtop.domain.breakdown.measures import LATENCY, MEASURES, Measured, percentile_95


@pytest.mark.parametrize(
    ("latencies", "expected"),
    [([], None), ([(7, 1)], 7), ([(1, 95), (2, 5)], 1), ([(1, 94), (2, 6)], 2), ([(9, 1), (1, 19)], 1)],
)
def test_ninety_five_of_a_hundred_take_no_longer(latencies: list[tuple[int, int]], expected: int | None) -> None:
    assert percentile_95(latencies) == expected


def test_sizes_are_what_rows_are_ordered_by() -> None:
    assert MEASURES["cost"].size(Measured(3, 70, 1)) == 70
    assert MEASURES["failed"].size(Measured(3, 70, 1)) == 3
    assert MEASURES["cache hit"].size(Measured(200, 50)) == 250_000
    assert MEASURES["cache hit"].size(Measured()) == 0
    assert [each.name for each in MEASURES.values() if not each.adds_up] == ["cache hit", LATENCY.name]


def test_each_measure_has_a_key_of_its_own() -> None:
    keys = [each.key for each in MEASURES.values()]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & set("jkgGq")
