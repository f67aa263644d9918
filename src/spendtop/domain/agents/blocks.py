"""Blocks of five hours, by which plans of coding agents are commonly told to count. A guess from what was seen here: no
provider says when its own begins."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.windows import BLOCK_LENGTH, Bounds

FARTHEST_LOOK = 32 * DAY
"""How far back calls are looked at for where a block begins: further back only calls without any pause would matter."""


def block_with(times: Iterable[int], at: int) -> Bounds | None:
    """The block that an instant lies in, of calls at these instants (UTC µs, in order), or in the hours that begin
    there: a block is made of whole hours, and a call five hours after another one lies behind its block anyway. None
    where the last one is over."""
    begin = last_begin(takewhile(lambda each: each <= at, times))
    return None if begin is None or at >= begin + BLOCK_LENGTH else Bounds(begin, begin + BLOCK_LENGTH)


def last_begin(times: Iterable[int]) -> int | None:
    """When the last block begins, of calls at these instants (UTC µs, in order): with the full hour of the first call
    after five hours without one, or after the end of the block before. None without any call."""
    begin: int | None = None
    before = 0
    for at in times:
        if begin is None or at >= begin + BLOCK_LENGTH or at - before >= BLOCK_LENGTH:
            begin = at // HOUR * HOUR
        before = at
    return begin
