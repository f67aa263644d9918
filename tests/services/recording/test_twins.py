"""One call that two middlemen report without knowing each other's ids."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from spendtop.domain.clock import HOUR, SECOND
from spendtop.domain.requests.request import Event, Request, Status, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST, LITELLM, Source
from spendtop.services.recording import twins
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.transaction import Outcome
from spendtop.store.engine import Store
from spendtop.store.reads.requests.twins import twin_counts
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.tables import RequestTable, RevisionTable
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, PRICER, Collecting, clear, request, rows, sums, totals

START = 1_795_000_000_000_000 // HOUR * HOUR
USAGE = Usage(prompt=900, completion=30)


class Reporting:
    def __init__(self, store: Store, clock: SettableClock) -> None:
        self.store = store
        self._collector = Collecting(store, clock)
        self._preparer = Preparer(PRICER, None, keep_bodies=True)
        self.record(call(INGEST, 0, -60 * 60, usage=Usage()), call(HELICONE, 0, -60 * 60, usage=Usage()))

    def record(self, *events: Event) -> list[Outcome]:
        with self.store.writing() as connection:
            ready = [self._preparer.prepare(event) for event in events]
            outcomes = self._collector.recording.record(connection, ready)
        assert totals(self.store) == sums(self.store)
        return outcomes

    def pairs(self) -> set[frozenset[str]]:
        """The ids of each pair, of which each knows the other."""
        found = {row.id: row for row in rows(self.store, RequestTable)}
        paired = [row for row in found.values() if row.probable_twin_of is not None]
        assert all(found[row.probable_twin_of].probable_twin_of == row.id for row in paired)
        return {frozenset((name(row), name(found[row.probable_twin_of]))) for row in paired}


def name(row: Any) -> str:
    return str(msgspec.json.decode(row.external_ids)[row.source])


def call(source: Source, number: object, seconds: float = 0, **fields: Any) -> Request:
    values: dict[str, Any] = {
        "source": source,
        "external_id": f"{source.space}-{number}",
        "model": "claude-sonnet-4-5",
        "time_source": TimeSource.CLIENT,
        "usage": USAGE,
    }
    return request(number, START + round(seconds * SECOND), DOLLAR, **{**values, **fields})


def pair(first: object, second: object) -> frozenset[str]:
    return frozenset((f"helicone-{first}", f"litellm-{second}"))


@pytest.fixture
def reporting(store: Store, clock: SettableClock) -> Reporting:
    return Reporting(store, clock)


@pytest.mark.parametrize("together", [True, False], ids=["one group", "two groups"])
@pytest.mark.parametrize("order", [(HELICONE, LITELLM), (LITELLM, HELICONE)], ids=lambda order: order[0].name)
def test_both_count_and_know_each_other(reporting: Reporting, order: tuple[Source, ...], together: bool) -> None:
    reports = [call(source, 1, number) for number, source in enumerate(order)]
    for group in [reports] if together else [[each] for each in reports]:
        outcomes = reporting.record(*group)
        assert {outcome.status for outcome in outcomes} == {"stored"}
    assert reporting.pairs() == {pair(1, 1)}
    assert totals(reporting.store)["all", "", START][:2] == (2, 2 * DOLLAR)
    changed = [msgspec.json.decode(row.changes) for row in rows(reporting.store, RevisionTable)]
    newer, older = (row.id for row in sorted(rows(reporting.store, RequestTable), key=lambda row: -row.id)[:2])
    assert changed == ([] if together else [{"probable_twin_of": [None, str(newer)]}])
    assert older < newer


SETS: dict[str, tuple[list[Request], set[frozenset[str]]]] = {
    "the nearest one": (
        [call(HELICONE, 1, 0), call(LITELLM, 1, 1.5), call(LITELLM, 2, 0.5)],
        {pair(1, 2)},
    ),
    "one to one": (
        [call(HELICONE, 1, 0), call(HELICONE, 2, 1), call(LITELLM, 1, 1.2), call(LITELLM, 2, 2.5)],
        {pair(2, 1)},
    ),
    "at the same instants": (
        [call(source, number) for source in (HELICONE, LITELLM) for number in (1, 2)],
        {pair(1, 1), pair(2, 2)},
    ),
    "left over": (
        [call(HELICONE, 1, 0), call(LITELLM, 1, 1), call(HELICONE, 2, 1.4), call(LITELLM, 2, -1.5)],
        {pair(2, 1), pair(1, 2)},
    ),
    "none": (
        [call(HELICONE, 1), call(HELICONE, 2), call(LITELLM, 1, usage=Usage(prompt=900, completion=31))],
        set(),
    ),
    "of three kinds": (
        [call(HELICONE, 1), call(LITELLM, 1, 0.1), call(INGEST, 1, 1)],
        {pair(1, 1)},
    ),
}


CROWDS = pytest.mark.parametrize("crowd", [twins._CROWD, 1], ids=["few", "a crowd"])
"""How many equal calls are too many to be loaded together."""


@CROWDS
@pytest.mark.parametrize("case", SETS)
def test_each_has_one_at_most_the_nearest_in_time_in_any_order_and_groups(
    store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch, case: str, crowd: int
) -> None:
    monkeypatch.setattr(twins, "_CROWD", crowd)
    calls, expected = SETS[case]
    for number, order in enumerate(permutations(calls)):
        clear(store)
        reporting = Reporting(store, clock)
        size = (1, 2, len(order))[number % 3]
        for start in range(0, len(order), size):
            reporting.record(*order[start : start + size])
        assert reporting.pairs() == expected, order


@CROWDS
def test_a_busy_application_has_as_many_pairs_as_calls(
    reporting: Reporting, monkeypatch: pytest.MonkeyPatch, crowd: int
) -> None:
    monkeypatch.setattr(twins, "_CROWD", crowd)
    for start in range(0, 60, 20):
        reporting.record(*(call(HELICONE, number, number / 10) for number in range(start + 1, start + 21)))
    for start in range(0, 60, 20):
        reporting.record(*(call(LITELLM, number, number / 10 + 0.01) for number in range(start + 1, start + 21)))
    assert reporting.pairs() == {pair(number, number) for number in range(1, 61)}
    with reporting.store.reading() as connection:
        (count,) = twin_counts(connection, Span(START, START + HOUR))
        assert twin_counts(connection, Span(START + HOUR, None)) == ()
    assert (count.source, count.other, count.pairs) == (HELICONE, LITELLM, 60)
    assert count.advice.startswith("60 probable twins (~twin) with litellm, counted twice?")


def test_a_correction_that_makes_them_unequal_parts_them(reporting: Reporting) -> None:
    reporting.record(call(HELICONE, 1), call(LITELLM, 1, 1), call(LITELLM, 2, 1.5))
    assert reporting.pairs() == {pair(1, 1)}
    reporting.record(call(LITELLM, 1, 1, usage=Usage(prompt=900, completion=77)))
    assert reporting.pairs() == {pair(1, 2)}
    reporting.record(call(HELICONE_API, 1, usage=Usage(prompt=5, completion=6)))
    assert reporting.pairs() == set()


def test_a_correction_that_makes_them_equal_pairs_them(reporting: Reporting) -> None:
    reporting.record(call(HELICONE, 1), call(LITELLM, 1, usage=Usage(prompt=900, completion=3)))
    assert reporting.pairs() == set()
    reporting.record(call(LITELLM, 1))
    assert reporting.pairs() == {pair(1, 1)}


def test_twins_that_turn_out_to_be_one_request_of_both_sources_are_none_any_more(reporting: Reporting) -> None:
    reporting.record(call(HELICONE, 1, response_id="msg_1"), call(LITELLM, 1, 1))
    reporting.record(call(LITELLM, 2, 0.5, response_id="msg_1"))
    assert reporting.pairs() == set()
    assert len(rows(reporting.store, RequestTable)) == 4


def test_a_shadow_has_none(reporting: Reporting) -> None:
    reporting.record(call(HELICONE, 1), call(INGEST, 1, token="app", counted=False))
    reporting.record(call(LITELLM, 2, 30, status=Status.ERROR), call(HELICONE, 2, 30, status=Status.ERROR))
    assert reporting.pairs() == set()


def test_nothing_is_asked_while_one_kind_of_source_is_active(store: Store, clock: SettableClock) -> None:
    collector, preparer = Collecting(store, clock), Preparer(PRICER, None, keep_bodies=True)
    with store.writing() as connection:
        collector.recording.record(connection, [preparer.prepare(call(HELICONE, number)) for number in range(3)])
    assert not _is_searchable(store)
    Reporting(store, clock)
    assert _is_searchable(store)


def test_a_store_in_which_an_older_version_joined_requests_becomes_searchable(
    store: Store, clock: SettableClock
) -> None:
    Reporting(store, clock)
    with store.writing() as connection:
        connection.execute(text("DROP INDEX request_counts"))
    Reporting(store, clock)
    assert _is_searchable(store)


def test_they_are_found_by_an_index(store: Store, reporting: Reporting) -> None:
    reporting.record(call(HELICONE, 1), call(LITELLM, 1))
    sought = (
        "WITH sought (prompt, completion, since, until) AS (VALUES (CAST(1 AS bigint), 2, 3, 4), (5, 6, 7, 8))"
        " SELECT request.id FROM sought CROSS JOIN request WHERE request.prompt_tokens > 0"
        " AND request.prompt_tokens = sought.prompt AND coalesce(request.completion_tokens, 0) = sought.completion"
        " AND request.occurred_at BETWEEN sought.since AND sought.until"
    )
    next_to = (
        "SELECT id FROM request WHERE prompt_tokens > 0 AND prompt_tokens = 1 AND coalesce(completion_tokens, 0) = 2"
        " AND occurred_at BETWEEN 3 AND 4 ORDER BY occurred_at DESC LIMIT 32"
    )
    with store.reading() as connection:
        if not store.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        for sql in (sought, next_to):
            plan = connection.execute(text(f"EXPLAIN {'QUERY PLAN ' if store.is_sqlite else ''}{sql}"))
            index = "request_counts" if store.is_sqlite else "prompt_tokens_coalesce_occurred_at_idx"
            assert index in "".join(str(row) for row in plan)


def _is_searchable(store: Store) -> bool:
    table, column = ("sqlite_master", "name") if store.is_sqlite else ("pg_indexes", "indexname")
    with store.reading() as connection:
        found = connection.execute(text(f"SELECT count(*) FROM {table} WHERE {column} = 'request_counts'"))
        return found.scalar() == 1
