"""Amounts as providers write them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from spendtop.domain.billing import NotAnAmount, exact, total
from spendtop.domain.money import Usd


def test_numbers_texts_and_monstrous_zeros_are_summed_exactly() -> None:
    values = ["0E-6176", "0.003627500000000000000000000000000000", Decimal("0.06"), "1E-7", Decimal("0.1"), "0.2"]
    assert total(map(exact, values)) == Usd.of("0.3636276")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "abc", "", True, None, [], {}, 0.1, "1e400"])
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(NotAnAmount):
        exact(value)


def test_a_zero_has_no_digits_left() -> None:
    assert str(exact("0E-6176")) == "0"


def test_credits_are_negative() -> None:
    assert total([exact("-1.25"), exact(1)]) == Usd.of("-0.25")
