from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.domain.merging import StoredRequest, differences, merge
from spendtop.domain.money import Usd
from spendtop.domain.prices import Price, Rate
from spendtop.domain.pricing import Pricer
from spendtop.domain.request import Basis, BodyState, Cost, Request, Status, TimeSource, Usage
from spendtop.domain.sources import HELICONE, HELICONE_API, INGEST, OTLP, SOURCES, Source

API, WEBHOOK, INGEST = HELICONE_API, HELICONE, INGEST


PRICER = Pricer(
    {"m": Price.of({"input_tokens": Rate(2 * 10**12), "output_tokens": Rate(3 * 10**12)})},
    None,
    lambda provider, model, terms, at: None,
)


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


def told(*reports: Request) -> StoredRequest:
    """What is known after these reports, in this order."""
    first, *others = reports
    record = StoredRequest(id=1, request=first, external_ids={first.source.name: first.external_id})
    for other in others:
        record = merge(record, other, PRICER.cost)
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
        assert (merged.cached, merged.cost.amount, merged.cost.basis) == (True, Usd(0), Basis.REPORTED)


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
    assert merge(once, again, PRICER.cost) == once


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


counts = st.none() | st.integers(0, 50)
some = st.none() | st.sampled_from("ab")


def priced(one: Request) -> Request:
    return replace(one, cost=PRICER.cost(one))


@st.composite
def reports_of_one_request(draw: st.DrawFn) -> list[Request]:
    """What each source says of one request, which may be anything."""
    return [
        priced(
            report(
                source,
                received_at=draw(st.integers(1, 9)),
                occurred_at=draw(st.integers(1, 9)),
                time_source=draw(st.sampled_from(TimeSource)),
                time_suspect=draw(st.booleans()),
                response_id=draw(some),
                provider=draw(some),
                model=draw(st.sampled_from([None, "m", "n"])),
                status=draw(st.sampled_from(Status)),
                http_status=draw(counts),
                usage=Usage(
                    prompt=draw(counts), completion=draw(counts), cache_read=draw(counts), reasoning=draw(counts)
                ),
                cost=Cost(reported=draw(st.none() | st.sampled_from([-1, 0, 0, 1, 2, 10**17]).map(Usd))),
                user_id=draw(some),
                token=draw(some),
                properties=draw(st.none() | st.dictionaries(st.sampled_from("ab"), st.sampled_from("ab"))),
                latency_ms=draw(counts),
                cached=draw(st.booleans()),
                counted=draw(st.booleans()),
                verified=draw(st.booleans()),
                body_state=draw(st.sampled_from([state for state in BodyState if state is not BodyState.PURGED])),
            )
        )
        for source in draw(st.lists(st.sampled_from(list(SOURCES.values())), min_size=1, unique=True))
    ]


@settings(max_examples=500, deadline=None, derandomize=True)
@given(data=st.data(), reports=reports_of_one_request())
def test_the_order_of_reports_changes_nothing_but_the_arrival(data: st.DataObject, reports: list[Request]) -> None:
    in_order, shuffled = told(*reports), told(*data.draw(st.permutations(reports)))
    arrived_alike = replace(shuffled, request=replace(shuffled.request, received_at=in_order.request.received_at))
    assert arrived_alike == in_order
    assert in_order.request.cost == PRICER.cost(in_order.request)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(reports=reports_of_one_request())
def test_every_value_is_that_of_the_most_trusted_source_that_gave_one(reports: list[Request]) -> None:
    record = told(*reports)
    by_trust = sorted(reports, key=lambda one: one.source.trust)
    names = ["response_id", "provider", "model", "http_status", "user_id", "latency_ms"]
    if len({one.counted for one in reports}) == 1:
        names.append("token")
    for name in names:
        givers = [one for one in by_trust if getattr(one, name) is not None]
        assert getattr(record.request, name) == (getattr(givers[0], name) if givers else None)
        assert not givers or record.giver(name) is givers[0].source
    assert (record.request.status, record.request.cached) == (by_trust[0].status, by_trust[0].cached)


@given(reports=reports_of_one_request())
def test_what_counts_does_so_under_a_token_that_counts(reports: list[Request]) -> None:
    counted = [one.token for one in sorted(reports, key=lambda one: one.source.trust) if one.counted and one.token]
    if any(one.counted for one in reports):
        assert told(*reports).request.token == (counted[0] if counted else None)


def test_a_value_from_a_less_trusted_source_gives_way_to_a_more_trusted_one_that_is_not_the_first() -> None:
    record = told(report(API), report(INGEST, user_id="claimed"))
    assert record.given_by == {"user_id": INGEST}
    record = merge(record, report(WEBHOOK, user_id="real"), PRICER.cost)
    assert (record.request.user_id, record.given_by) == ("real", {"user_id": WEBHOOK})
    assert merge(record, report(OTLP, user_id="late"), PRICER.cost).request.user_id == "real"


def test_the_gateways_api_corrects_itself_and_keeps_what_it_leaves_out() -> None:
    first = report(API, user_id="a", model="m", occurred_at=5, time_source=TimeSource.API, cost=cost(4))
    last = report(API, user_id="b", occurred_at=7, time_source=TimeSource.API, cost=cost(3), status=Status.ERROR)
    merged = told(first, last).request
    assert (merged.user_id, merged.model, merged.occurred_at) == ("b", "m", 7)
    assert (merged.cost.amount, merged.status) == (Usd(3), Status.ERROR)


@pytest.mark.parametrize("source", [source for source in SOURCES.values() if source is not API])
def test_a_second_report_of_any_other_source_only_fills_gaps(source: Source) -> None:
    first = report(source, user_id="a", usage=Usage(prompt=5), cost=cost(4))
    again = report(
        source,
        user_id="b",
        session_id="s",
        usage=Usage(prompt=6, completion=7),
        cost=cost(9),
        status=Status.ERROR,
        occurred_at=1,
    )
    merged = told(first, again).request
    assert (merged.user_id, merged.session_id, merged.usage) == ("a", "s", Usage(prompt=5, completion=7))
    assert (merged.cost, merged.status, merged.occurred_at) == (cost(4), Status.OK, 100)


def test_a_reported_zero_gives_way_to_an_amount_of_a_less_trusted_source() -> None:
    reports = [report(WEBHOOK, cost=cost(0), usage=Usage(prompt=5)), report(INGEST, cost=cost(3))]
    assert {told(*order).request.cost.amount for order in permutations(reports)} == {Usd(3)}


def test_a_cost_is_decided_anew_only_when_its_grounds_change() -> None:
    old_price = Cost(amount=Usd(1), basis=Basis.COMPUTED, computed=Usd(1), price_version="old")
    known = report(WEBHOOK, model="m", usage=Usage(prompt=5, completion=5), cost=old_price)
    nothing_new = report(INGEST, user_id="a", latency_ms=4, model="n")
    assert told(known, nothing_new).request.cost == old_price
    grounds: list[dict[str, Any]] = [
        {"model": "n"},
        {"provider": "p"},
        {"usage": Usage(prompt=6)},
        {"status": Status.ERROR},
        {"cached": True},
        {"cost": cost(3)},
    ]
    for changed in grounds:
        merged = told(known, report(API, **changed)).request
        assert merged.cost == PRICER.cost(merged) != old_price


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
