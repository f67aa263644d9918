"""Requests that probably are one call, which two middlemen reported without knowing each other's ids.

Both count, as nothing proves it; people are told, and make one of the two a shadow.
"""

from __future__ import annotations

from typing import TypeAlias

from spendtop.domain.clock import MINUTE, SECOND
from spendtop.domain.reports.merging import StoredRequest, is_one_model
from spendtop.domain.requests.request import Request, Status, TimeSource
from spendtop.domain.sources.records import source_named

WITHIN = 2 * SECOND
"""How far apart the times of a call may be that two sources give."""
LONGEST = 5 * MINUTE
"""Calls that last longer are found by their beginning only."""
FEWEST_TOKENS = 10
"""With fewer, calls of health checks and the like are equal by chance."""

Counts: TypeAlias = tuple[int, int]
"""Prompt and completion tokens."""
Distance: TypeAlias = tuple[int, int, list[tuple[str, str]]]
"""Time between two calls, time between their beginnings, both in µs, and their names, so that no two are alike."""


def counts(record: StoredRequest) -> Counts | None:
    """What is equal of twins; None for a request that has none: nothing was used, or it was answered by a cache."""
    request = record.request
    usage = request.usage
    if request.cached or request.status is Status.ERROR or not request.counted or request.model is None:
        return None
    if not usage.prompt or usage.prompt + (usage.completion or 0) < FEWEST_TOKENS:
        return None
    return usage.prompt, usage.completion or 0


def span(request: Request) -> tuple[int, int]:
    """From when to when a call lasted, as far as it is known, UTC µs."""
    length = (request.latency_ms or 0) * (SECOND // 1000)
    if request.time_source is TimeSource.RECEIVED:
        return request.occurred_at - length, request.occurred_at
    return request.occurred_at, request.occurred_at + length


def distance(record: StoredRequest, other: StoredRequest) -> Distance | None:
    """How near two requests are that may be twins; None where they cannot be."""
    one, two = record.request, other.request
    if counts(record) is None or counts(record) != counts(other) or not spaces(record).isdisjoint(spaces(other)):
        return None
    if not any(is_one_model(a, b) for a in (one.model, one.served_model) for b in (two.model, two.served_model)):
        return None
    (start, end), (other_start, other_end) = span(one), span(two)
    apart = max(start, other_start) - min(end, other_end)
    if apart > WITHIN:
        return None
    names = sorted((each.source.name, each.external_id) for each in (one, two))
    return max(apart, 0), abs(start - other_start), names


def spaces(record: StoredRequest) -> frozenset[str]:
    """The kinds of source that reported it."""
    return frozenset(source_named(name).space for name in record.external_ids)
