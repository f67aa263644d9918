"""Calls that an agent's files and its telemetry tell of without an id in common.

They are known by their session and counts, and are one call where they are no more than two minutes apart, each with
one at most, the nearest first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from spendtop.domain.clock import MINUTE
from spendtop.domain.reports.joins import RequestPart, whole
from spendtop.domain.reports.merging import StoredRequest, together
from spendtop.domain.requests.request import Request
from spendtop.domain.sources.records import OTLP, AgentSource, Source, source_named

WITHIN = 2 * MINUTE
"""How far an agent's file and its telemetry may be apart about one call."""
_BY_VALUE = frozenset({"codex", "gemini-cli"})
"""Agents whose telemetry names no call."""
_BY_MODEL = "gemini-cli"
"""The one of them whose sessions several models answer."""


class CallValue(NamedTuple):
    """What is equal of one call in both."""

    agent: str
    session: str
    model: str | None
    prompt: int
    cache_read: int
    completion: int
    reasoning: int


def value_of(report: Request | None) -> CallValue | None:
    """None for what is known otherwise, or not by enough."""
    if report is None or report.session_id is None or report.usage.prompt is None:
        return None
    agent = report.source.name if isinstance(report.source, AgentSource) else _told_agent(report)
    if agent not in _BY_VALUE:
        return None
    usage = report.usage
    return CallValue(
        agent,
        report.session_id,
        report.model if agent == _BY_MODEL else None,
        usage.prompt or 0,
        usage.cache_read or 0,
        usage.completion or 0,
        usage.reasoning or 0,
    )


def values_of(record: StoredRequest) -> set[CallValue]:
    """What a request may be found by."""
    reports = record.reports.values() or (record.request,)
    return {value for each in reports if (value := value_of(each)) is not None}


def parts_by_value(record: StoredRequest) -> list[RequestPart]:
    """What a request's file says, with all that joined it otherwise, and what its telemetry says."""
    reports = dict(record.statements)
    telemetry = reports.get(OTLP)
    by_file = [each for each in reports.values() if isinstance(each.source, AgentSource)]
    if telemetry is None or not any(value_of(each) == value_of(telemetry) is not None for each in by_file):
        return [whole(record)]
    del reports[OTLP]
    spaces = {source_named(name).space for name in record.external_ids} - {OTLP.space}
    return [_part(record, reports, frozenset(spaces)), _part(record, {OTLP: telemetry}, frozenset({OTLP.space}))]


def nearest(parts: Iterable[RequestPart]) -> list[list[RequestPart]]:
    """The parts of each request, of parts with one value."""
    by_file: dict[RequestPart, Request] = {}
    told: dict[RequestPart, Request] = {}
    for part in parts:
        valued = next(each for each in part.reports.values() if value_of(each) is not None)
        (told if valued.source is OTLP else by_file)[part] = valued
    apart = sorted(
        (
            (abs(one.occurred_at - other.occurred_at), one.external_id, other.external_id, file, telemetry)
            for file, one in by_file.items()
            for telemetry, other in told.items()
            if file.spaces.isdisjoint(telemetry.spaces) and abs(one.occurred_at - other.occurred_at) <= WITHIN
        ),
        key=lambda pair: pair[:3],
    )
    telemetry_of: dict[RequestPart, RequestPart] = {}
    for *_, file, telemetry in apart:
        if file not in telemetry_of and telemetry not in telemetry_of.values():
            telemetry_of[file] = telemetry
    alone = [[part] for part in told if part not in telemetry_of.values()]
    return [[part, telemetry_of[part]] if part in telemetry_of else [part] for part in by_file] + alone


def _told_agent(report: Request) -> str | None:
    return (report.properties or {}).get("agent") if report.source is OTLP else None


def _part(record: StoredRequest, reports: dict[Source, Request], spaces: frozenset[str]) -> RequestPart:
    return RequestPart(record=record.id, reports=reports, spaces=spaces, request=together(list(reports.values())))
