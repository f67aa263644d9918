"""Figures as people read them."""

from __future__ import annotations

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND, age
from spendtop.domain.money import Usd
from spendtop.store.reads.rows import Spend
from spendtop.tui import formats


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (None, "-"),
        (0, "0"),
        (410, "410"),
        (2_104, "2.1k"),
        (118_400, "118k"),
        (1_204_000, "1.2M"),
        (999_950_000, "1.0G"),
    ],
)
def test_counts_take_five_characters(number: int | None, shown: str) -> None:
    assert formats.count(number) == shown
    assert len(shown) <= 5


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (None, "-"),
        (180, "0.2s"),
        (9_960, "10s"),
        (14_200, "14s"),
        (123_000, "2m03"),
    ],
)
def test_latencies(milliseconds: int | None, shown: str) -> None:
    assert formats.latency(milliseconds) == shown


@pytest.mark.parametrize(
    ("micros", "shown"),
    [
        (0, "now"),
        (4 * SECOND, "now"),
        (7 * SECOND, "5s"),
        (25 * SECOND, "20s"),
        (3 * MINUTE, "3m"),
        (2 * HOUR, "2h"),
        (4 * DAY, "4d"),
    ],
)
def test_ages_are_coarse(micros: int, shown: str) -> None:
    assert age(micros) == shown


@pytest.mark.parametrize(
    ("micros", "shown"),
    [
        (42 * SECOND, "42s"),
        (HOUR, "1h"),
        (HOUR + 5 * MINUTE, "1h05"),
        (7 * DAY, "7d"),
    ],
)
def test_spans(micros: int, shown: str) -> None:
    assert formats.span(micros) == shown


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (0, "0%"),
        (1, "<0.1%"),
        (49, "0.4%"),
        (8_499, "84%"),
        (9_999, "99%"),
        (10_000, "100%"),
        (11_500, "115%"),
        (14_999, "149%"),
        (124_000, "x12"),
        (40_000_000_000, ">x999"),
    ],
)
def test_shares_beyond_all_measure_stay_short(part: int, shown: str) -> None:
    assert formats.percent(part, 10_000) == shown
    assert len(shown) <= 5


def test_unpriced_requests_are_never_left_out_of_a_sum() -> None:
    spent = Spend(10, Usd.of("41.82"), 3, 0, 0, 0)
    assert formats.spend(spent) == "$41.82 +3?"
    assert formats.spend_long(spent) == "$41.82 + 3 unpriced"
    assert formats.spend(Spend(10, Usd.of("41.82"), 0, 0, 0, 0)) == "$41.82"


def test_one_request_is_not_many() -> None:
    assert [formats.requests(number) for number in (0, 1, 1692)] == ["0 requests", "1 request", "1 692 requests"]


def test_a_models_date_goes_where_it_does_not_fit() -> None:
    assert formats.model("gpt-4.1-2025-04-14", 20) == "gpt-4.1-2025-04-14"
    assert formats.model("gpt-4.1-2025-04-14", 12) == "gpt-4.1"
    assert formats.model("claude-haiku-4-5-20251001", 18) == "claude-haiku-4-5"


@pytest.mark.parametrize(
    ("amount", "words", "change"),
    [
        ("0", "$0.00", "$0.00"),
        ("1.105", "$1.10", "+$1.10"),
        ("0.494", "$0.49", "+$0.49"),
        ("-0.17", "-$0.17", "-$0.17"),
        ("0.0049", "$0.0049", "+$0.0049"),
        ("1234.5", "$1,234.50", "+$1,234.50"),
    ],
)
def test_amounts_of_a_bill_have_whole_cents_and_changes_a_sign(amount: str, words: str, change: str) -> None:
    assert (formats.cents(Usd.of(amount)), formats.change(Usd.of(amount))) == (words, change)


def test_failed_requests_are_said_where_there_are_any() -> None:
    assert [formats.failed(number) for number in (0, 1, 1_500)] == ["", "1 failed", "1 500 failed"]
