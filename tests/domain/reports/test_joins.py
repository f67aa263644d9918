from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.reports.joins import part_of_report, parts_of, requests
from spendtop.domain.reports.merging import StoredRequest, merge
from spendtop.domain.requests.request import Cost, Request, TimeSource
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST, LITELLM, OTLP, Source

AT = 1_795_000_000_000_000
WEBHOOK = HELICONE


def report(source: Source, number: int = 1, minutes: float = 0, **fields: Any) -> Request:
    values: dict[str, Any] = {
        "source": source,
        "external_id": f"{source.space}-{number}",
        "received_at": AT,
        "occurred_at": AT + round(minutes * MINUTE),
        "time_source": TimeSource.CLIENT,
        "model": "gpt-4o",
        "response_id": "chatcmpl-1",
    }
    return Request(**{**values, **fields})


def record(*reports: Request, id: int = 1) -> StoredRequest:
    first, *others = reports
    stored = StoredRequest(id=id, request=first, external_ids={first.source.name: first.external_id})
    for each in others:
        stored = merge(stored, each, lambda request: Cost())
    return stored


def joined(*reports: Request) -> set[frozenset[str]]:
    """The ids that are one request's, of reports with one response id."""
    return {
        frozenset(part.request.external_id for part in each) for each in requests([part_of_report(r) for r in reports])
    }


def one(*ids: str) -> frozenset[str]:
    return frozenset(ids)


def test_different_sources_reports_are_one_request() -> None:
    assert joined(report(WEBHOOK), report(INGEST)) == {one("helicone-1", "ingest-1")}
    assert joined(report(WEBHOOK), report(INGEST), report(OTLP)) == {one("helicone-1", "ingest-1", "otlp-1")}
    assert joined(report(INGEST)) == {one("ingest-1")}


def test_another_one_that_nobody_else_can_mean_does_not_part_two() -> None:
    reports = [report(WEBHOOK, 1), report(INGEST, 1, 5), report(WEBHOOK, 2, 66)]
    assert joined(*reports) == {one("helicone-1", "ingest-1"), one("helicone-2")}


def test_two_of_one_kind_of_source_are_two() -> None:
    assert joined(report(WEBHOOK, 1), report(WEBHOOK, 2)) == {one("helicone-1"), one("helicone-2")}
    assert joined(report(WEBHOOK, 1), report(HELICONE_API, 2)) == {one("helicone-1"), one("helicone-2")}


@pytest.mark.parametrize(("apart", "joins"), [(0, True), (HOUR, True), (-HOUR, True), (HOUR + 1, False)])
def test_both_happened_within_an_hour(apart: int, joins: bool) -> None:
    assert (len(joined(report(INGEST, occurred_at=AT + apart), report(WEBHOOK))) == 1) is joins


@pytest.mark.parametrize(
    ("name", "other", "joins"),
    [
        ("openai/gpt-4o-2024-08-06", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        (None, "gpt-4o", False),
        ("gpt-4o", None, False),
        (None, None, False),
    ],
)
def test_both_are_of_the_same_model(name: str | None, other: str | None, joins: bool) -> None:
    assert (len(joined(report(INGEST, model=name), report(WEBHOOK, model=other))) == 1) is joins


SETS = [
    [report(WEBHOOK, 1), report(WEBHOOK, 2, 5), report(INGEST, 1, 4)],
    [report(WEBHOOK, 1), report(WEBHOOK, 2, 5), report(INGEST, 1, 4), report(INGEST, 2, 1)],
    [report(WEBHOOK, 1), report(WEBHOOK, 2), report(INGEST, 1), report(INGEST, 2)],
    [report(WEBHOOK, 1), report(INGEST, 1, 3), report(INGEST, 2, 1)],
    [report(WEBHOOK, 1), report(WEBHOOK, 2, 30), report(OTLP, 1, 29), report(LITELLM, 1, 2)],
    [report(OTLP), report(WEBHOOK, 1, 31), report(INGEST, 1, 61)],
]


@pytest.mark.parametrize("reports", SETS)
def test_where_a_kind_of_source_has_two_all_stay_apart_in_any_order(reports: list[Request]) -> None:
    expected = {one(each.external_id) for each in reports}
    for order in permutations(reports):
        assert joined(*order) == expected


def test_a_request_consists_of_what_each_kind_of_source_says() -> None:
    stored = record(report(INGEST), report(WEBHOOK), report(HELICONE_API, model="gpt-4o-2024-08-06"))
    gateway, push = parts_of(stored)
    assert [*gateway.reports, *push.reports] == [HELICONE_API, WEBHOOK, INGEST]
    assert (gateway.request.model, push.request.model) == ("gpt-4o-2024-08-06", "gpt-4o")
    assert {part.record for part in (gateway, push)} == {1}


@pytest.mark.parametrize(
    "stored",
    [
        record(report(WEBHOOK), report(INGEST, response_id=None)),
        record(report(WEBHOOK), report(INGEST, model=None)),
        StoredRequest(id=1, request=report(WEBHOOK), external_ids={"helicone": "helicone-1", "ingest": "ingest-1"}),
    ],
    ids=["known as one by an id", "older", "imported"],
)
def test_what_is_one_for_another_reason_is_not_taken_apart(stored: StoredRequest) -> None:
    (part,) = parts_of(stored)
    assert part.spaces == {"helicone", "ingest"}
    assert len(requests([part, part_of_report(report(INGEST, 2))])) == 2
