"""The demo's story: an agent that repeats itself, spends until an alert fires, and is stopped; the alert resolves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from msgspec.structs import replace

from spendtop.collector.demo.sample_stream import Arrival, arrival_of
from spendtop.collector.demo.sample_traffic import runaway_lines
from spendtop.domain.clock import MINUTE, SECOND

FIRST, EVERY = 20 * SECOND, 45 * MINUTE
"""After the start of a demo, and from one to the next."""
_NUMBER = 4107


def runaways(since: int) -> Iterator[Arrival]:
    """Endless, oldest first: one soon after `since` (UTC µs), then seldom, each time in a session of its own."""
    lines = runaway_lines()
    for nth in count():
        session = f"fix-{_NUMBER + nth}"
        for line in lines:
            arrival = arrival_of(line, since + FIRST + nth * EVERY)
            yield arrival._replace(request=replace(arrival.request, session_id=session))
