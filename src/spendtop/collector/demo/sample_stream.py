"""What comes in after the sample month, at the pace of its last hours; when it is through it begins again as new
requests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import msgspec

from spendtop.collector.demo.sample_traffic import TrafficLine, as_new, coming_lines, request_as_new, request_of
from spendtop.domain.clock import HOUR
from spendtop.domain.requests.request import Request

LENGTH = 2 * HOUR


class Arrival(NamedTuple):
    """One request that comes in at `at` (UTC µs): by webhook where there is one, else as it is."""

    at: int
    request: Request
    """All that becomes known about it."""
    webhook: bytes | None
    """The body that Helicone posts; sign it."""


def arrivals(since: int) -> Iterator[Arrival]:
    """Endless, oldest first, from the full hour `since` (UTC µs) on."""
    lines = coming_lines()
    for round_ in count():
        start = since + round_ * LENGTH
        yield from sorted((arrival_of(line, start) for line in lines), key=lambda arrival: arrival.at)


def arrival_of(line: TrafficLine, start: int) -> Arrival:
    """A line as a request of its own, as if the month ended at `start` (UTC µs)."""
    request_id = str(uuid.uuid5(uuid.UUID(line.external_id), str(start)))
    request = request_as_new(request_of(line, start), request_id)
    if line.webhook is None:
        return Arrival(request.received_at, request, None)
    posted = as_new(msgspec.json.encode(line.webhook), request_id, request.occurred_at)
    return Arrival(request.received_at, request, posted)
