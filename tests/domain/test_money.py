from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.money import Usd, read_amount, written_amount

amounts = st.integers(-(2**62), 2**62).map(Usd)


@given(amounts, amounts, amounts)
def test_sums_do_not_depend_on_their_order(a: Usd, b: Usd, c: Usd) -> None:
    assert (a + b) + c == a + (b + c) == c + b + a
    assert a - a == Usd(0)


@given(amounts, amounts)
def test_amounts_compare_with_amounts_and_with_nothing_else(a: Usd, b: Usd) -> None:
    assert (a < b, a >= b, a == b) == (a.nano < b.nano, a.nano >= b.nano, a.nano == b.nano)
    assert {a, Usd(a.nano)} == {a}
    assert a != a.nano
    with pytest.raises(TypeError):
        assert a < a.nano  # type: ignore[operator]


@given(st.decimals("-1e9", "1e9", allow_nan=False, places=9))
def test_nine_decimals_survive_exactly(dollars: Decimal) -> None:
    assert Usd.of(dollars).dollars == dollars


@pytest.mark.parametrize(
    ("dollars", "nano"),
    [
        (Decimal("0.00020250000000000002"), 202_500),
        (Decimal("0.0000000005"), 0),
        (Decimal("0.0000000015"), 2),
        (Decimal("-0.0000125"), -12_500),
        ("0E-6176", 0),
        (3, 3_000_000_000),
    ],
)
def test_dollars_round_half_even_to_nano(dollars: Decimal | int | str, nano: int) -> None:
    assert Usd.of(dollars).nano == nano


@pytest.mark.parametrize("rubbish", ["NaN", "Infinity", "abc", "", "1e30"])
def test_what_is_no_amount_is_refused(rubbish: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        Usd.of(rubbish)


@pytest.mark.parametrize(
    ("nano", "shown"),
    [
        (0, "$0.00"),
        (1, "<$0.000001"),
        (52_500, "$0.000052"),
        (202_500, "$0.0002"),
        (500_000_000, "$0.500"),
        (41_820_000_000, "$41.82"),
        (1_234_567_000_000, "$1,234.57"),
        (-12_500, "-$0.000012"),
    ],
)
def test_amounts_show_what_matters(nano: int, shown: str) -> None:
    assert str(Usd(nano)) == shown


def test_a_share_of_nothing_is_unknown() -> None:
    assert Usd(1).share_of(Usd(0)) is None
    assert Usd(1).share_of(Usd(4)) == 0.25


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        ("9.996", "$9.99"),
        ("10", "$10.00"),
        ("1234.5", "$1,234.50"),
        ("0.009", "$0.00"),
        ("0", "$0.00"),
        ("-0.37", "-$0.37"),
        ("-0.371", "-$0.38"),
    ],
)
def test_what_is_left_never_reads_as_more_than_it_is(dollars: str, text: str) -> None:
    assert Usd.of(dollars).floored == text


@pytest.mark.parametrize("written", [b"[1]", b'"1"', b"{}", b'{"nano":"1"}', b'{"nano":1.5}', b'{"nano":null}'])
def test_what_is_no_amount_in_json_is_refused(written: bytes) -> None:
    with pytest.raises(msgspec.ValidationError, match="nano-USD"):
        msgspec.json.decode(written, type=Usd, dec_hook=read_amount)


def test_an_amount_comes_through_json_as_it_went_in() -> None:
    written = msgspec.json.encode(Usd(-5), enc_hook=written_amount)
    assert msgspec.json.decode(written, type=Usd, dec_hook=read_amount) == Usd(-5)
