"""Runs that price stored requests anew: what they change, what they leave, and taking them back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.errors import UsageError
from spendtop.domain.limits.limit import Each
from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price
from spendtop.domain.requests.request import Cost, Quantities, Request, Status, Usage
from spendtop.domain.sources.records import HELICONE, HELICONE_API, INGEST
from spendtop.services.repricing import repricing
from spendtop.services.repricing.current_costs import PAGE
from spendtop.services.retention import RetentionPeriods, forget_some
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import (
    BodyTable,
    LimitMarkTable,
    RepriceChangeTable,
    RequestTable,
    RevisionTable,
    TotalTable,
)
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, Counts, clear, limit, rows, said, sums, totals
from tests.services.recording.test_transaction import FEW
from tests.services.repricing_shop import Shop, answer, call, forget_usage, price

CEILING = price(50)
LIMITS = (
    limit("all"),
    limit("not mini", where="-model:gpt-4o-mini"),
    limit("by model", where="user:alice", each=Each.MODEL),
    limit("reserved", reserve="gpt-4o"),
    limit("one", window="request", usd=1),
)


def _ceiling(one: Request) -> int | None:
    usage = one.usage
    return None if usage.prompt is None or usage.completion is None else 50 * (usage.prompt + usage.completion)


OWN: dict[str, Counts] = {
    LIMITS[1].dimension: lambda one: None if one.model == "gpt-4o-mini" else ("", None),
    LIMITS[2].dimension: lambda one: (one.model, None) if one.user_id == "alice" and one.model else None,
    LIMITS[3].dimension: lambda one: ("", _ceiling(one)),
}


@pytest.fixture
def shop(store: Store, clock: SettableClock) -> Shop:
    return Shop(store, clock, *LIMITS, reserves={"reserved": CEILING})


def costs(store: Store) -> dict[str, int | None]:
    """By model; one request of each."""
    return {row.model: row.cost_nano for row in rows(store, RequestTable)}


def state(store: Store) -> list[list[tuple[Any, ...]]]:
    """Every column of all that a run may touch, but what it keeps about itself."""
    return [[tuple(row) for row in rows(store, table)] for table in (RequestTable, BodyTable, LimitMarkTable)]


def check_totals(store: Store) -> None:
    assert totals(store) == sums(store, OWN)


def test_computed_partial_and_unknown_costs_become_what_they_are_now(shop: Shop, store: Store) -> None:
    now = shop.clock()
    shop.record(
        call(1, now, model="gpt-4o", user_id="alice", session_id="s-1"),
        call(2, now, model="no-price"),
        call(3, now, model="partly", usage=Usage(prompt=1_000, completion=0, units={"web_searches": 2})),
    )
    shop.prices({"partly": price(1), "gpt-4o": price(2)})
    shop.reprice("model:partly")
    assert costs(store) == {"gpt-4o": 2_000, "no-price": None, "partly": 1_000}
    shop.prices({"gpt-4o": price(3, "new"), "no-price": price(5), "partly": price(7, "own", "web_searches")})
    run = shop.reprice()
    assert costs(store) == {"gpt-4o": 3_000, "no-price": 5_000, "partly": 7_000 + 2 * 10**7}
    assert (run.state, run.looked_at, run.changed) == ("done", 3, 3)
    assert (run.before.nano, run.after.nano) == (3_000, 15_000 + 2 * 10**7)
    assert (run.unpriced_before, run.unpriced_after) == (2, 0)
    assert (run.versions, run.version) == (("own",), "new")
    check_totals(store)
    assert sum(row.unpriced for row in rows(store, TotalTable)) == 0


def test_what_somebody_reported_stays(shop: Shop, store: Store) -> None:
    shop.record(call(1, shop.clock(), cost=Cost(reported=Usd(DOLLAR))), call(2, shop.clock(), cached=True, model="m"))
    before = state(store)
    shop.prices({"gpt-4o": price(9), "m": price(9)})
    run = shop.reprice()
    assert (run.looked_at, run.changed) == (0, 0)
    assert state(store) == before


def test_a_zero_that_a_gateway_reported_is_no_cost_and_priced(shop: Shop, store: Store) -> None:
    shop.prices({})
    shop.record(call(1, shop.clock(), cost=Cost(reported=Usd(0))))
    shop.prices({"gpt-4o": price(2)})
    assert shop.reprice().changed == 1
    (row,) = rows(store, RequestTable)
    assert (row.cost_nano, row.basis, row.reported_cost_nano) == (2_000, "computed", 0)


def test_every_change_leaves_a_revision_and_what_takes_it_back(shop: Shop, store: Store) -> None:
    (stored,) = shop.record(call(1, shop.clock()))
    shop.prices({"gpt-4o": price(3, "new")})
    shop.clock.advance(HOUR)
    run = shop.reprice()
    (revision,) = rows(store, RevisionTable)
    assert (revision.request_id, revision.at, revision.source) == (stored.id, shop.clock(), f"reprice {run.id}")
    assert msgspec.json.decode(revision.changes) == {"cost_nano": [2_000, 3_000]}
    (change,) = rows(store, RepriceChangeTable)
    assert msgspec.msgpack.decode(change.before) == {
        "cost_nano": 2_000,
        "computed_cost_nano": 2_000,
        "price_version": "own",
    }
    assert msgspec.msgpack.decode(change.after)["price_version"] == "new"


def test_nothing_to_do_is_a_run_that_changed_nothing(shop: Shop, store: Store) -> None:
    shop.record(call(1, shop.clock()))
    before = state(store)
    run = shop.reprice()
    assert (run.state, run.looked_at, run.changed, run.cursor is None) == ("done", 1, 0, False)
    assert repricing.outcome(run) == "Requests looked at: 1; every cost is what the prices of now make of it."
    assert (state(store), rows(store, RevisionTable), rows(store, RepriceChangeTable)) == (before, [], [])


def test_another_list_with_the_same_price_changes_nothing(shop: Shop) -> None:
    shop.record(call(1, shop.clock()))
    shop.prices({"gpt-4o": price(2, "another")})
    assert shop.reprice().changed == 0


def test_only_what_the_filter_and_the_span_select(shop: Shop, store: Store) -> None:
    now = shop.clock()
    models = ("early", "other", "late", "gpt-4o")
    shop.prices({model: price(2) for model in models})
    for number, (model, ago) in enumerate(zip(models, (3, 2, 0, 2), strict=True)):
        shop.record(call(number, now - ago * HOUR, model=model, user_id="bob" if model == "other" else "alice"))
    shop.prices({model: price(3) for model in models})
    run = shop.reprice("user:alice", since=now - 2 * HOUR, until=now)
    assert costs(store) == {"early": 2_000, "other": 2_000, "late": 2_000, "gpt-4o": 3_000}
    assert (run.filter, run.since, run.until, run.asked_by) == ("user:alice", now - 2 * HOUR, now, "ann")
    check_totals(store)


def test_a_span_in_the_filter_stays_where_it_was_when_the_run_began(shop: Shop, store: Store) -> None:
    now = shop.clock()
    shop.record(*(call(number, now - HOUR + number) for number in range(PAGE + 1)))
    shop.prices({"gpt-4o": price(3)})
    run_id = shop.begin(text="time:-90m")
    shop.step(run_id)
    shop.clock.advance(DAY)
    assert shop.go_on(run_id).changed == PAGE + 1


@pytest.mark.parametrize("words", ["~unpriced", "cost:<0.0000025"])
def test_a_filter_on_what_the_run_itself_changes(shop: Shop, store: Store, words: str) -> None:
    shop.prices({"gpt-4o": price(2)} if words.startswith("cost") else {})
    shop.record(*(call(number, shop.clock() - number) for number in range(PAGE + 5)))
    shop.prices({"gpt-4o": price(3)})
    assert shop.reprice(words).changed == PAGE + 5
    check_totals(store)


def test_shadow_requests_are_priced_and_counted_nowhere(shop: Shop, store: Store) -> None:
    shop.record(call(1, shop.clock(), source=INGEST, token="app", counted=False))
    shop.prices({"gpt-4o": price(3)})
    run = shop.reprice()
    assert costs(store) == {"gpt-4o": 3_000}
    assert (run.changed, run.before.nano, run.after.nano) == (1, 0, 0)
    assert totals(store) == {}
    assert {row.cost_nano for row in rows(store, TotalTable)} <= {2_000, 1_000, 3_000}
    assert sum(row.cost_nano for row in rows(store, TotalTable)) == 3_000
    comparison = shop.compare()
    assert (comparison.looked_at, comparison.whole.requests) == (1, 0)


# Limits


def test_only_windows_that_are_still_open_speak(store: Store, clock: SettableClock) -> None:
    speaking = (
        limit("daily", "day", usd=5, warn=()),
        limit("one", "request", usd=5),
        limit("ever", "lifetime", usd=9, warn=()),
    )
    shop = Shop(store, clock, *speaking)
    evaluate = shop.collecting.evaluate
    shop.record(call(1, clock() - DAY, prompt=10**9), call(2, clock(), prompt=10**9))
    assert said(evaluate()) == []
    shop.prices({"gpt-4o": price(8)})
    shop.reprice(until=clock() - HOUR)
    assert said(evaluate()) == ["exceeded ever"]
    shop.reprice()
    assert said(evaluate()) == ["exceeded daily"]
    assert len(shop.collecting.alerts()) == 2


# Interruptions


def test_a_run_goes_on_where_it_was_and_corrects_nothing_twice(shop: Shop, store: Store) -> None:
    shop.record(*(call(number, shop.clock() - number) for number in range(2 * PAGE + 7)))
    shop.prices({"gpt-4o": price(3)})
    run_id = shop.begin()
    first = shop.step(run_id)
    assert (first.state, first.looked_at, first.changed) == ("running", PAGE, PAGE)
    check_totals(store)
    run = shop.go_on(run_id)
    assert (run.state, run.looked_at, run.changed) == ("done", 2 * PAGE + 7, 2 * PAGE + 7)
    assert len(rows(store, RevisionTable)) == 2 * PAGE + 7
    assert shop.step(run_id) == run
    check_totals(store)


def test_two_that_work_on_one_run_do_every_page_once(shop: Shop, store: Store) -> None:
    shop.record(*(call(number, shop.clock() - number) for number in range(PAGE + 7)))
    shop.prices({"gpt-4o": price(3)})
    run_id = shop.begin()
    assert shop.step(run_id, meanwhile=lambda: shop.step(run_id)).changed == PAGE
    assert shop.step(run_id, meanwhile=lambda: shop.step(run_id)).changed == PAGE + 7
    assert len(rows(store, RevisionTable)) == PAGE + 7
    check_totals(store)


def test_a_run_is_interrupted_once_its_process_is_gone(shop: Shop, store: Store) -> None:
    run_id = shop.begin()

    def interrupted(at: int) -> bool:
        with store.reading() as connection:
            return repricing.run_of(connection, run_id).is_interrupted(at)

    def worked_on_by(worker: str | None) -> None:
        with store.writing() as connection:
            connection.exec_driver_sql(f"UPDATE reprice SET worker = '{worker}'")

    now = shop.clock()
    assert not interrupted(now + DAY)
    with store.writing() as connection:
        repricing.leave(connection, run_id)
    assert interrupted(now)
    worked_on_by("another host 17 123")
    assert (interrupted(now + 1), interrupted(now + HOUR)) == (False, True)
    shop.go_on(run_id)
    assert not interrupted(now + DAY)


def test_what_a_source_corrects_between_reading_and_writing_is_not_lost(shop: Shop, store: Store) -> None:
    now = shop.clock()
    shop.record(*(call(number, now, model=f"m-{number}") for number in range(4)))
    shop.prices({f"m-{number}": price(3) for number in range(4)})

    def meanwhile() -> None:
        reported = call(1, now, model="m-1", source=HELICONE_API, cost=Cost(reported=Usd(DOLLAR)))
        more = call(2, now, model="m-2", prompt=5_000, source=HELICONE_API)
        shop.record(reported, more)
        with store.writing() as connection:
            connection.execute(delete(table_of(RequestTable)).where(table_of(RequestTable).c.model == "m-3"))

    run = shop.step(shop.begin(), meanwhile)
    assert costs(store) == {"m-0": 3_000, "m-1": DOLLAR, "m-2": 15_000}
    assert (run.looked_at, run.changed) == (4, 1)


def test_a_request_that_got_a_name_meanwhile_is_still_priced(shop: Shop, store: Store) -> None:
    now = shop.clock()
    shop.record(call(1, now))
    shop.prices({"gpt-4o": price(3)})
    named = call(1, now, source=HELICONE_API, user_id="alice")
    run = shop.step(shop.begin(), lambda: shop.record(named))
    (row,) = rows(store, RequestTable)
    assert (run.changed, row.user_id, row.cost_nano) == (1, "alice", 3_000)
    check_totals(store)


# Taking back


def test_taking_back_makes_every_column_and_total_what_it_was(shop: Shop, store: Store) -> None:
    now = shop.clock()
    body = answer(prompt_tokens=400, completion_tokens=100, service_tier="flex")
    shop.record(
        *(call(number, now - number * MINUTE, user_id="alice") for number in range(PAGE + 3)),
        call("unknown", now, model="no-price", properties={"b": "1", "a": "ü"}),
        call("old", now, usage=Usage(), response_body=body),
        call("shadow", now, source=INGEST, counted=False, token="app"),
    )
    forget_usage(store)
    shop.collecting.evaluate()
    before, totals_before = state(store), totals(store)
    shop.prices({"gpt-4o": price(3), "no-price": price(1)})
    run = shop.reprice()
    assert run.changed == PAGE + 6
    assert state(store) != before
    shop.collecting.evaluate()
    undone = shop.undo(run.id)
    shop.collecting.evaluate()
    assert (undone.state, undone.undone_by, undone.restored, undone.skipped) == ("undone", "bob", PAGE + 6, 0)
    assert (state(store), totals(store)) == (before, totals_before)
    assert rows(store, RepriceChangeTable) == []
    assert [row.source for row in rows(store, RevisionTable)][-1] == f"reprice {run.id} undone"
    check_totals(store)


def test_taking_back_that_was_interrupted_goes_on(shop: Shop, store: Store) -> None:
    shop.record(*(call(number, shop.clock() - number) for number in range(PAGE + 3)))
    before = state(store)[0]
    shop.prices({"gpt-4o": price(3)})
    run = shop.reprice()
    half = shop.undo_step(run.id)
    assert (half.state, half.restored) == ("undoing", PAGE)
    check_totals(store)
    with pytest.raises(UsageError, match="is being taken back"):
        shop.step(run.id)
    assert shop.undo(run.id).state == "undone"
    assert shop.undo_step(run.id).restored == PAGE + 3
    assert state(store)[0] == before


def test_a_run_that_is_not_over_can_be_taken_back_and_ends_by_that(shop: Shop, store: Store) -> None:
    shop.record(*(call(number, shop.clock() - number) for number in range(2 * PAGE)))
    before = state(store)[0]
    shop.prices({"gpt-4o": price(3)})
    run_id = shop.begin()
    shop.step(run_id)
    shop.undo(run_id)
    assert state(store)[0] == before
    assert shop.step(run_id).state == "undone"


@pytest.mark.parametrize(
    "later",
    [
        {"usage": Usage(prompt=5_000, completion=0)},
        {"status": Status.ERROR},
        {"cost": Cost(reported=Usd(3_000))},
    ],
)
def test_what_a_source_changed_since_is_left_alone_and_counted(shop: Shop, store: Store, later: dict[str, Any]) -> None:
    shop.record(call(1, shop.clock()), call(2, shop.clock(), model="other"))
    shop.prices({"gpt-4o": price(3), "other": price(3)})
    run = shop.reprice()
    shop.record(call(1, shop.clock(), source=HELICONE_API, **later))
    changed = costs(store)["gpt-4o"]
    undone = shop.undo(run.id)
    assert (undone.restored, undone.skipped) == (1, 1)
    assert costs(store) == {"gpt-4o": changed, "other": None}
    assert "1 left alone" in repricing.outcome(undone)
    check_totals(store)


def test_what_a_source_said_besides_does_not_keep_a_cost(shop: Shop, store: Store) -> None:
    shop.record(call(1, shop.clock()))
    shop.prices({"gpt-4o": price(3)})
    run = shop.reprice()
    shop.record(call(1, shop.clock(), source=HELICONE_API, user_id="alice", verified=True))
    assert shop.undo(run.id).skipped == 0
    (row,) = rows(store, RequestTable)
    assert (row.cost_nano, row.user_id, row.verified) == (2_000, "alice", True)
    check_totals(store)


def test_a_later_run_keeps_its_costs_when_the_earlier_one_is_taken_back(shop: Shop, store: Store) -> None:
    shop.record(call(1, shop.clock()), call(2, shop.clock(), model="other"))
    before = state(store)[0]
    shop.prices({"gpt-4o": price(3), "other": price(3)})
    first = shop.reprice()
    shop.prices({"gpt-4o": price(4), "other": price(3)})
    second = shop.reprice()
    assert (first.changed, second.changed) == (2, 1)
    undone = shop.undo(first.id)
    assert (undone.restored, undone.skipped) == (1, 1)
    assert costs(store) == {"gpt-4o": 4_000, "other": None}
    check_totals(store)
    shop.undo(second.id)
    assert costs(store) == {"gpt-4o": 3_000, "other": None}
    assert state(store)[0] != before


def test_runs_that_are_taken_back_in_turn_leave_nothing(shop: Shop, store: Store) -> None:
    shop.record(call(1, shop.clock()))
    before = state(store)[0]
    ids = []
    for nano in (3, 4, 5):
        shop.prices({"gpt-4o": price(nano)})
        ids.append(shop.reprice().id)
    for run_id in reversed(ids):
        assert shop.undo(run_id).skipped == 0
    assert state(store)[0] == before
    check_totals(store)


def test_what_retention_deleted_stays_deleted(shop: Shop, store: Store) -> None:
    now = shop.clock()
    shop.record(call(1, now - 70 * DAY, received_at=now - 70 * DAY), call(2, now))
    shop.prices({"gpt-4o": price(3)})
    run = shop.reprice()
    with store.writing() as connection:
        assert not forget_some(connection, RetentionPeriods(bodies=30 * DAY, requests=30 * DAY), now)
    assert len(rows(store, RepriceChangeTable)) == 1
    undone = shop.undo(run.id)
    assert (undone.restored, undone.skipped) == (1, 0)
    assert [row.cost_nano for row in rows(store, RequestTable)] == [2_000]


@pytest.mark.parametrize("run_id", [0, -3, 17, 2**31, 2**70])
def test_a_run_that_is_not_there_is_a_sentence(shop: Shop, store: Store, run_id: int) -> None:
    with store.reading() as connection, pytest.raises(UsageError, match="reprice list"):
        repricing.run_of(connection, run_id)


def test_what_is_over_can_neither_be_gone_on_with_nor_taken_back_twice(shop: Shop, store: Store) -> None:
    run = shop.reprice()
    with store.reading() as connection:
        with pytest.raises(UsageError, match="is done"):
            repricing.resumable(connection, run.id)
        assert repricing.undoable(connection, run.id) == run
    shop.undo(run.id)
    with store.reading() as connection:
        with pytest.raises(UsageError, match="was taken back already, by bob"):
            repricing.undoable(connection, run.id)
        with pytest.raises(UsageError, match="was taken back"):
            repricing.resumable(connection, run.id)
        assert [each.id for each in repricing.runs(connection)] == [run.id]


# Any store, any prices

MODELS = (None, "gpt-4o", "gpt-4o-mini", "partly")
instants = st.integers(1_795_000_000_000_000, 1_795_000_000_000_000 + 3 * DAY)
counts = st.none() | st.integers(0, 9_000)


@st.composite
def calls(draw: st.DrawFn) -> Request:
    reported = draw(st.sampled_from([None, None, None, 0, 5_000]))
    web: Quantities = {"web_searches": 2}
    units = draw(st.sampled_from([None, None, web]))
    return call(
        draw(st.integers(0, 30)),
        draw(instants),
        usage=Usage(prompt=draw(counts), completion=draw(counts), units=units),
        cost=Cost(reported=None if reported is None else Usd(reported)),
        source=draw(st.sampled_from([HELICONE, HELICONE_API, INGEST])),
        model=draw(st.sampled_from(MODELS)),
        user_id=draw(st.sampled_from([None, "alice", "bob"])),
        session_id=draw(st.sampled_from([None, "s-1"])),
        token=draw(st.sampled_from([None, "app"])),
        status=draw(st.sampled_from([Status.OK, Status.OK, Status.ERROR, Status.CANCELLED])),
        cached=draw(st.sampled_from([False, False, True])),
        counted=draw(st.sampled_from([True, True, False])),
        response_body=draw(st.sampled_from([None, answer(prompt_tokens=7, completion_tokens=3)])),
    )


units_priced = st.sampled_from([(), ("web_searches",)])
price_lists: st.SearchStrategy[dict[str, Price]] = st.dictionaries(
    st.sampled_from([model for model in MODELS if model]),
    st.builds(lambda nano, units: price(nano, f"list {nano}", *units), st.integers(0, 9), units_priced),
)
spans = st.tuples(st.none() | instants, st.none() | instants)


@FEW
@given(
    reports=st.lists(calls(), max_size=15),
    first=price_lists,
    later=st.lists(st.tuples(price_lists, spans, st.sampled_from(["", "user:alice", "~unpriced"])), max_size=3),
)
def test_pricing_anew_and_taking_back_in_turn_changes_nothing(
    store: Store,
    clock: SettableClock,
    reports: list[Request],
    first: dict[str, Price],
    later: list[tuple[dict[str, Price], tuple[int | None, int | None], str]],
) -> None:
    clear(store)
    shop = Shop(store, clock, *LIMITS, reserves={"reserved": CEILING})
    shop.prices(first)
    for report in reports:
        shop.record(report)
    pictures, ids = [(state(store)[:2], totals(store))], []
    for prices, (since, until), text in later:
        shop.prices(prices)
        if not text and since is until is None:
            compared = shop.compare().whole
            run = shop.reprice()
            assert (compared.before, compared.after) == (run.before, run.after)
            assert shop.compare().whole.requests == 0
        else:
            run = shop.reprice(text, since, until)
        check_totals(store)
        pictures.append((state(store)[:2], totals(store)))
        ids.append(run.id)
    for run_id in reversed(ids):
        assert (state(store)[:2], totals(store)) == pictures.pop()
        assert shop.undo(run_id).skipped == 0
    assert (state(store)[:2], totals(store)) == pictures.pop()
    check_totals(store)
