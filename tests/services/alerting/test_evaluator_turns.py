"""Recording waits for one turn of evaluating, never for all that there is to evaluate."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.limits.limit import Each
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.alerting.evaluator import TURN_SECONDS, has_ended
from spendtop.store.engine import Store
from spendtop.store.tables import LimitMarkTable
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, Collecting, limit, request, rows, said

Make = Callable[..., Collecting]


def passing(seconds: float) -> Callable[[], float]:
    """A timer that has advanced by so much at each look."""
    ticks = count()
    return lambda: next(ticks) * seconds


def cross(spending: Collecting, users: int) -> None:
    reports = [request(n, spending.clock(), 11 * DOLLAR, user_id=f"user-{n:04}") for n in range(users)]
    spending.record(*reports)


def test_a_turn_ends_in_time_and_the_next_one_goes_on_where_it_stopped(collecting: Make) -> None:
    spending = collecting(limit("each user", each=Each.USER, usd=10), timer=passing(TURN_SECONDS / 2))
    cross(spending, 120)
    turns = [spending.evaluate()]
    while rows(spending.store, LimitMarkTable):
        turns.append(spending.evaluate())
    assert [len(turn) for turn in turns] == [50, 50, 20]
    heard = [name for turn in turns for name in said(turn)]
    assert heard == [f"exceeded each user user-{n:04}" for n in range(120)]
    assert len(spending.alerts()) == 120


def test_a_collector_that_died_between_two_turns_goes_on_after_its_start(collecting: Make) -> None:
    each = limit("each user", each=Each.USER, usd=10)
    killed = collecting(each, timer=passing(TURN_SECONDS))
    cross(killed, 60)
    before = killed.evaluate()
    after = collecting(each).evaluate()
    assert (len(before), len(after)) == (25, 35)
    assert len({row.entity for row in killed.alerts()}) == len(killed.alerts()) == 60


def test_on_a_store_that_fills_up_no_crossing_is_lost(sqlite_store: Store, clock: SettableClock) -> None:
    spending = Collecting(sqlite_store, clock, limit("each user", each=Each.USER, usd=10))
    cross(spending, 300)
    with pytest.raises(OperationalError, match="full"), sqlite_store.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        spending.evaluator.evaluate(connection, clock())
    assert (len(rows(sqlite_store, LimitMarkTable)), spending.alerts(), spending.told()) == (300, [], [])
    with sqlite_store.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    assert len(spending.evaluate()) == len(spending.alerts()) == 300


def test_a_limit_of_many_does_not_keep_the_others_waiting(collecting: Make) -> None:
    many, single = limit("a many", each=Each.USER, usd=10), limit("z single", usd=10, warn=())
    spending = collecting(many, single, timer=passing(TURN_SECONDS / 2))
    cross(spending, 500)
    assert "exceeded z single" in said(spending.evaluate())
    assert said(spending.evaluate())[0] == "exceeded a many user-0025"


def test_marks_that_have_nothing_to_say_are_looked_at_in_ever_larger_parts(collecting: Make) -> None:
    looks = count()
    spending = collecting(limit("each user", each=Each.USER, usd=10_000), timer=lambda: next(looks) * 0.0)
    cross(spending, 500)
    assert spending.evaluate() == []
    assert rows(spending.store, LimitMarkTable) == []
    parts = (25, 50, 100, 100, 100, 100, 25)
    assert next(looks) == 1 + len(parts)


def test_windows_that_are_over_end_together_however_many(collecting: Make) -> None:
    spending = collecting(limit("each user", each=Each.USER, usd=10, warn=()), timer=passing(TURN_SECONDS))
    cross(spending, 600)
    with spending.store.reading() as connection:
        assert spending.evaluator.has_marks(connection, spending.clock())
        assert not has_ended(connection, spending.clock())
    while rows(spending.store, LimitMarkTable):
        spending.evaluate()
    spending.clock.advance(DAY)
    left = []
    for _ in range(3):
        with spending.store.reading() as connection:
            left.append(has_ended(connection, spending.clock()))
        assert spending.revisit() == []
    assert left == [True, True, False]
    assert {(row.state, row.announced) for row in spending.alerts()} == {("resolved", 1.0)}


def test_no_statement_of_a_turn_or_of_a_delivery_reads_all_that_was_ever_told(
    sqlite_store: Store, clock: SettableClock
) -> None:
    limits = limit("each user", each=Each.USER, usd=10), limit("rolling", "24h", each=Each.USER, usd=20)
    spending = Collecting(sqlite_store, clock, *limits)
    ran: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_rest: Any) -> None:
        ran[sql] = values[0] if isinstance(values, list) else values

    event.listen(sqlite_store.write_engine, "before_cursor_execute", note)
    cross(spending, 30)
    spending.evaluate()
    cross(spending, 30)
    spending.evaluate()
    for _ in range(3):
        spending.clock.advance(MINUTE)
        spending.revisit()
        with sqlite_store.writing() as connection:
            now = spending.clock()
            outbox_rules.agenda(connection)
            outbox_rules.claim(connection, "ops", now=now, lease_until=now)
            outbox_rules.make_due(connection, "ops", now)
    event.remove(sqlite_store.write_engine, "before_cursor_execute", note)
    read_whole = [(step, sql) for sql, values in ran.items() for step in plan(sqlite_store, sql, values) if scans(step)]
    assert read_whole == []


def plan(store: Store, sql: str, values: Any) -> list[str]:
    if sql.split()[0] not in ("SELECT", "UPDATE", "DELETE", "INSERT"):
        return []
    with store.reading() as connection:
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]


def scans(step: str) -> bool:
    """Whether every row of a table is read that grows, or every request of a window."""
    grow = ("alert", "delivery", "delivery_alert", "limit_mark", "request", "total")
    return (step.startswith("SCAN") and step.split()[1] in grow) or "INDEX request_time" in step
