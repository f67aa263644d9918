from __future__ import annotations

import gc
import random
import signal
import sqlite3
import subprocess
import sys
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from threading import Thread, current_thread
from typing import Any, NamedTuple

import msgspec
import pytest

from spendtop.domain.errors import CannotWrite
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.pricing.pricer import Pricer, Terms
from spendtop.domain.requests.request import Event, Usage
from spendtop.domain.sources.records import HELICONE_API, INGEST
from spendtop.domain.windows import Calendar
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.services.recording.transaction import Outcome
from spendtop.sources.receivers.helicone import HeliconeReceiver
from spendtop.store.engine import Store
from spendtop.store.tables import BodyTable, QuarantineTable, RequestTable
from tests.conftest import SettableClock
from tests.helicone_captures import captures
from tests.services.conftest import PRICER, limit, request, rows, sums, totals
from tests.waiting import DEADLINE

ROOT = Path(__file__).parents[3]


class Recorded(NamedTuple):
    """What a captured webhook becomes: costs in nano-USD."""

    cost: int | None
    basis: str
    reported: int | None
    computed: int | None
    status: str = "ok"
    body_state: str = "stored"


# Tokens and prices of the captures: gpt-4o 13 in, 17 out at 2.50 and 10.00 USD per million; claude-sonnet-4 13 plain,
# 1024 cached, 12 out at 3.00, 0.30 and 15.00.
TABLE = {
    "openai_chat_success_user_session_props_unicode": Recorded(202_500, "reported", 202_500, 202_500),
    "anthropic_stream_success": Recorded(562_200, "reported", 562_200, 562_200),
    "openai_error_429": Recorded(0, "reported", 0, 0, "error"),
    "dashboard_test_event": None,
    "bodies_missing_not_stored": Recorded(None, "unknown", None, None, body_state="not sent"),
    "include_data_false": Recorded(202_500, "computed", None, 202_500),
    "no_model_metadata_absent": Recorded(None, "unknown", None, None),
    "no_user_id": Recorded(202_500, "reported", 202_500, 202_500),
    "omit_request_and_response": Recorded(202_500, "reported", 202_500, 202_500, body_state="not sent"),
    "openai_stream_with_usage": Recorded(52_500, "reported", 52_500, 52_500),
    "openai_stream_without_usage": Recorded(None, "unknown", -12_500, None),
    "receiver_replied_500_no_retry": Recorded(202_500, "reported", 202_500, 202_500),
}


class Collector:
    """A recorder on a store, and what it answered."""

    def __init__(self, store: Store, slot: int = 0) -> None:
        self.recorded: list[Sequence[Outcome]] = []
        self.commits = 0
        preparer = Preparer(Pricer({}, None, PublishedPrices()), None, keep_bodies=True)
        book = LimitBook([limit()], Calendar(), {})
        self.recorder = Recorder(store, preparer, book, slot, self.recorded.append, self._committed)
        self.recorder.start()

    def _committed(self) -> None:
        self.commits += 1

    def record(self, *events: Event) -> Any:
        answers: SimpleQueue[Any] = SimpleQueue()
        self.recorder.submit(events, answers.put)
        return answers.get(timeout=DEADLINE)


@pytest.fixture
def collector(store: Store) -> Any:
    made = Collector(store)
    yield made
    made.recorder.stop()


def test_the_captured_webhooks_give_exactly_these_costs_bases_and_states(
    store: Store, clock: SettableClock, collector: Collector
) -> None:
    receiver = HeliconeReceiver()
    taken = {name: receiver.parse(capture.raw, clock()) for name, capture in captures().items()}
    statuses = {name: collector.record(event)[0].status for name, event in taken.items()}
    assert statuses == {name: "stored" if expected else "test" for name, expected in TABLE.items()}
    by_id = {row.external_ids: row for row in rows(store, RequestTable)}
    found = {
        name: Recorded(
            row.cost_nano, row.basis, row.reported_cost_nano, row.computed_cost_nano, row.status, row.body_state
        )
        for name, event in taken.items()
        if (row := by_id.get(f'{{"helicone":"{getattr(event, "external_id", "")}"}}')) is not None
    }
    assert found == {name: expected for name, expected in TABLE.items() if expected is not None}
    assert [row.kind for row in rows(store, QuarantineTable)] == ["test"]
    (everything,) = (value for (dimension, _, _), value in totals(store).items() if dimension == "all")
    assert everything[:4] == (11, 5 * 202_500 + 562_200 + 52_500, 3, 1)
    assert totals(store) == sums(store)


def test_what_comes_before_the_prices_is_prepared_by_the_thread_that_loads_them(
    store: Store, clock: SettableClock
) -> None:
    priced_in: list[Thread] = []

    def price(provider: str | None, model: str, terms: Terms, at: int) -> Price:
        priced_in.append(current_thread())
        return Price.of({"input_tokens": Rate.per_million(Decimal(1)), "output_tokens": Rate.per_million(Decimal(1))})

    prices: Future[None] = Future()
    preparer = Preparer(Pricer({}, None, price), None, keep_bodies=True)
    recorder = Recorder(store, preparer, LimitBook([], Calendar(), {}), prices=prices)
    recorder.start()
    answers: SimpleQueue[Any] = SimpleQueue()
    early = request("early", clock(), cost=None, model="m", usage=Usage(prompt=5, completion=5))
    recorder.submit([early], answers.put)
    assert priced_in == []
    loading = Thread(target=prices.set_result, args=[None])
    loading.start()
    assert [outcome.status for outcome in answers.get(timeout=DEADLINE)] == ["stored"]
    assert priced_in == [loading]
    recorder.stop()


def test_the_writer_prepares_what_is_small_together_and_the_submitter_what_would_take_it_long(
    store: Store, clock: SettableClock
) -> None:
    priced_in: list[str] = []

    def price(provider: str | None, model: str, terms: Terms, at: int) -> None:
        priced_in.append(current_thread().name)

    book = LimitBook([], Calendar(), {})
    recorder = Recorder(store, Preparer(Pricer({}, None, price), None, keep_bodies=True), book)
    recorder.start()
    answers: SimpleQueue[Any] = SimpleQueue()
    usage = Usage(prompt=5, completion=5)
    small = request("small", clock(), cost=None, model="m", usage=usage, request_body=b"{}")
    large = msgspec.structs.replace(small, external_id="large", response_body=b'"%b"' % (b"a" * 100_000))
    several = [msgspec.structs.replace(small, external_id=name) for name in ("one", "another")]
    for events in ([small], [large], several):
        recorder.submit(events, answers.put)
        assert [outcome.status for outcome in answers.get(timeout=DEADLINE)] == ["stored"] * len(events)
    assert priced_in == ["writer", *[current_thread().name] * 3]
    recorder.stop()


def test_what_came_before_the_prices_is_not_held_once_it_is_recorded(store: Store, clock: SettableClock) -> None:
    class Events(list[Event]):
        """A list that says when it is gone."""

    prices: Future[None] = Future()
    recorder = Recorder(store, Preparer(PRICER, None, keep_bodies=True), LimitBook([], Calendar(), {}), prices=prices)
    recorder.start()
    answers: SimpleQueue[Any] = SimpleQueue()
    early = Events([request("early", clock(), request_body=b"{}")])
    held = weakref.ref(early)
    recorder.submit(early, answers.put)
    del early
    prices.set_result(None)
    assert [outcome.status for outcome in answers.get(timeout=DEADLINE)] == ["stored"]
    gc.collect()
    assert held() is None
    recorder.stop()


def test_what_waits_for_the_prices_of_a_recorder_that_has_stopped_is_refused(
    store: Store, clock: SettableClock
) -> None:
    prices: Future[None] = Future()
    preparer = Preparer(PRICER, None, keep_bodies=True)
    recorder = Recorder(store, preparer, LimitBook([], Calendar(), {}), prices=prices)
    recorder.start()
    answers: SimpleQueue[Any] = SimpleQueue()
    recorder.submit([request("early", clock())], answers.put)
    recorder.stop()
    prices.set_result(None)
    assert isinstance(answers.get(timeout=DEADLINE), CannotWrite)


def test_captures_that_come_again_are_duplicates(clock: SettableClock, collector: Collector) -> None:
    receiver = HeliconeReceiver()
    events = [receiver.parse(capture.raw, clock()) for capture in captures().values()]
    collector.record(*events)
    again = [outcome.status for outcome in collector.record(*events)]
    assert sorted(again) == ["duplicate"] * 11 + ["test"]


def test_listeners_hear_of_outcomes_after_the_commit(collector: Collector, clock: SettableClock) -> None:
    (outcome,) = collector.record(request(1, clock()))
    collector.recorder.stop()
    assert collector.recorded == [[outcome]]
    assert collector.commits == 1


def test_recording_within_other_work_is_part_of_its_transaction(
    store: Store, collector: Collector, clock: SettableClock
) -> None:
    ready = collector.recorder.prepare([request(1, clock())])

    def records_and_fails(connection: Any) -> None:
        collector.recorder.record_prepared(connection, ready)
        raise ValueError("afterwards")

    with pytest.raises(ValueError, match="afterwards"):
        collector.recorder.run(records_and_fails).result(DEADLINE)
    assert rows(store, RequestTable) == []
    done = collector.recorder.run(lambda connection: collector.recorder.record_prepared(connection, ready))
    assert [outcome.status for outcome in done.result(DEADLINE)] == ["stored"]


def test_ids_go_on_after_those_in_the_store_even_when_the_clock_went_back(
    store: Store, collector: Collector, clock: SettableClock
) -> None:
    (first,) = collector.record(request(1, clock()))
    later = Collector(store)
    (second,) = later.record(request(2, clock() - 10**12))
    later.recorder.stop()
    assert second.id > first.id


def test_two_collectors_that_are_sent_the_same_events_at_once_store_each_once(
    postgres_store: Store, clock: SettableClock
) -> None:
    collectors = [Collector(postgres_store, slot) for slot in (0, 1)]
    answers: SimpleQueue[Any] = SimpleQueue()
    for number in range(150):
        for collector, shift in zip(collectors, (0, 1), strict=True):
            collector.recorder.submit([request(number ^ shift, clock())], answers.put)
    outcomes = [answers.get(timeout=DEADLINE) for _ in range(300)]
    for collector in collectors:
        collector.recorder.stop()
    assert sorted(outcome.status for (outcome,) in outcomes) == ["duplicate"] * 150 + ["stored"] * 150
    assert len({outcome.id for (outcome,) in outcomes}) == 150
    assert totals(postgres_store) == sums(postgres_store, {})


def test_two_collectors_that_hear_of_one_request_from_two_sources_at_once_keep_one_record(
    postgres_store: Store, clock: SettableClock
) -> None:
    collectors = [Collector(postgres_store, slot) for slot in (0, 1)]
    answers: SimpleQueue[Any] = SimpleQueue()
    for number in range(150):
        reports = [
            request(number, clock(), 2, response_id=f"r-{number}", model="m"),
            request(number, clock(), 1, response_id=f"r-{number}", model="m", source=INGEST),
        ]
        for collector, report in zip(collectors, reports if number % 2 else reports[::-1], strict=True):
            collector.recorder.submit([report], answers.put)
    outcomes = [answers.get(timeout=DEADLINE) for _ in range(300)]
    for collector in collectors:
        collector.recorder.stop()
    assert {outcome.status for (outcome,) in outcomes} == {"stored"}
    assert [(row.sources, row.cost_nano) for row in rows(postgres_store, RequestTable)] == [
        ("helicone,ingest", 2)
    ] * 150
    assert totals(postgres_store) == sums(postgres_store)


def test_two_collectors_that_correct_one_request_at_once_keep_the_totals_right(
    postgres_store: Store, clock: SettableClock
) -> None:
    collectors = [Collector(postgres_store, slot) for slot in (0, 1)]
    collectors[0].record(*(request(number, clock(), source=HELICONE_API) for number in range(5)))
    answers: SimpleQueue[Any] = SimpleQueue()
    for cost in range(1, 61):
        for collector in collectors:
            correction = request(cost % 5, clock(), cost, source=HELICONE_API)
            collector.recorder.submit([correction], answers.put)
    outcomes = [answers.get(timeout=DEADLINE) for _ in range(120)]
    for collector in collectors:
        collector.recorder.stop()
    assert {outcome.status for (outcome,) in outcomes} == {"duplicate"}
    assert totals(postgres_store) == sums(postgres_store)


def _killed_after(path: Path, first: int, acknowledged: int) -> list[int]:
    """Numbers that a recording process acknowledged before it was killed."""
    command = [sys.executable, "-m", "tests.services.recording_process", str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        heard = [int(process.stdout.readline()) for _ in range(acknowledged)]
        process.send_signal(signal.SIGKILL)
        heard += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    return heard


def _assert_kept(path: Path, acknowledged: list[int]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    store = Store(f"sqlite:///{path}")
    stored = [int(row.external_ids.split("id-")[1].rstrip('"}')) for row in rows(store, RequestTable)]
    assert len(stored) == len(set(stored)) == len(rows(store, BodyTable))
    assert set(acknowledged) <= set(stored)
    assert totals(store) == sums(store)
    store.close()


def test_what_was_acknowledged_before_a_kill_is_stored_exactly_once(tmp_path: Path) -> None:
    path = tmp_path / "spendtop.db"
    acknowledged = _killed_after(path, 0, 150)
    # The next process begins with what the first one may or may not have stored.
    acknowledged += _killed_after(path, max(acknowledged) - 40, 150)
    assert len(set(acknowledged)) >= 250
    _assert_kept(path, acknowledged)


@pytest.mark.soak
def test_what_was_acknowledged_before_twenty_kills_is_stored_exactly_once(tmp_path: Path) -> None:
    path, dice, acknowledged = tmp_path / "spendtop.db", random.Random(20), [0]
    for _ in range(20):
        acknowledged += _killed_after(path, max(acknowledged) - 50, dice.randrange(1_000, 3_000))
        _assert_kept(path, acknowledged)
