"""Filters that lead from a figure to what is behind it."""

from __future__ import annotations

import pytest

from spendtop.domain.filters.filters import parse_filter
from spendtop.tui.overview.doors import joined, without_time
from spendtop.tui.selection import Selection


def test_filters_are_joined_as_a_whole() -> None:
    assert joined("", "a | b", "t:today") == "(a | b) t:today"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("t:today", ""),
        ("user:ann t:2026-10-25T00:30..2026-10-25T02:30", "user:ann"),
        ("~t -30m (a | b)", "(a | b)"),
        ("(t:today | user:ann)", "(t:today | user:ann)"),
        ("!t:today user:ann", "!t:today user:ann"),
        ('user:"x t:today"', 'user:"x t:today"'),
    ],
)
def test_a_chart_is_of_what_is_listed_at_any_time(text: str, kept: str) -> None:
    found = without_time(Selection(text=text, filter=parse_filter(text)))
    assert (found.text, found.filter) == (kept, parse_filter(kept))
