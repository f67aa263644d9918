from __future__ import annotations

from typing import Any

import pytest

from spendtop.domain.clock import SECOND
from spendtop.domain.reports.merging import StoredRequest
from spendtop.domain.reports.twins import distance
from spendtop.domain.requests.request import Request, Status, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST, LITELLM, Source

AT = 1_795_000_000_000_000


def record(source: Source, seconds: float = 0, **fields: Any) -> StoredRequest:
    values: dict[str, Any] = {
        "source": source,
        "external_id": f"{source}-id",
        "received_at": AT,
        "occurred_at": AT + round(seconds * SECOND),
        "time_source": TimeSource.CLIENT,
        "model": "claude-sonnet-4-5",
        "usage": Usage(prompt=900, completion=30),
    }
    request = Request(**{**values, **fields})
    return StoredRequest(id=1, request=request, external_ids={source.name: request.external_id})


@pytest.mark.parametrize(
    ("fields", "are_twins"),
    [
        ({}, True),
        ({"model": "anthropic/claude-sonnet-4-5-20250929"}, True),
        ({"model": "my-deployment", "served_model": "claude-sonnet-4-5-20250929"}, True),
        ({"usage": Usage(prompt=900, completion=30, cache_read=800)}, True),
        ({"model": "claude-haiku-4-5"}, False),
        ({"model": None}, False),
        ({"usage": Usage(prompt=900, completion=31)}, False),
        ({"usage": Usage(prompt=900)}, False),
        ({"cached": True}, False),
        ({"counted": False}, False),
        ({"status": Status.ERROR}, False),
        ({"seconds": 2}, True),
        ({"seconds": -2}, True),
        ({"seconds": 2.1}, False),
        ({"seconds": -40, "latency_ms": 39_000}, True),
        ({"seconds": -40, "latency_ms": 37_000}, False),
        ({"seconds": 30, "latency_ms": 29_000, "time_source": TimeSource.RECEIVED}, True),
    ],
)
def test_who_may_be_a_twin(fields: dict[str, Any], are_twins: bool) -> None:
    one, other = record(HELICONE), record(LITELLM, **fields)
    assert (distance(one, other) is not None) is are_twins
    assert distance(one, other) == distance(other, one)


def test_what_one_kind_of_source_reports_has_no_twin_there() -> None:
    assert distance(record(HELICONE), record(HELICONE_API)) is None
    both = StoredRequest(
        id=2, request=record(HELICONE).request, external_ids={"helicone": "helicone-1", "litellm": "litellm-1"}
    )
    assert distance(both, record(LITELLM)) is None
    assert distance(both, record(INGEST)) is not None


@pytest.mark.parametrize(
    ("usage", "are_twins"),
    [
        (Usage(), False),
        (Usage(prompt=0, completion=0), False),
        (Usage(prompt=8, completion=1), False),
        (Usage(completion=50), False),
        (Usage(prompt=9, completion=1), True),
        (Usage(prompt=10), True),
    ],
)
def test_calls_without_counts_or_with_few_tokens_are_equal_by_chance(usage: Usage, are_twins: bool) -> None:
    assert (distance(record(HELICONE, usage=usage), record(LITELLM, usage=usage)) is not None) is are_twins


def test_no_output_is_none_that_is_known() -> None:
    embedding = record(HELICONE, usage=Usage(prompt=900, completion=0))
    assert distance(embedding, record(LITELLM, usage=Usage(prompt=900))) is not None


def test_the_nearer_is_the_one_that_overlaps_and_then_the_one_that_begins_nearer() -> None:
    call = record(HELICONE, latency_ms=5_000)
    apart = [distance(call, record(LITELLM, seconds)) for seconds in (0, 1, 4, 6, 6.5)]
    assert None not in apart
    assert apart == sorted(apart)  # type: ignore[type-var]
