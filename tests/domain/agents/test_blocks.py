from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.agents.blocks import block_with, last_begin
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.windows import BLOCK_LENGTH

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
    assert BLOCK_LENGTH == 300 * MINUTE


@given(st.lists(st.integers(0, 3 * 24 * 60), min_size=1, max_size=30))
def test_blocks_cover_all_calls_never_overlap_and_are_known_by_the_hours_with_calls(minutes: list[int]) -> None:
    times = sorted(START + minute * MINUTE for minute in minutes)
    hours = sorted({at // HOUR * HOUR for at in times})
    blocks = [block_with(times, at) for at in times]
    assert blocks == [block_with(hours, at) for at in times]
    for at, block, after in zip(times, blocks, [*blocks[1:], None], strict=True):
        assert block is not None and at in block and block.start_us == last_begin(each for each in times if each <= at)
        assert after is None or after == block or (after.start_us or 0) >= (block.end_us or 0)
    last = blocks[-1]
    assert last is not None and block_with(hours, last.end_us or 0) is None
