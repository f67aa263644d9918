"""Amounts as providers write them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from spendtop.domain.ledger.amounts import NotAnAmount, exact, total, typed
from spendtop.domain.money import Usd


def test_numbers_texts_and_monstrous_zeros_are_summed_exactly() -> None:
    values = ["0E-6176", "0.003627500000000000000000000000000000", Decimal("0.06"), "1E-7", Decimal("0.1"), "0.2"]
    assert total(map(exact, values)) == Usd.of("0.3636276")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "abc", "", True, None, [], {}, 0.1, "1e400"])
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(NotAnAmount):
        exact(value)


@pytest.mark.parametrize(
    ("text", "dollars"),
    [("42.93", "42.93"), (" $1,042.93 ", "1042.93"), ("-3", "-3"), ("-$.50", "-0.5"), ("1,000,000", "1000000")],
)
def test_amounts_are_read_as_people_type_them(text: str, dollars: str) -> None:
    assert typed(text) == Usd.of(dollars)


@pytest.mark.parametrize(
    "text", ["42,93", "1,0000", ",5", "1.042,93", "", "$", "much", "nan", "1e999", "9999999999999"]
)
def test_a_comma_that_stands_for_no_thousands_is_not_guessed_at(text: str) -> None:
    with pytest.raises(ValueError):
        typed(text)


def test_a_zero_has_no_digits_left() -> None:
    assert str(exact("0E-6176")) == "0"


def test_credits_are_negative() -> None:
    assert total([exact("-1.25"), exact(1)]) == Usd.of("-0.25")
