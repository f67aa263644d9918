"""Which reports of different sources are one request, by the provider's response id.

Each source's request is joined with at most one of every other source: the one nearest in time, where a gateway's cache
or a retry gave several one response id. So two webhooks and one push of a response id are two requests in whichever
order they come, and two webhooks and two pushes are two as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from msgspec import Struct

from spendtop.domain.clock import HOUR
from spendtop.domain.merging import StoredRequest, is_one_model, statement, together
from spendtop.domain.request import Request
from spendtop.domain.sources import Source, source_named

WITHIN = HOUR
"""How far apart two sources may date one request."""


class RequestPart(Struct, frozen=True, eq=False, kw_only=True):
    """What is known of a request under one id: all that one kind of source says of it.

    What belongs together for another reason than its response id is one part.
    """

    record: int | None
    """The request whose part it is so far; None for a new report."""
    reports: Mapping[Source, Request]
    spaces: frozenset[str]
    """The kinds of source that have their id for it."""
    request: Request
    """What the reports say together."""

    @property
    def name(self) -> tuple[str, str]:
        return self.request.source.space, self.request.external_id


def part_of_report(report: Request) -> RequestPart:
    stated = statement(report)
    return RequestPart(
        record=None, reports={report.source: stated}, spaces=frozenset({report.source.space}), request=stated
    )


def parts_of(record: StoredRequest) -> list[RequestPart]:
    """The parts of a request, that of its most trusted source first."""
    spaces = {source_named(name).space for name in record.external_ids}
    by_space: dict[str, dict[Source, Request]] = {}
    for source, report in record.statements.items():
        by_space.setdefault(source.space, {})[source] = report
    parts = [
        RequestPart(
            record=record.id, reports=reports, spaces=frozenset({space}), request=together(list(reports.values()))
        )
        for space, reports in by_space.items()
    ]
    if by_space.keys() == spaces and all(_is_one_request(*pair) for pair in combinations(parts, 2)):
        return parts
    return [
        RequestPart(
            record=record.id, reports=record.statements, spaces=frozenset(spaces), request=statement(record.request)
        )
    ]


def requests(parts: Iterable[RequestPart]) -> list[list[RequestPart]]:
    """The parts of each request: pairs that can be one are joined, the nearest in time first."""
    request_of: dict[RequestPart, list[RequestPart]] = {part: [part] for part in parts}
    pairs = [pair for pair in combinations(request_of, 2) if _is_one_request(*pair)]
    for one, other in sorted(pairs, key=_distance):
        first, second = request_of[one], request_of[other]
        if first is not second and all(_is_one_request(a, b) for a in first for b in second):
            first += second
            for part in second:
                request_of[part] = first
    return list({id(each): each for each in request_of.values()}.values())


def _is_one_request(part: RequestPart, other: RequestPart) -> bool:
    """Whether two parts of one response id may be one request."""
    one, two = part.request, other.request
    return (
        part.spaces.isdisjoint(other.spaces)
        and one.response_id is not None
        and one.response_id == two.response_id
        and is_one_model(one.model, two.model)
        and abs(one.occurred_at - two.occurred_at) <= WITHIN
    )


def _distance(pair: tuple[RequestPart, RequestPart]) -> tuple[int, list[tuple[str, str]]]:
    one, other = pair
    return abs(one.request.occurred_at - other.request.occurred_at), sorted((one.name, other.name))
