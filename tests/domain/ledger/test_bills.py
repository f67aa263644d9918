"""Bills and balances in words."""

from __future__ import annotations

from datetime import date

import pytest

from spendtop.domain.clock import DAY, MINUTE, SECOND
from spendtop.domain.ledger.bills import BilledDay, balance_words
from spendtop.domain.money import Usd

NOW = 20_776 * DAY + 12 * 60 * MINUTE


@pytest.mark.parametrize(("ago", "word"), [(0, "today"), (1, "yesterday"), (5, "2026-11-14")])
def test_a_bill_says_whose_day_it_is_of(ago: int, word: str) -> None:
    assert BilledDay(20_776 - ago, Usd.of("3.204"), NOW).words(NOW) == f"billed {word} $3.20"


@pytest.mark.parametrize(("since", "words"), [(SECOND, "just now"), (4 * MINUTE, "4m ago"), (-MINUTE, "just now")])
def test_a_bill_says_how_old_it_is(since: int, words: str) -> None:
    assert BilledDay(20_776, Usd.of(1), NOW - since).age(NOW) == words


def test_a_balance_says_what_is_known_of_it() -> None:
    burn, runs_out = Usd.of("1.2"), date(2026, 12, 24)
    assert balance_words("a", Usd.of("42.939"), burn, runs_out) == "a $42.93, $1.20 a day, runs out ~2026-12-24"
    assert balance_words("a", None, burn, None) == "a balance unknown, $1.20 a day"
