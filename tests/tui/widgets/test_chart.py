"""The spend chart keeps amounts whatever its width."""

from __future__ import annotations

import pytest

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.money import Usd
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import Bucket
from spendtop.tui.widgets.chart import nice_ceiling, resample


def bucket(minute: int, nano: int, unpriced: int = 0) -> Bucket:
    """Spend of one minute."""
    return Bucket(minute * MINUTE, Spend(1, Usd(nano), unpriced, 0, 0, 0))


@pytest.mark.parametrize("columns", [1, 7, 36, 60, 90, 300])
def test_the_area_under_the_columns_is_the_spend(columns: int) -> None:
    buckets = [bucket(3, 1_000_000), bucket(30, 7_000_000), bucket(59, 2_000_000)]
    series = resample(buckets, MINUTE, 0, HOUR, columns)
    area = sum(series.rates) * (HOUR / columns) / MINUTE
    assert area == pytest.approx(10_000_000)


def test_unpriced_requests_have_their_place() -> None:
    series = resample([bucket(0, 0, unpriced=1)], MINUTE, 0, HOUR, 60)
    assert series.unpriced[0] and not any(series.unpriced[1:])
    assert not any(series.rates)


def test_what_lies_outside_is_left_out() -> None:
    series = resample([bucket(-5, 1_000_000), bucket(70, 1_000_000)], MINUTE, 0, HOUR, 30)
    assert not any(series.rates)


@pytest.mark.parametrize(
    ("rate", "ceiling"),
    [
        (0, 10_000_000),
        (1, 1),
        (3, 5),
        (60_000_000, 100_000_000),
        (140_000_000, 200_000_000),
        (1e9, 1_000_000_000),
    ],
)
def test_the_axis_ends_at_a_round_amount(rate: float, ceiling: int) -> None:
    assert nice_ceiling(rate) == ceiling
