"""Which reports of different sources are one request, by the provider's response id.

One response id joins reports only while nothing else can be meant: each kind of source has one request with it, of one
model, within an hour. As soon as a kind of source has two, as when a gateway's cache answers again, nothing tells which
of them another source means, and all stay apart: two webhooks and one push of a response id are three requests, in
whichever order they come. Where an agent's file and telemetry tell of one as well, these stand beside the two or in
one of them, as they came: the spend is that of the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from msgspec import Struct

from spendtop.domain.clock import HOUR
from spendtop.domain.reports.merging import StoredRequest, is_one_model, statement, together
from spendtop.domain.requests.request import Request
from spendtop.domain.sources.records import Source, source_named

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
    return [whole(record)]


def whole(record: StoredRequest) -> RequestPart:
    """A request as one part."""
    spaces = frozenset(source_named(name).space for name in record.external_ids)
    return RequestPart(record=record.id, reports=record.statements, spaces=spaces, request=statement(record.request))


def requests(parts: Iterable[RequestPart]) -> list[list[RequestPart]]:
    """The parts of each request: those that can only be one are joined, all others stay apart."""
    group_of: dict[RequestPart, list[RequestPart]] = {part: [part] for part in parts}
    for one, other in combinations(group_of, 2):
        first, second = group_of[one], group_of[other]
        if first is not second and _is_one_request(one, other):
            first += second
            for part in second:
                group_of[part] = first
    joined: list[list[RequestPart]] = []
    for group in {id(each): each for each in group_of.values()}.values():
        is_one = all(_is_one_request(*pair) for pair in combinations(group, 2))
        joined += [group] if is_one else [[part] for part in group]
    return joined


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
