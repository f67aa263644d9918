from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from spendtop.domain.clock import MINUTE
from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.reports.merging import StoredRequest, contradictions, differences, merge
from spendtop.domain.requests.request import (
    Basis,
    BodyState,
    Cost,
    Reporter,
    Request,
    ServiceLevel,
    Status,
    TimeSource,
    Usage,
)
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST, LITELLM, OTLP, SOURCES, Source

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
def reports_of_one_request(draw: st.DrawFn, sources: Sequence[Source] | None = None) -> list[Request]:
    """What each source says of one request, which may be anything."""
    if sources is None:
        sources = draw(st.lists(st.sampled_from(list(SOURCES.values())), min_size=1, unique=True))
    return [
        priced(
            report(
                source,
                received_at=draw(st.integers(1, 9)),
                occurred_at=draw(st.integers(1, 9)) * MINUTE,
                time_source=draw(st.sampled_from(TimeSource)),
                time_suspect=draw(st.booleans()),
                response_id=draw(some),
                provider=draw(some),
                model=draw(st.sampled_from([None, "m", "n"])),
                status=draw(st.sampled_from(Status)),
                http_status=draw(counts),
                usage=draw(usages),
                cost=draw(costs),
                user_id=draw(some),
                token=draw(some),
                properties=draw(st.none() | st.dictionaries(st.sampled_from("ab"), st.sampled_from("ab"))),
                latency_ms=draw(counts),
                cached=draw(st.booleans()),
                counted=draw(st.booleans()),
                verified=draw(st.booleans()),
                body_state=draw(st.sampled_from([state for state in BodyState if state is not BodyState.PURGED])),
                service_level=draw(st.none() | st.sampled_from(ServiceLevel)),
                inference_geo=draw(some),
                served_model=draw(some),
                provider_usage=draw(st.none() | st.sampled_from([b"1", b"22"])),
            )
        )
        for source in sources
    ]


costs = st.just(Cost()) | st.builds(
    Cost,
    reported=st.sampled_from([-1, 0, 0, 1, 2, 10**17]).map(Usd),
    reported_by=st.none() | st.sampled_from(Reporter),
)
UNITS = st.sampled_from(["web_searches", "input_audio_tokens"])
usages = st.builds(
    Usage,
    prompt=counts,
    completion=counts,
    cache_read=counts,
    cache_write=counts,
    reasoning=counts,
    units=st.none() | st.dictionaries(UNITS, st.integers(1, 3), min_size=1),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data(), reports=reports_of_one_request())
def test_the_order_of_reports_changes_nothing_but_the_arrival(data: st.DataObject, reports: list[Request]) -> None:
    in_order, shuffled = told(*reports), told(*data.draw(st.permutations(reports)))
    assert arrived_alike(shuffled, in_order) == in_order
    assert in_order.request.cost == PRICER.cost(in_order.request)


def arrived_alike(record: StoredRequest, other: StoredRequest) -> StoredRequest:
    """The record as if it had arrived when the other one did."""
    return replace(record, request=replace(record.request, received_at=other.request.received_at))


NAMES = {"response_id": "r", "provider": "p", "user_id": "u", "token": "t", "inference_geo": "us", "served_model": "m"}


@st.composite
def reports_of_three_sources(draw: st.DrawFn) -> list[Request]:
    """Up to four reports of up to three sources, some of which say again what they said, with less or more.

    What names something stays the same where its source says it at all; the rest may be anything.
    """
    known = draw(st.lists(st.sampled_from(list(SOURCES.values())), min_size=1, max_size=3, unique=True))
    further = draw(st.lists(st.sampled_from([each for each in known if not each.comes_again] or known), max_size=2))
    sources = [*known, *(each for each in further if not each.comes_again)][:4]
    names = {
        source: {
            "model": draw(st.sampled_from(["m", "openai/m-2026-01-01"])),
            "properties": {"k": source.name},
            "service_level": draw(st.sampled_from(ServiceLevel)),
            **{name: f"{value}-{source}" for name, value in NAMES.items()},
        }
        for source in known
    }
    return [
        priced(
            replace(each, **{name: value for name, value in names[each.source].items() if draw(st.booleans())})
            if each.source.comes_again
            else replace(
                each, **{name: draw(st.sampled_from([None, value])) for name, value in names[each.source].items()}
            )
        )
        for each in draw(reports_of_one_request(sources))
    ]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(reports=reports_of_three_sources())
def test_all_orders_of_three_sources_reports_give_one_request(reports: list[Request]) -> None:
    in_order = told(*reports)
    for order in permutations(reports):
        assert arrived_alike(told(*order, *reports[:2]), in_order) == in_order
    assert in_order.request.cost == PRICER.cost(in_order.request)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(reports=reports_of_three_sources())
def test_parts_of_a_usage_never_exceed_it_unless_one_source_says_so(reports: list[Request]) -> None:
    usage = told(*reports).request.usage
    for whole, parts in (("prompt", ("cache_read", "cache_write")), ("completion", ("reasoning",))):
        said = {each.source for each in reports if any(getattr(each.usage, part) for part in parts)}
        count = getattr(usage, whole)
        if count is not None and sum(getattr(usage, part) or 0 for part in parts) > count:
            assert any(
                sum(getattr(each.usage, part) or 0 for part in parts) > (getattr(each.usage, whole) or 0)
                for each in reports
                if each.source in said
            )


@settings(max_examples=100, deadline=None, derandomize=True)
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
    assert record.giver("user_id") is INGEST
    record = merge(record, report(WEBHOOK, user_id="real"), PRICER.cost)
    assert (record.request.user_id, record.giver("user_id")) == ("real", WEBHOOK)
    assert merge(record, report(OTLP, user_id="late"), PRICER.cost).request.user_id == "real"


def test_the_gateways_api_corrects_itself_and_keeps_what_it_leaves_out() -> None:
    first = report(API, user_id="a", model="m", occurred_at=5, time_source=TimeSource.API, cost=cost(4))
    last = report(API, user_id="b", occurred_at=7, time_source=TimeSource.API, cost=cost(3), status=Status.ERROR)
    merged = told(first, last).request
    assert (merged.user_id, merged.model, merged.occurred_at) == ("b", "m", 7)
    assert (merged.cost.amount, merged.status) == (Usd(3), Status.ERROR)


SENDING = [source for source in SOURCES.values() if not source.comes_again]


@pytest.mark.parametrize("source", SENDING)
def test_a_source_that_says_more_later_corrects_itself(source: Source) -> None:
    first = report(source, usage=Usage(prompt=5, completion=1), status=Status.CANCELLED, http_status=499, latency_ms=9)
    last = report(
        source,
        usage=Usage(prompt=5, completion=7, cache_read=4),
        cost=cost(4),
        http_status=200,
        session_id="s",
        properties={"a": "b"},
        latency_ms=30,
    )
    for order in permutations([first, last, first]):
        merged = told(*order).request
        assert (merged.usage, merged.cost.reported) == (Usage(prompt=5, completion=7, cache_read=4), Usd(4))
        assert (merged.status, merged.http_status, merged.latency_ms) == (Status.OK, 200, 30)
        assert (merged.session_id, merged.properties) == ("s", {"a": "b"})


@pytest.mark.parametrize("source", SENDING)
def test_usage_is_that_of_the_report_with_the_larger_total_as_a_whole(source: Source) -> None:
    small = report(source, usage=Usage(prompt=50, completion=1, cache_read=48), provider_usage=b"small")
    large = report(source, usage=Usage(prompt=40, completion=90), provider_usage=b"large")
    for order in permutations([small, large]):
        merged = told(*order).request
        assert (merged.usage, merged.provider_usage) == (Usage(prompt=40, completion=90), b"large")


@pytest.mark.parametrize("source", SENDING)
def test_what_a_source_contradicts_stays_as_it_said_first(source: Source) -> None:
    first = report(
        source, model="gpt-4o", user_id="a", usage=Usage(prompt=6, completion=7), cost=cost(9), properties={"k": "v"}
    )
    again = report(source, user_id="b", usage=Usage(prompt=5), cost=cost(4), status=Status.ERROR, properties={"k": "w"})
    record = told(first, again)
    assert record == told(first)
    assert contradictions(record, again) == {
        "status": ("ok", "error"),
        "user_id": ("a", "b"),
        "properties": ({"k": "v"}, {"k": "w"}),
        "prompt_tokens": (6, 5),
        "reported_cost_nano": (9, 4),
    }


@pytest.mark.parametrize("source", SENDING)
def test_a_report_of_another_model_is_not_taken_at_all(source: Source) -> None:
    first = report(source, model="gpt-4o", usage=Usage(prompt=6))
    other = report(source, model="gpt-4o-mini", usage=Usage(prompt=60), session_id="s")
    record = told(first, other)
    assert record == told(first)
    assert contradictions(record, other) == {
        "model": ("gpt-4o", "gpt-4o-mini"),
        "session_id": (None, "s"),
        "prompt_tokens": (6, 60),
    }


@pytest.mark.parametrize("source", SENDING)
def test_names_of_one_family_are_one_model_and_the_more_exact_one_stays(source: Source) -> None:
    names = ["gpt-4o", "gpt-4o-2024-08-06", "openai/gpt-4o-2024-08-06"]
    for order in permutations(report(source, model=name) for name in names):
        record = told(*order)
        assert record.request.model == "gpt-4o-2024-08-06"
        assert not any(contradictions(record, each) for each in order)


def test_nothing_that_a_source_repeats_or_adds_contradicts_it() -> None:
    first = report(WEBHOOK, model="m", usage=Usage(prompt=5), user_id="a", cost=cost(3), properties={"a": "1"})
    more = report(WEBHOOK, usage=Usage(prompt=5, completion=6), properties={"b": "2"}, occurred_at=900, latency_ms=4)
    record = told(first, more, first, more)
    assert (contradictions(record, more), contradictions(record, report(WEBHOOK))) == ({}, {})
    assert contradictions(record, report(API, model="n", usage=Usage(prompt=1))) == {}


def test_what_a_usage_leaves_out_is_filled_by_a_source_that_agrees_with_it() -> None:
    gateway = report(WEBHOOK, usage=Usage(prompt=10, completion=5))
    agreeing = report(
        OTLP, usage=Usage(prompt=10, completion=5, cache_read=8, units={"web_searches": 1}), provider_usage=b"otlp"
    )
    other = report(LITELLM, usage=Usage(prompt=12, completion=5, cache_read=9, reasoning=3), provider_usage=b"litellm")
    for order in permutations([gateway, agreeing, other]):
        merged = told(*order).request
        assert merged.usage == Usage(prompt=10, completion=5, cache_read=8, reasoning=3, units={"web_searches": 1})
        assert merged.provider_usage == b"otlp"


def test_parts_never_exceed_their_whole() -> None:
    reports = [report(WEBHOOK, usage=Usage(prompt=10)), report(INGEST, usage=Usage(cache_read=8, cache_write=4))]
    for order in permutations(reports):
        assert told(*order).request.usage == Usage(prompt=10)


def test_a_providers_own_figure_stands_before_that_of_any_gateway() -> None:
    def said(nano: int, reporter: Reporter) -> Cost:
        return Cost(reported=Usd(nano), reported_by=reporter)

    reports = [
        report(WEBHOOK, cost=said(3, Reporter.GATEWAY)),
        report(OTLP, cost=said(2, Reporter.PROVIDER)),
        report(INGEST, cost=said(1, Reporter.CLIENT)),
    ]
    for order in permutations(reports):
        merged = told(*order).request.cost
        assert (merged.reported, merged.reported_by) == (Usd(2), Reporter.PROVIDER)
    free = report(OTLP, cost=said(0, Reporter.PROVIDER), usage=Usage(prompt=5))
    assert told(reports[0], free).request.cost.amount == Usd(0)


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
