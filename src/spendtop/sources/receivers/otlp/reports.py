"""What several spans say of one call, as one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace

from spendtop.domain.requests.request import BodyState, Cost, Request, Usage

Counts: TypeAlias = tuple[int | None, int | None]
"""Tokens of the prompt and of the completion."""

_COUNTS = Usage.__struct_fields__
_FILLED = (
    "provider",
    "model",
    "http_status",
    "user_id",
    "session_id",
    "latency_ms",
    "ttft_ms",
    "request_body",
    "response_body",
)


def one_report(reports: Sequence[Request], recorded: Counts | None) -> Request:
    """The first report with what the others add. The innermost comes first: it is nearest to the provider.

    `recorded` are the counts that were reported in an earlier post; None where this is the first.
    """
    first, *others = reports
    if recorded is not None:
        first = _agreeing(first, recorded)
    for other in others:
        first = _filled(first, other)
    return first


def contradict(counts: Counts, others: Counts) -> bool:
    return any(a is not None and b is not None and a != b for a, b in zip(counts, others, strict=True))


def _filled(first: Request, other: Request) -> Request:
    other = _agreeing(other, (first.usage.prompt, first.usage.completion))
    is_kept = BodyState.STORED in (first.body_state, other.body_state)
    return replace(
        first,
        **{name: _first(getattr(first, name), getattr(other, name)) for name in _FILLED},
        usage=Usage(**{name: _first(getattr(first.usage, name), getattr(other.usage, name)) for name in _COUNTS}),
        cost=first.cost if first.cost.reported is not None else other.cost,
        properties={**(other.properties or {}), **(first.properties or {})} or None,
        body_state=BodyState.STORED if is_kept else first.body_state,
    )


def _first(value: object, other: object) -> Any:
    return other if value is None else value


def _agreeing(report: Request, counts: Counts) -> Request:
    """The report without what it counted, where that contradicts these counts."""
    if contradict((report.usage.prompt, report.usage.completion), counts):
        return replace(report, usage=Usage(), cost=Cost())
    return report
