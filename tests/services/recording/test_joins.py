"""One request that several sources report, recorded."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import permutations
from typing import Any

import msgspec
import pytest
from sqlalchemy import Row, text

from spendtop.domain.clock import HOUR, SECOND
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import SAME_CONTENT, BodyState, Cost, Event, Request, Restored, TimeSource, Usage
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST, LITELLM, OTLP, Source
from spendtop.services.recording.alike import MOST
from spendtop.services.recording.preparation import Preparer, Ready
from spendtop.services.recording.rows import from_row
from spendtop.services.recording.totals import ASSUMED_REPEATS, JOINED, REPEATS, SHADOW
from spendtop.services.recording.transaction import Outcome
from spendtop.store.engine import Store
from spendtop.store.tables import BodyTable, RequestKeyTable, RequestTable, RevisionTable
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, PRICER, Collecting, beside, clear, request, rows, sums, totals
from tests.waiting import DEADLINE, eventually

START = 1_795_000_000_000_000 // HOUR * HOUR
API, WEBHOOK, INGEST = HELICONE_API, HELICONE, INGEST
RESPONSE = "chatcmpl-1"
IDS = {"helicone": "helicone-1", "ingest": "ingest-1"}


class Reporting:
    """A collector to which sources report; the totals are right after every group."""

    def __init__(self, store: Store, clock: SettableClock, slot: int = 0) -> None:
        self.store = store
        self._collector = Collecting(store, clock, slot=slot)
        self._preparer = Preparer(PRICER, None, keep_bodies=True)

    def record(self, *events: Event) -> list[Outcome]:
        """Record events as one group."""
        with self.store.writing() as connection:
            outcomes = self._collector.recording.record(connection, self.ready(events))
        assert totals(self.store) == sums(self.store)
        return outcomes

    @contextmanager
    def uncommitted(self, *events: Event) -> Iterator[None]:
        """Record events as one group that is committed at the end of the block."""
        with self.store.writing() as connection:
            self._collector.recording.record(connection, self.ready(events))
            yield

    def record_in_vain(self, *events: Event) -> None:
        """Record events, each as a group of its own, in a transaction that is rolled back."""
        with self.store.writing() as connection:
            for event in events:
                self._collector.recording.record(connection, self.ready([event]))
            connection.rollback()

    def ready(self, events: Sequence[Event]) -> list[Ready]:
        return [self._preparer.prepare(event) for event in events]


@pytest.fixture
def reporting(store: Store, clock: SettableClock) -> Reporting:
    return Reporting(store, clock)


def report(source: Source, number: object = 1, cost: int | None = DOLLAR, **fields: Any) -> Request:
    """What a source says of a request, with the response id that all sources know."""
    values: dict[str, Any] = {"model": "gpt-4o", "response_id": RESPONSE, "external_id": f"{source.space}-{number}"}
    return request(number, START, cost, source=source, **{**values, **fields})


def is_searchable(store: Store) -> bool:
    """Whether the index on response ids is there."""
    table, column = ("sqlite_master", "name") if store.is_sqlite else ("pg_indexes", "indexname")
    with store.reading() as connection:
        found = connection.execute(text(f"SELECT count(*) FROM {table} WHERE {column} = 'request_response'"))
        return found.scalar() == 1


def statuses(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]


@pytest.mark.parametrize("together", [True, False], ids=["one group", "two groups"])
@pytest.mark.parametrize("order", list(permutations([WEBHOOK, INGEST])), ids=lambda order: order[0].name)
def test_two_sources_reports_of_one_request_are_one_record_in_either_order(
    reporting: Reporting, order: tuple[Source, ...], together: bool
) -> None:
    reports: dict[Source, Request] = {
        WEBHOOK: report(WEBHOOK, cost=3, model="gpt-4o-2024-08-06"),
        INGEST: report(INGEST, cost=2, model="openai/gpt-4o", token="app", user_id="alice"),
    }
    told = [reports[source] for source in order]
    outcomes = reporting.record(*told) if together else [reporting.record(each)[0] for each in told]
    (row,) = rows(reporting.store, RequestTable)
    assert [(outcome.status, outcome.id) for outcome in outcomes] == [("stored", row.id)] * 2
    assert [outcome.request is not None for outcome in outcomes] == [True, False]
    assert (row.source, row.sources, row.cost_nano) == ("helicone", "helicone,ingest", 3)
    assert (row.model, row.token, row.user_id) == ("gpt-4o-2024-08-06", "app", "alice")
    assert msgspec.json.decode(row.external_ids) == {"helicone": "helicone-1", "ingest": "ingest-1"}
    record = from_row(row)
    assert [record.giver(name) for name in ("token", "user_id", "model")] == [INGEST, INGEST, WEBHOOK]
    assert {key.request_id for key in rows(reporting.store, RequestKeyTable)} == {row.id}
    assert totals(reporting.store)["all", "", START][:2] == (1, 3)
    assert statuses(reporting.record(*told)) == ["duplicate"] * 2
    assert beside(reporting.store) == {
        (REPEATS, "helicone"): (1, 0),
        (REPEATS, "ingest"): (1, 0),
        (JOINED, "ingest"): (1, 0),
    }


def test_five_sources_reports_in_any_order_and_groups_are_one_record(store: Store, clock: SettableClock) -> None:
    reports = [
        report(API, cost=5, time_source=TimeSource.API, verified=True, occurred_at=START - 1),
        report(WEBHOOK, cost=0, usage=Usage(prompt=9), latency_ms=5),
        report(LITELLM, cost=3, user_id="litellm", usage=Usage(prompt=8, completion=4)),
        report(OTLP, cost=None, user_id="otlp", session_id="s", provider="openai", request_body=b"{}"),
        report(INGEST, cost=1, token="app", properties={"a": "b"}, counted=False),
    ]
    chance = random.Random(1)
    orders = [reports, reports[::-1], *(chance.sample(reports, 5) for _ in range(8))]
    found = []
    for order in orders:
        clear(store)
        reporting = Reporting(store, clock)
        size = chance.randint(1, 5)
        for start in range(0, 5, size):
            reporting.record(*order[start : start + size])
        (row,) = rows(store, RequestTable)
        values = {**row._mapping, "id": 0, "external_ids": msgspec.json.decode(row.external_ids)}
        found.append((values, totals(store), [body.data for body in rows(store, BodyTable)]))
    assert found == [found[0]] * len(found)


def test_two_ids_of_one_source_are_two_requests_though_the_response_id_is_equal(reporting: Reporting) -> None:
    reporting.record(report(INGEST, 9, response_id="other"))
    outcomes = reporting.record(report(WEBHOOK, 1), report(WEBHOOK, 2))
    outcomes += reporting.record(report(WEBHOOK, 3, cached=True), report(API, 4))
    assert len({outcome.id for outcome in outcomes}) == 4
    assert len(rows(reporting.store, RequestTable)) == 5


def test_a_repeated_response_id_parts_what_was_joined(reporting: Reporting) -> None:
    reporting.record(report(WEBHOOK, 1), report(INGEST, 1))
    assert [known_as(row) for row in rows(reporting.store, RequestTable)] == ["helicone-1 ingest-1"]
    reporting.record(report(WEBHOOK, 2))
    assert {known_as(row) for row in rows(reporting.store, RequestTable)} == {"helicone-1", "helicone-2", "ingest-1"}
    reporting.record(report(INGEST, 2))
    assert len(rows(reporting.store, RequestTable)) == 4


def numbered(source: Source, number: int, seconds: int = 0, **fields: Any) -> Request:
    """One of several reports of one response id."""
    return report(
        source,
        number,
        cost=number,
        occurred_at=START + seconds * SECOND,
        time_source=TimeSource.CLIENT,
        user_id=f"{source}-{number}",
        **fields,
    )


BODY = {"request_body": b'{"a": 1}', "body_state": BodyState.STORED}
SEVERAL: dict[str, tuple[list[Request], set[str]]] = {
    "two webhooks and a push": (
        [numbered(WEBHOOK, 1), numbered(WEBHOOK, 2, 9), numbered(INGEST, 3, 7, token="app")],
        {"helicone-1", "helicone-2", "ingest-3"},
    ),
    "at one instant": (
        [numbered(WEBHOOK, 1), numbered(WEBHOOK, 2), numbered(INGEST, 3, token="app")],
        {"helicone-1", "helicone-2", "ingest-3"},
    ),
    "two webhooks and two pushes": (
        [numbered(WEBHOOK, 1), numbered(WEBHOOK, 2, 9), numbered(INGEST, 3, 7), numbered(INGEST, 4, 1)],
        {"helicone-1", "helicone-2", "ingest-3", "ingest-4"},
    ),
    "a webhook and two pushes": (
        [numbered(WEBHOOK, 1, 5), numbered(INGEST, 3, 9, **BODY), numbered(INGEST, 4, 6)],
        {"helicone-1", "ingest-3", "ingest-4"},
    ),
    "a webhook and its confirmation, another one and a push": (
        [numbered(WEBHOOK, 1, 5), numbered(API, 1, 5), numbered(WEBHOOK, 2, 8), numbered(INGEST, 3, 7, **BODY)],
        {"helicone-1", "helicone-2", "ingest-3"},
    ),
    "three kinds of source": (
        [numbered(WEBHOOK, 1), numbered(WEBHOOK, 2, 60), numbered(LITELLM, 3, 55), numbered(OTLP, 4, 2)],
        {"helicone-1", "helicone-2", "litellm-3", "otlp-4"},
    ),
}


def known_as(row: Row[Any]) -> str:
    return " ".join(sorted(set(msgspec.json.decode(row.external_ids).values())))


@pytest.mark.parametrize("case", SEVERAL)
def test_reports_of_one_response_id_are_the_same_requests_in_any_order_and_groups(
    store: Store, clock: SettableClock, case: str
) -> None:
    reports, expected = SEVERAL[case]
    found = []
    for number, order in enumerate(permutations(reports)):
        clear(store)
        reporting = Reporting(store, clock)
        reporting.record(report(LITELLM, 9, response_id="other"))
        size = (1, 2, len(order))[number % 3]
        for start in range(0, len(order), size):
            reporting.record(*order[start : start + size])
        records = {known_as(row): from_row(row) for row in rows(store, RequestTable)}
        keys = {row.request_id for row in rows(store, RequestKeyTable)}
        assert keys == {record.id for record in records.values()}
        kept = {row.request_id: row.data for row in rows(store, BodyTable)}
        for record in records.values():
            assert (record.id in kept) is (record.request.body_state is BodyState.STORED)
        found.append(
            {
                name: msgspec.structs.replace(
                    record, id=0, request=msgspec.structs.replace(record.request, received_at=0)
                )
                for name, record in records.items()
            }
        )
        assert statuses(reporting.record(*order)) == ["duplicate"] * len(order)
        assert {known_as(row) for row in rows(store, RequestTable)} == expected | {"litellm-9"}
    assert found == [found[0]] * len(found)


def test_a_response_id_that_everything_has_joins_nothing_any_more(reporting: Reporting) -> None:
    reporting.record(*(report(WEBHOOK, number) for number in range(MOST + 1)), report(OTLP, response_id="x"))
    reporting.record(*(report(INGEST, number) for number in range(300)))
    assert len(rows(reporting.store, RequestTable)) == MOST + 1 + 1 + 300


@pytest.mark.parametrize(
    "other", [{"model": "gpt-4o-mini"}, {"occurred_at": START + HOUR + 1}, {"response_id": "x"}, {"response_id": None}]
)
def test_other_requests_stay_apart(reporting: Reporting, other: dict[str, Any]) -> None:
    reporting.record(report(WEBHOOK))
    reporting.record(report(INGEST, **other))
    assert len(rows(reporting.store, RequestTable)) == 2


def test_response_ids_are_searchable_once_a_second_kind_of_source_reports(reporting: Reporting) -> None:
    store = reporting.store
    for number in range(3):
        reporting.record(report(WEBHOOK, number, response_id=f"r-{number}"))
    reporting.record(report(API, 1, response_id="r-1"))
    assert not is_searchable(store)
    reporting.record(report(INGEST, 1, response_id="r-1"))
    assert is_searchable(store)
    assert [row.sources for row in rows(store, RequestTable)] == [
        "helicone",
        "helicone-api,helicone,ingest",
        "helicone",
    ]


def test_another_collector_knows_that_requests_join(store: Store, clock: SettableClock) -> None:
    early = Reporting(store, clock, slot=1)
    for _ in range(3):
        early.record(report(WEBHOOK, 1, response_id="r-1"))
    Reporting(store, clock, slot=2).record(report(INGEST, 2, response_id="r-2"))
    early.record(report(WEBHOOK, 2, response_id="r-2"))
    Reporting(store, clock, slot=3).record(report(INGEST, 1, response_id="r-1"))
    assert [row.sources for row in rows(store, RequestTable)] == ["helicone,ingest"] * 2


def test_what_a_failed_transaction_learned_is_learned_again(reporting: Reporting) -> None:
    reporting.record_in_vain(report(WEBHOOK), report(WEBHOOK, 2), report(WEBHOOK, 3))
    reporting.record(report(WEBHOOK))
    reporting.record_in_vain(report(INGEST), report(INGEST, 2), report(INGEST, 3))
    reporting.record(report(WEBHOOK, 2, response_id="r-2"))
    assert not is_searchable(reporting.store)
    reporting.record(report(INGEST))
    assert is_searchable(reporting.store)
    assert [row.sources for row in rows(reporting.store, RequestTable)] == ["helicone,ingest", "helicone"]


def test_candidates_are_found_by_the_index(store: Store, reporting: Reporting) -> None:
    reporting.record(report(WEBHOOK), report(INGEST))
    sql = "SELECT * FROM request WHERE response_id IN ('a', 'b')"
    with store.reading() as connection:
        if store.is_sqlite:
            plan = connection.execute(text(f"EXPLAIN QUERY PLAN {sql}"))
        else:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            plan = connection.execute(text(f"EXPLAIN {sql}"))
        assert ("request_response" if store.is_sqlite else "response_id_idx") in "".join(str(row) for row in plan)


@pytest.mark.parametrize("together", [True, False], ids=["one group", "two groups"])
def test_a_response_id_that_a_later_report_brings_joins_too(reporting: Reporting, together: bool) -> None:
    reporting.record(report(WEBHOOK, response_id=None))
    reporting.record(report(INGEST, 5, response_id="other"))
    reports = [report(API), report(INGEST)]
    if together:
        reporting.record(*reports)
    else:
        for each in reports:
            reporting.record(each)
    assert [row.sources for row in rows(reporting.store, RequestTable)] == ["helicone-api,helicone,ingest", "ingest"]


def test_one_id_under_two_tokens_is_two_requests(reporting: Reporting) -> None:
    pushes = [report(INGEST, response_id=None, token=token) for token in ("app", "web", "app")]
    assert statuses(reporting.record(*pushes)) == ["stored", "stored", "duplicate"]


@pytest.mark.parametrize("together", [True, False], ids=["one group", "two groups"])
def test_the_same_id_with_other_content_is_a_conflict_and_touches_nothing(reporting: Reporting, together: bool) -> None:
    first, other = report(INGEST, cost=3, content=b"1" * 16), report(INGEST, cost=4, user_id="a", content=b"2" * 16)
    again = report(INGEST, cost=3, content=b"1" * 16)
    if together:
        outcomes = reporting.record(first, other, again)
    else:
        outcomes = [reporting.record(each)[0] for each in (first, other, again)]
    assert statuses(outcomes) == ["stored", "conflict", "duplicate"]
    assert len({outcome.id for outcome in outcomes}) == 1
    (row,) = rows(reporting.store, RequestTable)
    assert (row.cost_nano, row.user_id) == (3, None)
    assert rows(reporting.store, RevisionTable) == []
    assert beside(reporting.store) == {(REPEATS, "ingest"): (1, 0)}


def test_repeats_and_assumed_repeats_are_counted_by_their_arrival_and_cost_nothing(reporting: Reporting) -> None:
    named, guessed = report(INGEST, response_id=None), report(INGEST, external_id=f"{SAME_CONTENT}1", response_id=None)
    reporting.record(named, guessed)
    spend = totals(reporting.store)
    reporting.record(*[msgspec.structs.replace(each, received_at=START + HOUR) for each in (named, guessed, guessed)])
    assert totals(reporting.store) == spend
    assert beside(reporting.store) == {(REPEATS, "ingest"): (3, 0), (ASSUMED_REPEATS, "ingest"): (2, 0)}


def test_another_source_of_a_request_is_no_repeat(reporting: Reporting) -> None:
    reporting.record(report(WEBHOOK), report(API), report(INGEST))
    assert beside(reporting.store) == {(JOINED, "ingest"): (1, 0)}


def test_requests_of_a_shadow_token_are_counted_apart(reporting: Reporting) -> None:
    reporting.record(report(INGEST, 1, cost=3, token="app", counted=False))
    reporting.record(report(INGEST, 2, cost=4, token="app", counted=False, response_id="r-2"))
    assert totals(reporting.store) == {}
    assert beside(reporting.store) == {(SHADOW, "app"): (2, 7)}


@pytest.mark.parametrize("shadow_first", [True, False])
def test_a_shadow_request_that_a_counted_source_joins_counts_once(reporting: Reporting, shadow_first: bool) -> None:
    reports = [report(INGEST, cost=3, token="app", counted=False), report(WEBHOOK, cost=4)]
    for each in reports if shadow_first else reports[::-1]:
        reporting.record(each)
    assert totals(reporting.store)["all", "", START][:2] == (1, 4)
    assert beside(reporting.store) == {(JOINED, "ingest"): (1, 0)}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_request_counts_under_its_own_token_beside_any_shadow(reporting: Reporting, order: tuple[int, ...]) -> None:
    reports = [
        report(INGEST, cost=3, token="app"),
        report(OTLP, cost=3, token="mirror", counted=False),
        report(WEBHOOK, cost=3),
    ]
    for number in order:
        reporting.record(reports[number])
    assert totals(reporting.store)["token", "app", START][:2] == (1, 3)
    assert beside(reporting.store) == {(JOINED, "ingest"): (1, 0), (JOINED, "otlp"): (1, 0)}


def test_an_assumed_repeat_changes_nothing(reporting: Reporting) -> None:
    first = report(INGEST, cost=3, external_id=f"{SAME_CONTENT}1", response_id=None, token="app")
    reporting.record(first)
    other = msgspec.structs.replace(first, cost=Cost(reported=Usd(9)), session_id="s")
    assert statuses(reporting.record(other)) == ["duplicate"]
    (row,) = rows(reporting.store, RequestTable)
    assert (row.cost_nano, row.session_id) == (3, None)


class TestTwoCollectors:
    """On one PostgreSQL, the second reporting while the first has not committed yet."""

    @pytest.fixture
    def collectors(self, postgres_store: Store, clock: SettableClock) -> list[Reporting]:
        return [Reporting(postgres_store, clock, slot) for slot in (0, 1)]

    def record_at_once(self, collectors: Sequence[Reporting], first: Request, second: Request) -> list[Row[Any]]:
        """The requests that are stored after these reports; the second collector waits for the first one's commit."""
        one, other = collectors
        with ThreadPoolExecutor(1) as pool:
            with one.uncommitted(first):
                later = pool.submit(other.record, second)
                eventually(lambda: later.done() or _somebody_waits(one.store))
                assert not later.done()
            later.result(timeout=DEADLINE)
        return rows(one.store, RequestTable)

    @pytest.mark.parametrize("order", list(permutations([WEBHOOK, INGEST])), ids=lambda order: order[0].name)
    @pytest.mark.parametrize("known", [(), (WEBHOOK,), (WEBHOOK, INGEST)], ids=len)
    def test_keep_one_record_of_one_request(
        self, collectors: list[Reporting], order: tuple[Source, ...], known: tuple[Source, ...]
    ) -> None:
        earlier = [report(source, f"old-{source}", response_id="old", occurred_at=START - HOUR) for source in known]
        for collector in collectors:
            for each in earlier:
                collector.record(each)
        *_, row = self.record_at_once(collectors, report(order[0]), report(order[1]))
        assert row.sources == "helicone,ingest"

    def test_correct_one_after_the_other(self, collectors: list[Reporting]) -> None:
        for collector in (*collectors, *collectors):
            collector.record(report(WEBHOOK))
        (row,) = self.record_at_once(collectors, report(API, cost=5), report(API, cost=7))
        assert row.cost_nano == 7

    def test_join_what_was_corrected_meanwhile(self, collectors: list[Reporting]) -> None:
        for collector in (*collectors, *collectors):
            collector.record(report(WEBHOOK), report(INGEST, 2, response_id="other"))
        row, _ = self.record_at_once(collectors, report(API, cost=5), report(INGEST, cost=7, user_id="alice"))
        assert (row.cost_nano, row.user_id) == (5, "alice")


def _somebody_waits(store: Store) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with store.reading() as connection:
        return connection.execute(text(waiting)).scalar() != 0


class TestRestored:
    """Requests of an export."""

    def restored(self, **fields: Any) -> Restored:
        values = {"cost": 4, "token": "app", "request_body": b"{}", "body_state": BodyState.STORED, **fields}
        return Restored(request=report(WEBHOOK, **values), external_ids=IDS)

    def test_is_one_request_of_all_its_sources_at_the_cost_it_had(self, reporting: Reporting) -> None:
        (outcome,) = reporting.record(self.restored())
        (row,) = rows(reporting.store, RequestTable)
        assert (outcome.status, outcome.id) == ("stored", row.id)
        assert (row.source, row.sources, row.cost_nano, row.body_state) == ("helicone", "helicone,ingest", 4, "stored")
        assert [key.request_id for key in rows(reporting.store, RequestKeyTable)] == [row.id] * 2
        assert len(rows(reporting.store, BodyTable)) == 1

    @pytest.mark.parametrize("together", [True, False], ids=["one group", "two groups"])
    def test_again_is_a_duplicate_and_no_repeat_of_its_source(self, reporting: Reporting, together: bool) -> None:
        events = [self.restored(), self.restored(cost=9, user_id="late")]
        outcomes = reporting.record(*events) if together else [reporting.record(each)[0] for each in events]
        assert statuses(outcomes) == ["stored", "duplicate"]
        (row,) = rows(reporting.store, RequestTable)
        assert (row.cost_nano, row.user_id) == (4, None)
        assert beside(reporting.store) == {}

    def test_a_later_report_of_any_of_its_sources_is_a_duplicate(self, reporting: Reporting) -> None:
        reporting.record(self.restored())
        reports = [report(WEBHOOK, user_id="alice"), report(INGEST, token="app"), report(API, cost=5)]
        assert statuses(reporting.record(*reports)) == ["duplicate"] * 3
        (row,) = rows(reporting.store, RequestTable)
        assert (row.sources, row.user_id, row.cost_nano) == ("helicone-api,helicone,ingest", "alice", 5)

    def test_what_one_source_reported_live_is_known_under_the_ids_of_the_others_too(self, reporting: Reporting) -> None:
        reporting.record(report(INGEST, token="app", response_id=None))
        assert statuses(reporting.record(self.restored(response_id=None))) == ["duplicate"]
        assert statuses(reporting.record(report(WEBHOOK, cost=4, response_id=None))) == ["duplicate"]
        (row,) = rows(reporting.store, RequestTable)
        assert (row.sources, row.cost_nano) == ("helicone,ingest", 4)

    def test_joins_nothing_and_is_joined(self, reporting: Reporting) -> None:
        reporting.record(report(OTLP))
        reporting.record(self.restored())
        assert len(rows(reporting.store, RequestTable)) == 2
        clear(reporting.store)
        reporting.record(self.restored())
        reporting.record(report(OTLP))
        assert [row.sources for row in rows(reporting.store, RequestTable)] == ["helicone,otlp,ingest"]

    def test_a_purged_body_stays_purged(self, reporting: Reporting) -> None:
        reporting.record(self.restored(request_body=None, body_state=BodyState.PURGED))
        reporting.record(report(API, request_body=b"{}", body_state=BodyState.STORED))
        assert [row.body_state for row in rows(reporting.store, RequestTable)] == ["purged"]
        assert rows(reporting.store, BodyTable) == []

    def test_its_amounts_are_kept_and_decided_anew_only_on_new_grounds(self, reporting: Reporting) -> None:
        kept = self.restored(usage=Usage(prompt=3))
        reporting.record(kept)
        reporting.record(report(INGEST, token="app", user_id="a", usage=Usage(prompt=3)))
        assert rows(reporting.store, RequestTable)[0].cost_nano == 4
        reporting.record(report(API, cost=6))
        assert Usd(rows(reporting.store, RequestTable)[0].cost_nano) == Usd(6)
