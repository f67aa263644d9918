from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import delete

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits.limit import Each
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.reports.merging import StoredRequest, differences, merge
from spendtop.domain.requests.request import BodyState, Request, Status, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE_API, INGEST, OTLP, SOURCES
from spendtop.services.recording.group import REFUSED
from spendtop.services.recording.preparation import Ready, SetAside
from spendtop.services.recording.rows import from_row
from spendtop.services.recording.totals import REPEATS
from spendtop.services.recording.transaction import MOST_CONTRADICTIONS
from spendtop.store import bodies
from spendtop.store.engine import Store
from spendtop.store.reads.requests.detail import detail
from spendtop.store.statements import table_of
from spendtop.store.tables import (
    BodyTable,
    LimitMarkTable,
    QuarantineTable,
    RequestKeyTable,
    RequestTable,
    RevisionTable,
    TotalTable,
)
from tests.conftest import SettableClock
from tests.services.conftest import (
    BESIDE,
    DOLLAR,
    PRICER,
    Collecting,
    Counts,
    clear,
    day_sums,
    hour_sums_by_day,
    limit,
    prepared,
    request,
    rows,
    sum_hours,
    sums,
    totals,
)

START = 1_795_000_000_000_000 // HOUR * HOUR
FEW = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
CEILING = Price.of(
    {"input_tokens": Rate(3_000_000_000_000), "output_tokens": Rate(5_000_000_000_000)}
)  # 3 and 5 nano-USD per token
LIMITS = (
    limit("all"),
    limit("not mini", where="-model:gpt-4o-mini"),
    limit("alice's models", where="user:alice", each=Each.MODEL),
    limit("reserved", reserve="gpt-4o"),
    limit("families", each=Each.MODEL_FAMILY),
    limit("one", window="request", usd=1),
)


def _reserve(one: Request) -> int | None:
    usage = one.usage
    return None if usage.prompt is None or usage.completion is None else 3 * usage.prompt + 5 * usage.completion


OWN: dict[str, Counts] = {
    LIMITS[1].dimension: lambda one: None if one.model == "gpt-4o-mini" else ("", None),
    LIMITS[2].dimension: lambda one: (one.model, None) if one.user_id == "alice" and one.model else None,
    LIMITS[3].dimension: lambda one: ("", _reserve(one)),
    LIMITS[4].dimension: lambda one: ("gpt-4o-mini" if "mini" in one.model else "gpt-4o", None) if one.model else None,
}
instants = st.one_of(st.integers(START, START + 3 * HOUR), st.sampled_from([START, START + MINUTE, START + HOUR - 1]))
counts = st.none() | st.integers(0, 9_000)


@st.composite
def reports(draw: st.DrawFn) -> Request:
    at = draw(instants)
    cached = draw(st.sampled_from([False, False, True]))
    return request(
        draw(st.integers(0, 3)),
        at,
        0 if cached else draw(st.none() | st.integers(0, 3 * DOLLAR)),
        source=draw(st.sampled_from(list(SOURCES.values()))),
        received_at=START + draw(st.integers(0, DAY)),
        time_source=draw(st.sampled_from(TimeSource)),
        usage=Usage(prompt=draw(counts), completion=draw(counts)),
        status=draw(st.sampled_from([Status.OK, Status.OK, Status.ERROR])),
        user_id=draw(st.sampled_from([None, "alice", "bob"])),
        model=draw(st.sampled_from([None, "gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-mini"])),
        session_id=draw(st.sampled_from([None, "s-1"])),
        token=draw(st.sampled_from([None, "app"])),
        cached=cached,
        counted=draw(st.sampled_from([True, True, False])),
    )


def _told_together(groups: list[list[Request]]) -> tuple[dict[str, StoredRequest], int]:
    """What is known of each request after all reports, and how often a known one changed."""
    known: dict[str, StoredRequest] = {}
    revisions = 0
    for report in (report for group in groups for report in group):
        old = known.get(report.external_id)
        if old is None:
            known[report.external_id] = StoredRequest(
                id=0, request=report, external_ids={report.source.name: report.external_id}
            )
            continue
        known[report.external_id] = merge(old, report, PRICER.cost)
        revisions += bool(differences(old.request, known[report.external_id].request))
    return known, revisions


@FEW
@given(groups=st.lists(st.lists(reports(), min_size=1, max_size=6), max_size=6))
def test_totals_are_the_sums_over_requests_whatever_is_reported_in_whatever_groups(
    store: Store, clock: SettableClock, groups: list[list[Request]]
) -> None:
    clear(store)
    collectors = [Collecting(store, clock, *LIMITS, reserves={"reserved": CEILING}, slot=slot) for slot in (0, 5)]
    for number, group in enumerate(groups):
        collectors[number % 2].record(*group)
        assert totals(store) == sums(store, OWN)
        assert day_sums(store) == hour_sums_by_day(store)
        sum_hours(store, START + number * HOUR)
    expected, revisions = _told_together(groups)
    found = {record.request.external_id: replace(record, id=0) for record in map(from_row, rows(store, RequestTable))}
    assert found == expected
    assert len([row for row in rows(store, RevisionTable) if REFUSED not in row.changes]) == revisions


@FEW
@given(data=st.data(), drawn=st.lists(reports(), max_size=12))
def test_totals_do_not_depend_on_the_order_or_the_groups_of_different_requests(
    store: Store, clock: SettableClock, data: st.DataObject, drawn: list[Request]
) -> None:
    distinct = [replace(one, external_id=f"id-{number}") for number, one in enumerate(drawn)]
    found = []
    for order in (distinct, data.draw(st.permutations(distinct))):
        clear(store)
        collector = Collecting(store, clock, *LIMITS, reserves={"reserved": CEILING})
        size = data.draw(st.integers(1, 5))
        for start in range(0, len(order), size):
            collector.record(*order[start : start + size])
        found.append(totals(store))
    assert found[0] == found[1] == sums(store, OWN)


def test_a_thousand_shuffled_requests_make_the_totals_of_sorted_ones(store: Store, clock: SettableClock) -> None:
    requests = [
        request(number, START + number * 7 * MINUTE, number, user_id=f"user-{number % 77}", model=f"m-{number % 13}")
        for number in range(1_001)
    ]
    Collecting(store, clock).record(*requests)
    in_order = totals(store)
    assert in_order == sums(store)
    clear(store)
    random.Random(1).shuffle(requests)
    Collecting(store, clock).record(*requests)
    assert totals(store) == in_order


def _all(store: Store) -> list[list[Any]]:
    tables = (RequestTable, RequestKeyTable, BodyTable, RevisionTable, TotalTable, LimitMarkTable)
    return [[tuple(row) for row in rows(store, table) if row[0] not in BESIDE] for table in tables]


def test_duplicates_change_nothing_but_the_count_of_repeats(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock, *LIMITS)
    group = [request(number, START + number, request_body=b"{}") for number in range(20)]
    first = collector.record(*group)
    before = _all(store)
    later = [replace(one, received_at=one.received_at + DAY) for one in group]
    again = [*collector.record(*later, *group), *Collecting(store, clock, slot=9).record(*group)]
    assert {outcome.status for outcome in first} == {"stored"}
    assert Counter(outcome.status for outcome in again) == {"duplicate": 60}
    assert [outcome.id for outcome in again[:20]] == [outcome.id for outcome in first]
    assert _all(store) == before
    assert sum(row.requests for row in rows(store, TotalTable) if row.dimension == REPEATS) == 60


def test_the_same_event_twice_in_one_group_is_stored_once(store: Store, clock: SettableClock) -> None:
    outcomes = Collecting(store, clock).record(*[request(1, START)] * 50)
    assert [outcome.status for outcome in outcomes] == ["stored"] + ["duplicate"] * 49
    assert len(rows(store, RequestTable)) == 1
    assert totals(store) == sums(store)


def test_two_ids_of_one_source_with_one_response_id_are_two_requests(store: Store, clock: SettableClock) -> None:
    Collecting(store, clock).record(*(request(number, START, response_id="chatcmpl-1") for number in (1, 2)))
    assert [row.response_id for row in rows(store, RequestTable)] == ["chatcmpl-1"] * 2
    assert totals(store)["all", "", START][:2] == (2, 2 * DOLLAR)


def test_the_key_of_a_purged_request_answers_duplicate_and_touches_nothing(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock, *LIMITS)
    (stored,) = collector.record(request(1, START, request_body=b"{}"))
    with store.writing() as connection:
        for table in (RequestTable, BodyTable, LimitMarkTable):
            connection.execute(delete(table_of(table)))
    before = _all(store)
    replayed = replace(request(1, START, 5 * DOLLAR, request_body=b"{}"), source=HELICONE_API)
    assert [(o.status, o.id) for o in collector.record(replayed, replayed)] == [("duplicate", stored.id)] * 2
    assert _all(store) == before


def test_a_changed_cost_moves_totals_by_the_difference_and_leaves_a_revision(
    store: Store, clock: SettableClock
) -> None:
    collector = Collecting(store, clock, *LIMITS)
    webhook, verified = (
        request(1, START, 3 * DOLLAR, user_id="alice"),
        request(1, START, 2 * DOLLAR, source=HELICONE_API, received_at=START + HOUR, verified=True),
    )
    (first,) = collector.record(webhook)
    (second,) = collector.record(verified)
    assert (second.status, second.id) == ("duplicate", first.id)
    assert totals(store)["user", "alice", START][:2] == (1, 2 * DOLLAR)
    (revision,) = rows(store, RevisionTable)
    assert (revision.request_id, revision.at, revision.source) == (first.id, START + HOUR, "helicone-api")
    assert msgspec.json.decode(revision.changes) == {
        "cost_nano": [3 * DOLLAR, 2 * DOLLAR],
        "verified": [False, True],
    }
    (row,) = rows(store, RequestTable)
    assert (row.source, row.sources, row.received_at) == ("helicone-api", "helicone-api,helicone", START)


def test_a_correction_in_the_same_group_leaves_its_revision_too(store: Store, clock: SettableClock) -> None:
    corrected = request(1, START, 2 * DOLLAR, source=HELICONE_API)
    Collecting(store, clock).record(request(1, START, 3 * DOLLAR), corrected)
    assert len(rows(store, RevisionTable)) == 1
    assert totals(store)["all", "", START][:2] == (1, 2 * DOLLAR)
    assert ("source", "helicone", START) not in totals(store)


def test_a_less_trusted_source_changes_nothing_but_the_list_of_sources(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock)
    collector.record(request(1, START, 3 * DOLLAR))
    collector.record(request(1, START, 9 * DOLLAR, source=INGEST))
    (row,) = rows(store, RequestTable)
    assert (row.sources, row.cost_nano) == ("helicone,ingest", 3 * DOLLAR)
    assert msgspec.json.decode(row.external_ids) == {"helicone": "id-1", "ingest": "id-1"}
    assert rows(store, RevisionTable) == []


def test_a_time_that_becomes_known_moves_the_amount_to_its_hour(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock, *LIMITS)
    collector.record(request(1, START + HOUR, time_source=TimeSource.RECEIVED, time_suspect=True))
    collector.record(request(1, START - 5, source=HELICONE_API, time_source=TimeSource.API))
    assert {bucket for dimension, _, bucket in totals(store) if dimension == "all"} == {START - HOUR}
    assert {mark.hour for mark in rows(store, LimitMarkTable)} == {START + HOUR, START - HOUR}
    (row,) = rows(store, RequestTable)
    assert (row.occurred_at, row.time_source, row.time_suspect) == (START - 5, "api", False)


def test_a_body_that_comes_later_is_stored(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock)
    collector.record(request(1, START))
    body = b'{"a":1}'
    report = request(1, START, source=HELICONE_API, request_body=body, body_state=BodyState.STORED)
    collector.record(report)
    assert [bodies.decode(row.data) for row in rows(store, BodyTable)] == [(body, None)]
    assert rows(store, RequestTable)[0].body_state == "stored"


def correcting(number: int, **fields: Any) -> list[Request]:
    """An interim report of a webhook's, and a final one."""
    interim = request(number, START, None, usage=Usage(prompt=5, completion=1), request_body=b"{}")
    final = {
        "usage": Usage(prompt=5, completion=9),
        "request_body": b"{}",
        "response_body": b'{"a": "final"}',
        **fields,
    }
    kept = {"body_state": BodyState.STORED}
    return [replace(interim, **kept), request(number, START, 3 * DOLLAR, **final, **kept)]


@pytest.mark.parametrize("together", [True, False], ids=["one group", "two groups"])
@pytest.mark.parametrize("interim_first", [True, False])
def test_a_source_that_says_more_later_corrects_the_request_its_body_and_all_totals(
    store: Store, clock: SettableClock, together: bool, interim_first: bool
) -> None:
    reports = correcting(1) if interim_first else correcting(1)[::-1]
    collector = Collecting(store, clock)
    for group in [reports] if together else [[each] for each in reports]:
        outcomes = collector.record(*group)
    assert outcomes[-1].status == "duplicate"
    (row,) = rows(store, RequestTable)
    assert (row.completion_tokens, row.cost_nano) == (9, 3 * DOLLAR)
    assert [bodies.decode(each.data) for each in rows(store, BodyTable)] == [(b"{}", b'{"a": "final"}')]
    assert totals(store) == sums(store)
    changes = [msgspec.json.decode(each.changes) for each in rows(store, RevisionTable)]
    assert len(changes) == 1
    assert changes[0]["completion_tokens"] == ([1, 9] if interim_first else [9, 1, "refused"])


def test_the_body_of_the_most_trusted_source_is_kept_in_any_order(store: Store, clock: SettableClock) -> None:
    long = request(1, START, source=INGEST, request_body=b'{"much": "longer"}', body_state=BodyState.STORED)
    trusted = request(1, START, request_body=b"{}", body_state=BodyState.STORED)
    for order in ([long, trusted], [trusted, long], [long, trusted, long]):
        for size in (1, 3):
            clear(store)
            for start in range(0, len(order), size):
                Collecting(store, clock).record(*order[start : start + size])
            assert [bodies.decode(each.data) for each in rows(store, BodyTable)] == [(b"{}", None)]


def test_what_contradicts_an_earlier_report_is_kept_once_and_bounded(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock)
    first = request(1, START, 3 * DOLLAR, model="gpt-4o", usage=Usage(prompt=5))
    other = request(1, START, 4 * DOLLAR, model="gpt-4o-mini", usage=Usage(prompt=50))
    collector.record(first, other, other)
    collector.record(other)
    (row,) = rows(store, RequestTable)
    assert (row.model, row.prompt_tokens, row.cost_nano) == ("gpt-4o", 5, 3 * DOLLAR)
    assert totals(store) == sums(store)
    with store.reading() as connection:
        shown = detail(connection, row.id)
    assert shown is not None
    (revision,) = shown.revisions
    assert (revision.changes, revision.source) == ({}, "helicone")
    assert revision.refused == {
        "model": ("gpt-4o", "gpt-4o-mini"),
        "prompt_tokens": (5, 50),
        "reported_cost_nano": (3 * DOLLAR, 4 * DOLLAR),
    }
    collector.record(*(replace(other, user_id=f"user-{number}") for number in range(2 * MOST_CONTRADICTIONS)))
    assert len(rows(store, RevisionTable)) == MOST_CONTRADICTIONS


def test_who_gave_what_to_a_request_of_an_older_version_is_still_known(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock)
    collector.record(request(1, START, 3, user_id="a"), request(1, START, 3, source=INGEST, session_id="s"))
    with store.writing() as connection:
        table = table_of(RequestTable)
        connection.execute(table.update().values(given_by='{"session_id":"ingest","reported_cost":"ingest"}'))
    collector.record(request(1, START, 2, source=OTLP, session_id="better", user_id="worse"))
    (row,) = rows(store, RequestTable)
    assert (row.sources, row.session_id, row.user_id, row.cost_nano) == ("helicone,otlp,ingest", "better", "a", 2)
    collector.record(request(1, START, 5))
    assert rows(store, RequestTable)[0].cost_nano == 5


def test_a_body_that_was_forgotten_does_not_come_back(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock)
    collector.record(request(1, START, request_body=b"{}", body_state=BodyState.STORED))
    with store.writing() as connection:
        connection.execute(delete(table_of(BodyTable)))
        connection.execute(table_of(RequestTable).update().values(body_state="purged"))
    correction = request(1, START, 7, source=HELICONE_API, request_body=b"{}", body_state=BodyState.STORED)
    collector.record(correction)
    (row,) = rows(store, RequestTable)
    assert (row.cost_nano, row.body_state, rows(store, BodyTable)) == (7, "purged", [])


def test_a_shadow_request_counts_once_a_counting_source_reports_it(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock)
    collector.record(request(1, START, source=INGEST, counted=False))
    assert totals(store) == {}
    collector.record(request(1, START))
    assert totals(store) == sums(store) != {}


def test_outcomes_keep_the_order_of_events_of_all_kinds(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock)
    test = SetAside(b"t" * 16, "helicone", "test", "test event", START, 2, b"raw")
    strange = SetAside(b"s" * 16, "helicone", "unrecognized", "why", START, 2, None)
    events: list[Ready] = [strange, prepared(request(1, START)), test, prepared(request(1, START)), strange, test]
    with store.writing() as connection:
        outcomes = collector.recording.record(connection, events)
    assert [o.status for o in outcomes] == ["quarantined", "stored", "test", "duplicate", "quarantined", "test"]
    assert (outcomes[0].id, outcomes[2].id) == (outcomes[4].id, outcomes[5].id)
    assert [(row.kind, row.raw) for row in rows(store, QuarantineTable)] == [("unrecognized", None), ("test", b"raw")]
    assert [o.request is not None for o in outcomes] == [False, True, False, False, False, False]
    assert totals(store)["all", "", START][0] == 1


def test_marks_keep_the_latest_instant_of_an_hour(store: Store, collecting: Callable[..., Collecting]) -> None:
    collector = collecting(limit())
    for at in (START + 5, START + 9, START + 7):
        collector.record(request(at, at))
    assert [tuple(mark) for mark in rows(store, LimitMarkTable)] == [("daily", "", START, 0, START + 9)]


def test_collectors_on_one_postgresql_wait_for_nothing_of_each_other(
    postgres_store: Store, clock: SettableClock
) -> None:
    limits = (limit(), limit("each", each=Each.USER))
    first, second = (Collecting(postgres_store, clock, *limits, slot=slot) for slot in (0, 1))
    first.record(request(1, START, user_id="ann"))
    with postgres_store.writing() as held:
        first.recording.record(held, [prepared(request(2, START + 2, DOLLAR, user_id="ann"))])
        with postgres_store.writing() as other:
            other.exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
            second.recording.record(other, [prepared(request(3, START + 3, DOLLAR, user_id="ann"))])
    assert totals(postgres_store) == sums(postgres_store)
    assert {(mark.entity, mark.shard) for mark in rows(postgres_store, LimitMarkTable)} == {
        *(("", 0), ("", 1), ("ann", 0), ("ann", 1))
    }
