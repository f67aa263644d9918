"""Windows of time beyond those of the menu."""

from __future__ import annotations

import pytest

from spendtop.domain.clock import HOUR
from spendtop.domain.filters.filters import EVERYTHING, parse_filter
from spendtop.domain.windows import BLOCK_LENGTH, Bounds, Calendar
from spendtop.tui.selection import ALL_TIME, TODAY, Selection, block_choices, time_choice

BEGIN = 1_763_629_200_000_000
"""2025-11-20 09:00 UTC."""


def test_a_block_is_a_window_from_its_begin_to_its_end_and_a_guess() -> None:
    block, later = (Bounds(at, at + BLOCK_LENGTH) for at in (BEGIN, BEGIN + HOUR))
    calendar = Calendar("Asia/Kolkata")
    first, second = block_choices([block, block, later], calendar)
    assert (first.key, first.name) == ("b", "5h block 14:30 to 19:30 (guess)")
    assert (first.span(BEGIN, calendar), second.span(BEGIN, calendar)) == (
        (block.start_us, block.end_us),
        (later.start_us, later.end_us),
    )


def test_a_window_is_known_again_by_its_text_and_what_is_none_is_all_time() -> None:
    assert time_choice("today") == TODAY
    assert time_choice("2026-11-20T14:00..2026-11-20T19:00").filter == "t:2026-11-20T14:00..2026-11-20T19:00"
    assert time_choice("") == time_choice("whenever") == ALL_TIME


@pytest.mark.parametrize(
    ("window", "filter", "is_over"),
    [("today", "", False), ("yesterday", "", True), ("", "t:yesterday", True), ("-1h", "user:a t:-5m", False)],
)
def test_a_window_is_over_once_nothing_new_can_come_into_it(window: str, filter: str, is_over: bool) -> None:
    parsed = parse_filter(filter) if filter else EVERYTHING
    chosen = Selection(filter, parsed, time=time_choice(window))
    assert chosen.is_over(BEGIN, Calendar()) is is_over
