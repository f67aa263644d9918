"""Requests of `send-test` are found by their mark, and no figure knows of them once they are taken out."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.requests.request import TEST_PROPERTY
from spendtop.services.sent_tests import sent_tests, spend_of, take_out
from spendtop.store.engine import Store
from spendtop.store.tables import BodyTable, RequestKeyTable, RequestTable, RevisionTable
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, Collecting, limit, request, rows, sums, totals

MARK = {TEST_PROPERTY: "1"}


def take_all_out(collector: Collecting) -> int:
    ids = sent_tests(collector.store, collector.clock)
    with collector.store.writing() as connection:
        take_out(connection, collector.recording, ids)
    return len(ids)


@pytest.mark.parametrize("seed", range(4))
def test_the_totals_are_as_if_they_had_never_come(
    collecting: Callable[..., Collecting], clock: SettableClock, seed: int
) -> None:
    random, collector = Random(seed), collecting(limit(usd=5), limit("own", where="model:o3"))
    tests = 0
    for number in range(60):
        is_test = random.random() < 0.4
        tests += is_test
        collector.record(
            request(
                f"r{number}",
                clock() - random.randrange(3 * DAY),
                random.choice([None, DOLLAR, 5]),
                user_id=random.choice(["ann", None]),
                model=random.choice(["o3", "gpt-4o"]),
                session_id=random.choice(["s", None]),
                counted=random.random() < 0.8,
                properties=MARK if is_test else random.choice([None, {"x": "1"}, {TEST_PROPERTY: "0"}]),
                request_body=b'{"prompt": 1}',
            )
        )
    assert take_all_out(collector) == tests
    of_o3 = {collector.book.own_dimensions["own"]: lambda one: ("", None) if one.model == "o3" else None}
    assert totals(collector.store) == sums(collector.store, of_o3)
    kept = rows(collector.store, RequestTable)
    assert len(kept) == 60 - tests
    assert {row.request_id for row in rows(collector.store, BodyTable)} == {row.id for row in kept}
    assert sent_tests(collector.store, clock) == []


def test_limits_and_alerts_go_by_what_is_left(collecting: Callable[..., Collecting], clock: SettableClock) -> None:
    collector = collecting(limit(usd=10))
    assert collector.spend(4) == []
    assert collector.spend(8, properties=MARK) == ["exceeded daily"]
    take_all_out(collector)
    clock.advance(MINUTE)
    collector.evaluate()
    clock.advance(HOUR)
    said = collector.revisit() + collector.evaluate() + collector.revisit()
    assert [each.message.kind for each in said] == ["resolved"]


def test_one_that_comes_again_is_still_known(collecting: Callable[..., Collecting], clock: SettableClock) -> None:
    collector = collecting()
    test = request("r", clock(), 5, properties=MARK)
    collector.record(test)
    collector.record(test)
    take_all_out(collector)
    assert [outcome.status for outcome in collector.record(test)] == ["duplicate"]
    assert rows(collector.store, RequestTable) == [] and totals(collector.store) == {}
    assert rows(collector.store, RevisionTable) == [] and len(rows(collector.store, RequestKeyTable)) == 1


def test_what_they_cost_is_of_the_counted_ones(store: Store, collecting: Callable[..., Collecting]) -> None:
    collector = collecting()
    collector.record(
        request("a", collector.clock(), DOLLAR, properties=MARK),
        request("b", collector.clock(), None, properties=MARK),
        request("c", collector.clock(), DOLLAR, properties=MARK, counted=False),
        request("d", collector.clock(), DOLLAR),
    )
    ids = sent_tests(store, collector.clock)
    with store.reading() as connection:
        spend = spend_of(connection, ids)
        assert spend_of(connection, []).requests == 0
    assert (len(ids), spend.requests, spend.cost.nano, spend.unpriced) == (3, 2, DOLLAR, 1)
