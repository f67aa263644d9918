from __future__ import annotations

import pytest

from spendtop.domain.agents.blocks import LENGTH, last_begin
from spendtop.domain.clock import HOUR, MINUTE

START = 1_795_000_000_000_000 // HOUR * HOUR


@pytest.mark.parametrize(
    ("minutes", "begins"),
    [
        ([], None),
        ([10], 0),
        ([10, 200, 299], 0),
        ([10, 310], 5 * 60),
        ([59, 299, 301], 5 * 60),
        ([10, 250, 560], 9 * 60),
        ([10, 305, 599, 601], 10 * 60),
    ],
)
def test_a_block_begins_with_the_full_hour_of_the_first_call_after_a_pause_or_the_end_of_the_one_before(
    minutes: list[int], begins: int | None
) -> None:
    begin = last_begin(START + minute * MINUTE for minute in minutes)
    assert begin == (None if begins is None else START + begins * MINUTE)
    assert LENGTH == 300 * MINUTE
