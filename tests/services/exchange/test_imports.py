from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from spendtop.domain.clock import DAY, HOUR, SECOND
from spendtop.domain.errors import CannotWrite
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import (
    Basis,
    Billing,
    BodyState,
    Cost,
    Request,
    Restored,
    Status,
    TimeSource,
    Usage,
)
from spendtop.domain.sources.records import HELICONE_API, INGEST, LITELLM, OTLP, by_trust
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.export import FORMATS, pages
from spendtop.services.exchange.imports import GROUP, Tally, record, rehearse
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.services.recording.totals import ASSUMED_REPEATS, JOINED, REPEATS
from spendtop.services.recording.transaction import Outcome
from spendtop.sources.files import Format
from spendtop.sources.files.reading import READERS, format_of
from spendtop.store.engine import Store
from spendtop.store.ids import COMMAND_SLOT
from spendtop.store.reads.requests.lists import RequestQuery
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.grown_costs import LOWERED
from spendtop.store.tables import RequestKeyTable, RequestTable, TotalTable
from tests.conftest import SettableClock
from tests.services.conftest import clear, request, rows, sums, totals
from tests.services.recording.test_plan_calls import call
from tests.waiting import DEADLINE

OWN = Price.of({"input_tokens": Rate(1_000_000), "output_tokens": Rate(3_000_000)})
PREPARER = Preparer(Pricer({"own-model": OWN}, None, lambda provider, model, terms, at: None), None, keep_bodies=True)
NASTY = (
    "=1+1", "+x", "-1", "@x", "\t=x", " =x", "＝x", "'=x", "''", "'", 'a"b', "a\r\nb,c;d", "nul\0", "\\u001b",
    "esc\x1b[2J", "null", "true", "1e5", "0123", " space ", "é😀", "\ufeffbom", "[1]", "{}", "\ud800",
)  # fmt: skip
"""Names that CSV, spreadsheets and readers of numbers may mistake."""


def varied(at: int) -> list[Request]:
    """Requests of all sources, in all states; some are reports of one request."""
    fields: list[dict[str, Any]] = [
        {"usage": Usage(prompt=1000, completion=500, cache_read=100, cache_write=50, reasoning=20)},
        {"usage": Usage()},
        {"cost": Cost(reported=Usd(0)), "usage": Usage(prompt=5, completion=0)},
        {"cost": Cost(reported=Usd(-12_500)), "usage": Usage(prompt=1)},
        {"cost": Cost(reported=Usd(1)), "model": "own-model", "usage": Usage(prompt=7, completion=3)},
        {"cost": Cost(), "model": "own-model", "usage": Usage(prompt=10_000_000, completion=9_000_000_000)},
        {"cached": True, "usage": Usage(prompt=9, completion=9)},
        {"status": Status.ERROR, "http_status": 429, "cost": Cost(reported=Usd(0))},
        {"status": Status.CANCELLED, "latency_ms": 0, "ttft_ms": 2**40},
        {"time_source": TimeSource.RECEIVED, "time_suspect": True},
        {"request_body": b'{"messages":[]}', "response_body": b"{}", "body_state": BodyState.STORED},
        {"body_state": BodyState.TRUNCATED, "properties": {"env": "prod", "=k": "-1"}},
        {"user_id": "", "session_id": "", "properties": {}},
        *({"user_id": name, "session_id": name, "model": name, "properties": {name: name}} for name in NASTY),
    ]
    found = [request(number, at - number * HOUR, received_at=at, **each) for number, each in enumerate(fields)]
    for number, source in enumerate(by_trust()):
        token = f"token-{number}" if source is INGEST else None
        found.append(request(f"{source}-1", at, source=source, token=token, provider="openai"))
        found.append(request(f"{source}-2", at - DAY, source=source, verified=source is HELICONE_API))
    found.append(request("shadow", at, source=INGEST, token="shadow", counted=False))
    found.append(request("same id", at, source=INGEST, token="one", content=b"1"))
    found.append(request("same id", at, source=INGEST, token="two", content=b"2"))
    for source, user in ((OTLP, None), (LITELLM, "lisa"), (INGEST, "ida")):
        joined = {"source": source, "response_id": "chatcmpl-1", "user_id": user, "model": "gpt-4o"}
        found.append(request(f"joined-{source}", at - SECOND, 7, **joined))
    return found


def recording_of(store: Store) -> Recorder:
    return Recorder(store, PREPARER, LimitBook([], Calendar(), {}), COMMAND_SLOT)


def recorded(store: Store, events: list[Request] | list[Restored]) -> Tally:
    recorder, tally = recording_of(store), Tally()
    recorder.start()
    record(recorder, events, tally, lambda: None)
    recorder.stop(DEADLINE)
    return tally


def exported(store: Store, held: Format, now: int) -> list[bytes]:
    chunks = FORMATS[held](pages(store, RequestQuery(), FilterContext(now, Calendar())))
    return b"".join(chunks).splitlines(keepends=True)


def restored(lines: list[bytes], held: Format, now: int) -> list[Restored]:
    found = list(READERS[held](lines, now))
    assert [each for each in found if not isinstance(each, Restored)] == []
    return [each for each in found if isinstance(each, Restored)]


def all_totals(store: Store) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Every total over all shards, but for what no request carries: repeated reports, and what costs once were."""
    found: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(spend_sql.NAMES))
    for row in rows(store, TotalTable):
        if row.dimension not in (REPEATS, ASSUMED_REPEATS, JOINED, *LOWERED.values()):
            key = (row.dimension, row.key, row.bucket)
            found[key] = [a + b for a, b in zip(found[key], tuple(row)[4:], strict=True)]
    return {key: tuple(values) for key, values in found.items() if any(values)}


def all_requests(store: Store) -> list[dict[str, Any]]:
    """Every request but for our own id; the bodies are no part of an export, nor who gave which field."""
    found = []
    for row in rows(store, RequestTable):
        values = dict(row._mapping)
        del values["id"], values["given_by"]
        values["external_ids"] = msgspec.json.decode(values["external_ids"])
        values["properties"] = msgspec.json.decode(values["properties"] or "{}")
        if values["body_state"] == BodyState.STORED.value:
            values["body_state"] = BodyState.NOT_KEPT.value
        found.append(values)
    return sorted(found, key=lambda each: [*sorted(each["external_ids"].items()), each["token"] or ""])


@pytest.mark.parametrize("held", [Format.CSV, Format.JSONL])
def test_an_export_imported_into_an_empty_store_is_the_same_requests_and_totals(
    store: Store, clock: SettableClock, held: Format
) -> None:
    recorded(store, varied(clock()))
    requests, sums_before, keys = all_requests(store), all_totals(store), len(rows(store, RequestKeyTable))
    assert any(len(each["external_ids"]) == 3 for each in requests)
    lines = exported(store, held, clock())
    assert format_of(lines[0]) is held

    clear(store)
    tally = recorded(store, restored(lines, held, clock()))

    assert (tally.stored, tally.duplicates, tally.joined, tally.refused) == (len(requests), 0, 0, 0)
    assert all_requests(store) == requests
    assert all_totals(store) == sums_before
    assert totals(store) == sums(store)
    assert len(rows(store, RequestKeyTable)) == keys


def test_an_import_can_be_repeated_and_later_reports_are_still_the_same_requests(
    store: Store, clock: SettableClock
) -> None:
    reports = varied(clock())
    recorded(store, reports)
    lines = exported(store, Format.JSONL, clock())
    clear(store)
    recorded(store, restored(lines, Format.JSONL, clock()))
    before = all_totals(store)

    again = recorded(store, restored(lines, Format.JSONL, clock()))
    reported = recorded(store, reports)

    assert (again.stored, again.duplicates) == (0, len(lines))
    assert (reported.stored, reported.joined) == (0, 0)
    assert all_totals(store) == before


def test_nothing_is_priced_anew(store: Store, clock: SettableClock) -> None:
    wrong = Cost(amount=Usd(42), basis=Basis.COMPUTED, computed=Usd(42), price_version="old")
    one = request(1, clock(), model="own-model", usage=Usage(prompt=1, completion=1))
    recorded(store, [Restored(request=msgspec.structs.replace(one, cost=wrong), external_ids={"helicone": "id-1"})])
    (row,) = rows(store, RequestTable)
    assert (row.cost_nano, row.basis, row.computed_cost_nano, row.price_version) == (42, "computed", 42, "old")


def test_the_tally_tells_costs_and_the_earliest_arrival_of_what_is_new(store: Store, clock: SettableClock) -> None:
    recorded(store, [request("known", clock() - DAY)])
    tally = recorded(store, [request("known", clock()), request(1, clock(), 5), request(2, clock(), None)])
    assert (tally.taken, tally.stored, tally.duplicates) == (3, 2, 1)
    assert (tally.cost, tally.unpriced, tally.arrived) == (Usd(5), 1, clock())


def test_what_is_under_a_plan_is_not_unpriced() -> None:
    tally = Tally()
    tally.add(call(), 0)
    tally.add(call(billing=Billing.API, counted=True), 0)
    assert (tally.stored, tally.unpriced) == (2, 1)


def test_a_dry_run_counts_the_same_and_writes_nothing(store: Store, clock: SettableClock) -> None:
    reports = [request(number, clock(), number) for number in range(10)]
    recorded(store, reports[:4])
    before = rows(store, RequestTable)
    tally = Tally()
    rehearse(store, PREPARER, reports, tally, lambda: None)
    assert (tally.stored, tally.duplicates, tally.cost) == (6, 4, Usd(sum(range(4, 10))))
    assert rows(store, RequestTable) == before


def test_without_a_store_all_is_new(clock: SettableClock) -> None:
    tally = Tally()
    rehearse(None, PREPARER, [request(1, clock()), request(2, clock())], tally, lambda: None)
    assert tally.stored == 2


def test_a_partial_cost_counts_with_its_known_part_and_as_unpriced(clock: SettableClock) -> None:
    tally = Tally()
    partial = Cost(amount=Usd(7), basis=Basis.COMPUTED, unpriced_units={"web_searches": 2})
    for cost in (partial, Cost(), Cost(amount=Usd(1), basis=Basis.REPORTED)):
        tally.add(replace(request(1, clock()), cost=cost), clock())
    assert (tally.stored, tally.cost, tally.unpriced) == (3, Usd(8), 2)


class Answering:
    """A recorder that answers as it is told."""

    def __init__(self, answer: Callable[[list[Request]], list[Outcome] | Exception]) -> None:
        self._answer = answer
        self.groups: list[int] = []

    def submit(self, events: list[Request], done: Callable[[Any], None], patience: float) -> None:
        self.groups.append(len(events))
        done(self._answer(events))


def stored(events: list[Request]) -> list[Outcome]:
    return [Outcome("stored", 64, each) for each in events]


def test_a_group_is_one_commit(clock: SettableClock) -> None:
    recorder, tally, commits = Answering(stored), Tally(), list[int]()
    events = [request(number, clock()) for number in range(2 * GROUP + 1)]
    record(recorder, events, tally, lambda: commits.append(tally.taken))  # type: ignore[arg-type]
    assert recorder.groups == [GROUP, GROUP, 1]
    assert commits == [GROUP, 2 * GROUP, 2 * GROUP + 1]


def test_what_the_database_refuses_fails_alone(clock: SettableClock) -> None:
    def answer(events: list[Request]) -> list[Outcome] | Exception:
        return ValueError("no") if any(each.external_id == "id-3" for each in events) else stored(events)

    tally = Tally()
    events = [request(number, clock()) for number in range(10)]
    record(Answering(answer), events, tally, lambda: None)  # type: ignore[arg-type]
    assert (tally.stored, tally.refused) == (9, 1)


def test_a_store_that_cannot_be_written_ends_the_import(clock: SettableClock) -> None:
    recorder = Answering(lambda events: CannotWrite("The disk is full."))
    with pytest.raises(CannotWrite):
        record(recorder, [request(1, clock())], Tally(), lambda: None)  # type: ignore[arg-type]


def test_an_interrupt_counts_the_group_under_way(clock: SettableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = iter([KeyboardInterrupt, None])
    result = Future.result

    def interrupted(self: Future[Any], timeout: float | None = None) -> Any:
        if next(waits, None) is KeyboardInterrupt:
            raise KeyboardInterrupt
        return result(self, timeout)

    def endless() -> Iterator[Request]:
        number = 0
        while True:
            yield request(number := number + 1, clock())

    monkeypatch.setattr(Future, "result", interrupted)
    tally = Tally()
    with pytest.raises(KeyboardInterrupt):
        record(Answering(stored), endless(), tally, lambda: None)  # type: ignore[arg-type]
    assert tally.stored == GROUP
