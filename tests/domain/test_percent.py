from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.percent import exact_percent, percent_of, used_percent


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 7, "0%"),
        (1, 1_000_000, "<0.1%"),
        (9, 1_000, "0.9%"),
        (115, 100, "115%"),
        (1_499, 1_000, "149%"),
        (-125, 1_000, "-12%"),
        (12_400, 1_000, "1240%"),
    ],
)
def test_percents_go_towards_zero(part: int, whole: int, shown: str) -> None:
    assert percent_of(part, whole) == shown


@given(st.integers(0, 10**19), st.integers(1, 10**19))
def test_a_hundred_percent_means_reached(part: int, whole: int) -> None:
    assert (float(percent_of(part, whole).strip("<%")) >= 100) == (part >= whole)


@pytest.mark.parametrize(
    ("used", "window", "shown"),
    [
        (1_000, "day", "100%"),
        (1_009, "day", "100%"),
        (1_000, "request", "100%"),
        (1_009, "request", ">100%"),
        (1_010, "request", "101%"),
    ],
)
def test_a_request_above_its_limit_is_above_a_hundred_percent(used: int, window: str, shown: str) -> None:
    assert used_percent(used, 1_000, window) == shown


def test_thresholds_are_shown_as_they_are_written() -> None:
    assert [exact_percent(each) for each in (0.8, 0.995, 1.0, 0.07)] == ["80%", "99.5%", "100%", "7%"]
