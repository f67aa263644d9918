from __future__ import annotations

from spendtop.domain.breakdown.measures import LATENCY, MEASURES, Measured


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
