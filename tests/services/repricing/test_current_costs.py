"""What stored requests cost now: read from what is kept of them, and compared by day and model."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import delete

from spendtop.domain.clock import DAY
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, Status, Usage
from spendtop.domain.sources.records import INGEST
from spendtop.services.recording.totals import TotalsByDifference
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, RequestTable, RevisionTable, TotalTable
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, rows, sums, totals
from tests.services.repricing_shop import Shop, answer, call, forget_usage, price


@pytest.fixture
def shop(store: Store, clock: SettableClock) -> Shop:
    return Shop(store, clock)


def test_the_usage_of_old_requests_is_read_from_their_bodies(shop: Shop, store: Store) -> None:
    told = answer(prompt_tokens=400, completion_tokens=100, completion_tokens_details={"reasoning_tokens": 60})
    shop.record(call(1, shop.clock(), usage=Usage(), response_body=told))
    forget_usage(store)
    assert rows(store, RequestTable)[0].cost_nano is None
    assert shop.reprice().changed == 1
    (row,) = rows(store, RequestTable)
    assert (row.cost_nano, row.prompt_tokens, row.completion_tokens, row.reasoning_tokens) == (1_000, 400, 100, 60)
    assert row.provider_usage is not None
    assert totals(store) == sums(store)


def test_the_level_that_was_asked_for_and_the_served_model_are_read_from_bodies_too(shop: Shop, store: Store) -> None:
    body = msgspec.json.encode({"model": "gpt-4o", "usage": {"prompt_tokens": 10, "completion_tokens": 0}})
    asked = msgspec.json.encode({"model": "my-deployment", "service_tier": "flex"})
    shop.record(call(1, shop.clock(), model="my-deployment", request_body=asked, response_body=body))
    forget_usage(store)
    assert shop.reprice().changed == 1
    (row,) = rows(store, RequestTable)
    assert (row.cost_nano, row.served_model, row.service_level) == (20, "gpt-4o", "flex")


def test_what_a_client_counted_itself_is_only_completed(shop: Shop, store: Store) -> None:
    body = answer(prompt_tokens=400, completion_tokens=100)
    usage = Usage(prompt=1_000)
    shop.record(call(1, shop.clock(), source=INGEST, usage=usage, response_body=body))
    forget_usage(store)
    shop.reprice()
    (row,) = rows(store, RequestTable)
    assert (row.prompt_tokens, row.completion_tokens, row.cost_nano) == (1_000, 100, 2_200)


@pytest.mark.parametrize("body", [b"not json", b'"\xff"', b"[" * 5_000, b'{"usage": {"prompt_tokens": "many"}}'])
def test_a_body_that_says_nothing_changes_nothing(shop: Shop, body: bytes) -> None:
    shop.record(call(1, shop.clock(), response_body=body))
    assert shop.reprice().changed == 0


def test_a_damaged_body_does_not_end_the_run(shop: Shop, store: Store) -> None:
    shop.record(call(1, shop.clock(), response_body=answer(prompt_tokens=1)), call(2, shop.clock()))
    with store.writing() as connection:
        connection.execute(table_of(BodyTable).update().values(data=b"damaged"))
    shop.prices({"gpt-4o": price(3)})
    assert shop.reprice().changed == 2


@pytest.mark.parametrize(("status", "cost"), [(Status.ERROR, 0), (Status.CANCELLED, None), (Status.OK, None)])
def test_a_failure_without_usage_costs_nothing_and_a_cancelled_call_stays_unpriced(
    shop: Shop, store: Store, status: Status, cost: int | None
) -> None:
    shop.record(call(1, shop.clock(), usage=Usage(), status=status))
    with store.writing() as connection:  # as versions did that did not know this
        connection.execute(
            table_of(RequestTable).update().values(cost_nano=None, computed_cost_nano=None, basis="unknown")
        )
        connection.execute(delete(table_of(TotalTable)))
        before = TotalsByDifference(shop.book)
        before.add(call(1, shop.clock(), usage=Usage(), status=status), 1)
        shop.recording.correct(connection, before, {})
    run = shop.reprice()
    (row,) = rows(store, RequestTable)
    assert row.cost_nano == cost
    assert run.changed == (status is Status.ERROR)
    assert totals(store) == sums(store)


def test_a_difference_is_shown_by_day_and_model_before_anything_changes(shop: Shop, store: Store) -> None:
    now = shop.clock()
    shop.prices({"gpt-4o": price(2), "same": price(2)})
    shop.record(
        call(1, now - DAY),
        call(2, now),
        call(3, now),
        call(4, now, model="new"),
        call(5, now, model="same"),
        call(6, now, model="gpt-4o", cost=Cost(reported=Usd(DOLLAR))),
    )
    before = (rows(store, RequestTable), rows(store, TotalTable), rows(store, RevisionTable))
    shop.prices({"gpt-4o": price(3), "new": price(1), "same": price(2)})
    comparison = shop.compare()
    assert [
        (*named, each.requests, each.change.nano, each.unpriced_before, each.unpriced_after)
        for named, each in comparison.by_day_and_model
    ] == [
        ("2026-11-19", "gpt-4o", 1, 1_000, 0, 0),
        ("2026-11-20", "gpt-4o", 2, 2_000, 0, 0),
        ("2026-11-20", "new", 1, 1_000, 1, 0),
    ]
    assert (comparison.looked_at, comparison.whole.change.nano) == (5, 4_000)
    assert (rows(store, RequestTable), rows(store, TotalTable), rows(store, RevisionTable)) == before
    run = shop.reprice()
    assert (run.after - run.before).nano == comparison.whole.change.nano
    assert shop.compare().whole.requests == 0


def test_an_excerpt_has_the_largest_differences_and_says_how_many_it_left_out(shop: Shop) -> None:
    models = ("a", "b", "c")
    shop.prices(dict.fromkeys(models, price(2)))
    shop.record(*(call(model, shop.clock(), model=model) for model in models))
    shop.prices({"a": price(3), "b": price(9), "c": price(1)})
    excerpt = shop.compare().excerpt(1)
    assert [named.model for named, _ in excerpt.by_day_and_model] == ["b"]
    assert (excerpt.left_out, excerpt.whole.requests) == (2, 3)
