from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.cost_words import bounded, cost_words, equivalent_words, exact, known_cost, within
from spendtop.domain.money import NANO_PER_USD, ZERO, Usd

amounts = st.integers(0, 10**7 * NANO_PER_USD).map(Usd)


def test_what_is_not_known_is_beside_every_sum() -> None:
    assert cost_words(Usd.of("41.82"), 3) == "$41.82 + 3 unpriced"
    assert cost_words(Usd.of("41.82")) == "$41.82"
    assert cost_words(None) == "unpriced"
    assert cost_words(None, 1_234) == "1,234 unpriced"


def test_a_sum_of_which_no_cost_is_known_is_no_zero_and_a_sum_of_nothing_is_one() -> None:
    assert known_cost(ZERO, 3, 3) is None
    assert known_cost(ZERO, 3, 2) == ZERO
    assert known_cost(ZERO, 0, 0) == ZERO


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [("0.000000001", "$0.000000001"), ("12.5", "$12.50"), ("-1234.000000001", "-$1,234.000000001"), ("0", "$0.00")],
)
def test_all_digits_are_there_for_who_wants_them(dollars: str, shown: str) -> None:
    assert exact(Usd.of(dollars)) == shown


@pytest.mark.parametrize(
    ("dollars", "forms"),
    [
        ("1234567.891", ("$1,234,567.89", "$1,234,567", "$1.23M", "$1.2M", "$1M")),
        ("999999.99", ("$999,999.99", "$999,999", "$999.9k", "$999k")),
        ("12345.67", ("$12,345.67", "$12,345", "$12.3k", "$12k")),
        ("5.01", ("$5.01", "$5")),
        ("0.000123", ("$0.0001", "<$0.01", "<$1")),
        ("0.00003", ("$0.000030", "$0.00003", "<$0.001")),
        ("0.000000001", ("<$0.000001", "<$0.0001")),
        ("-0.5", ("-$0.500", "-$0.50")),
    ],
)
def test_an_amount_is_as_exact_as_fits(dollars: str, forms: tuple[str, ...]) -> None:
    for form in forms:
        assert within(Usd.of(dollars), len(form)) == form


@given(amounts, st.integers(6, 20))
def test_a_short_form_fits_and_never_says_more_than_there_is(amount: Usd, width: int) -> None:
    form = within(amount, width)
    assert len(form) <= width
    number = form.strip("<$kMB").replace(",", "")
    factor = {"k": 10**3, "M": 10**6}.get(form[-1], 1)
    if form.startswith("<"):
        assert amount.dollars < Decimal(number)
    elif form != str(amount):
        assert Decimal(number) * factor <= amount.dollars


def test_a_lower_bound_says_so_where_there_is_an_amount() -> None:
    assert equivalent_words(Usd.of("0.12"), bounded(str, False)) == "~>=$0.120"
    assert equivalent_words(Usd.of("0.12"), bounded(str, True)) == "~$0.120"
    assert equivalent_words(None, bounded(str, False)) == "plan"
