"""Two collectors on one PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text, update

from spendtop.domain.limits.limit import Each
from spendtop.services.alerting.evaluator import TURN_SECONDS
from spendtop.services.stores.lease import Lease
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, DeliveryTable, LimitMarkTable
from tests.services.alerting.test_evaluator_turns import passing
from tests.services.conftest import DOLLAR, Collecting, limit, request, rows, said

Make = Callable[..., Collecting]


class TestTwoEvaluators:
    """Two collectors on one PostgreSQL."""

    @pytest.fixture
    def store(self, postgres_store: Store) -> Store:
        return postgres_store

    def evaluate(self, collector: Collecting, lease: Lease) -> list[str]:
        with collector.store.writing() as connection:
            if not lease.holds(connection, lease.epoch):
                return []
            return said(collector.evaluator.evaluate(connection, collector.clock()))

    def take(self, store: Store, lease: Lease) -> bool:
        with store.writing() as connection:
            lease.epoch = lease.renew(connection)
        return lease.epoch > 0

    def test_a_stale_owner_writes_nothing(self, store: Store, collecting: Make) -> None:
        stale, fresh = collecting(limit(usd=10), slot=0), collecting(limit(usd=10), slot=1)
        first, second = Lease("one"), Lease("two")
        assert self.take(store, first)
        assert not self.take(store, second)
        expire(store)
        assert self.take(store, second)
        stale.record(request(1, stale.clock(), 10 * DOLLAR))
        assert self.evaluate(stale, first) == []
        assert rows(store, AlertTable) == []
        assert self.evaluate(fresh, second) == ["exceeded daily"]
        assert not self.take(store, first)
        assert self.evaluate(stale, first) == []
        assert len(rows(store, DeliveryTable)) == 1

    def test_marks_that_are_being_made_are_left_for_the_next_pass(self, store: Store, collecting: Make) -> None:
        spending = collecting(limit(usd=10), limit("hourly", "1h", usd=10))
        spending.record(request(1, spending.clock(), 10 * DOLLAR))
        with store.writing() as connection:
            held = update(table_of(LimitMarkTable)).where(table_of(LimitMarkTable).c.limit_name == "daily")
            connection.execute(held.values(happened_at=spending.clock()))
            assert said(spending.evaluate()) == ["exceeded hourly"]
        assert said(spending.evaluate()) == ["exceeded daily"]

    def test_a_mark_that_is_made_while_we_evaluate_outlives_the_pass(self, store: Store, collecting: Make) -> None:
        spending = collecting(limit(usd=10))
        spending.record(request(1, spending.clock(), DOLLAR))
        with store.writing() as evaluating:
            assert spending.evaluator.evaluate(evaluating, spending.clock()) == []
            with store.writing() as other:
                other.execute(text("SET LOCAL lock_timeout = '1ms'"))
                with pytest.raises(Exception, match="lock timeout"):
                    other.execute(text("UPDATE limit_mark SET happened_at = happened_at"))
                other.rollback()
        assert rows(store, LimitMarkTable) == []

    def test_no_more_marks_are_taken_together_than_asked_for_whatever_is_planned(
        self, store: Store, collecting: Make
    ) -> None:
        spending = collecting(limit("each", usd=10, each=Each.USER), timer=passing(TURN_SECONDS))
        spending.record(*(request(n, spending.clock(), 11 * DOLLAR, user_id=f"user-{n}") for n in range(90)))
        for taken in (25, 25, 25, 15):
            with store.writing() as connection:
                for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
                    connection.execute(text(f"SET LOCAL enable_{way} = off"))
                assert len(spending.evaluator.evaluate(connection, spending.clock())) == taken


def expire(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(text("UPDATE lease SET until = 0"))
