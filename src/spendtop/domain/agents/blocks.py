"""Blocks of five hours, by which plans of coding agents are commonly told to count. A guess from what was seen here: no
provider says when its own begins."""

from __future__ import annotations

from collections.abc import Iterable

from spendtop.domain.clock import HOUR

LENGTH = 5 * HOUR


def last_begin(times: Iterable[int]) -> int | None:
    """When the last block begins, of calls at these instants (UTC µs, in order): with the full hour of the first call
    after five hours without one, or after the end of the block before. None without any call."""
    begin: int | None = None
    before = 0
    for at in times:
        if begin is None or at >= begin + LENGTH or at - before >= LENGTH:
            begin = at // HOUR * HOUR
        before = at
    return begin
