from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from spendtop.domain.merging import Record, differences, merge
from spendtop.domain.money import Usd
from spendtop.domain.request import Basis, BodyState, Cost, Request, Source, Status, TimeSource, Usage

API, WEBHOOK, INGEST = Source.HELICONE_API, Source.HELICONE, Source.INGEST


def report(source: Source, **fields: Any) -> Request:
    values: dict[str, Any] = {
        "source": source,
        "external_id": f"{source}-id",
        "received_at": 100,
        "occurred_at": 100,
        "time_source": TimeSource.RECEIVED,
    }
    return Request(**{**values, **fields})


def cost(nano: int) -> Cost:
    return Cost(amount=Usd(nano), basis=Basis.REPORTED, reported=Usd(nano))


def told(*reports: Request) -> Record:
    """What is known after these reports, in this order."""
    first, *others = reports
    record = Record(id=1, request=first, external_ids={first.source.value: first.external_id})
    for other in others:
        record = merge(record, other)
    return record


FIELDS: list[dict[str, Any]] = [
    {"user_id": "a"},
    {"model": "m"},
    {"session_id": "s"},
    {"properties": {"k": "v"}},
    {"latency_ms": 7},
    {"response_id": "r"},
]


@pytest.mark.parametrize("field", FIELDS)
def test_an_untrusted_value_fills_a_gap_and_replaces_nothing(field: dict[str, Any]) -> None:
    ((name, value),) = field.items()
    other = "other" if isinstance(value, str) else value
    for order in permutations([report(WEBHOOK), report(INGEST, **field)]):
        assert getattr(told(*order).request, name) == value
    for order in permutations([report(WEBHOOK, **field), report(INGEST, **{name: other})]):
        assert getattr(told(*order).request, name) == value


def test_the_most_trusted_known_cost_stands_in_any_order() -> None:
    reports = [report(API, cost=cost(3)), report(WEBHOOK, cost=cost(2)), report(INGEST, cost=cost(1))]
    assert {told(*order).request.cost for order in permutations(reports)} == {cost(3)}
    unpriced = [report(API), report(WEBHOOK), report(INGEST, cost=cost(1))]
    assert {told(*order).request.cost for order in permutations(unpriced)} == {cost(1)}


def test_the_best_time_stands_in_any_order() -> None:
    reports = [
        report(WEBHOOK, occurred_at=50, time_source=TimeSource.PROVIDER),
        report(INGEST, occurred_at=40, time_source=TimeSource.CLIENT),
        report(API, occurred_at=30, time_source=TimeSource.API),
    ]
    for order in permutations(reports):
        assert told(*order).request.occurred_at == 30
    for order in permutations(reports[:2]):
        assert told(*order).request.occurred_at == 40


def test_arrival_stays_that_of_the_first_report() -> None:
    assert told(report(WEBHOOK), report(API, received_at=900)).request.received_at == 100


def test_a_hit_in_the_gateways_cache_is_known_to_the_trusted_source() -> None:
    hit = report(API, cached=True, cost=cost(0))
    for order in permutations([hit, report(WEBHOOK, cost=cost(5))]):
        merged = told(*order).request
        assert (merged.cached, merged.cost) == (True, cost(0))


def test_tokens_are_merged_one_by_one() -> None:
    merged = told(
        report(WEBHOOK, usage=Usage(prompt=10, completion=5)), report(INGEST, usage=Usage(prompt=9, reasoning=2))
    )
    assert merged.request.usage == Usage(prompt=10, completion=5, reasoning=2)


def test_verified_and_counted_stay_once_they_are_true() -> None:
    merged = told(report(INGEST, counted=False), report(API, verified=True), report(WEBHOOK)).request
    assert (merged.counted, merged.verified) == (True, True)
    assert not told(report(INGEST, counted=False), report(WEBHOOK, counted=False)).request.counted


def test_all_sources_are_named_the_most_trusted_first() -> None:
    merged = told(report(INGEST), report(API), report(WEBHOOK))
    assert merged.sources == ("helicone-api", "helicone", "ingest")
    assert (merged.request.source, merged.request.external_id) == (API, "helicone-api-id")
    assert merged.external_ids == {str(source): f"{source}-id" for source in (API, WEBHOOK, INGEST)}


def test_the_same_report_again_changes_nothing() -> None:
    once = told(report(WEBHOOK, user_id="a", cost=cost(4), usage=Usage(prompt=1)))
    again = report(WEBHOOK, user_id="a", cost=cost(4), usage=Usage(prompt=1), received_at=999, occurred_at=999)
    assert merge(once, again) == once


@pytest.mark.parametrize(
    ("known", "reported", "state"),
    [
        (BodyState.NOT_SENT, BodyState.STORED, BodyState.STORED),
        (BodyState.STORED, BodyState.NOT_SENT, BodyState.STORED),
        (BodyState.PURGED, BodyState.STORED, BodyState.PURGED),
        (BodyState.PURGED, BodyState.NOT_SENT, BodyState.PURGED),
        (BodyState.TRUNCATED, BodyState.STORED, BodyState.STORED),
    ],
)
def test_a_body_is_kept_wherever_it_comes_from_and_stays_forgotten(
    known: BodyState, reported: BodyState, state: BodyState
) -> None:
    merged = told(report(WEBHOOK, body_state=known), report(API, body_state=reported))
    assert merged.request.body_state is state


def test_differences_name_what_changed_as_plain_values() -> None:
    old = report(WEBHOOK, cost=cost(4), user_id="a")
    new = report(API, user_id="a", usage=Usage(prompt=3), status=Status.ERROR, verified=True)
    assert differences(old, new) == {
        "prompt_tokens": (None, 3),
        "cost_nano": (4, None),
        "basis": ("reported", "unknown"),
        "status": ("ok", "error"),
        "verified": (False, True),
    }
    assert differences(old, old) == {}
