"""Months of requests and bodies on PostgreSQL."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from spendtop.domain.bodies.redaction import Redactor
from spendtop.domain.clock import DAY, HOUR, month_of, next_month, to_datetime
from spendtop.domain.requests.request import BodyState
from spendtop.services.recording.preparation import Preparer
from spendtop.services.retention import RetentionPeriods, forget_month, forget_some
from spendtop.store import partitions
from spendtop.store.engine import Store
from spendtop.store.ids import SLOTS
from spendtop.store.replacement import replace
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, RequestKeyTable, RequestTable, RevisionTable
from spendtop.store.transactions import OwnTransactions
from spendtop.store.verification import verify
from tests.conftest import SettableClock
from tests.services.conftest import PRICER, Collecting, request, rows
from tests.waiting import eventually

KEPT = RetentionPeriods(bodies=30 * DAY, requests=60 * DAY)
_PARTS = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:table) ORDER BY 1")


def parts(store: Store, table: str = "request") -> list[str]:
    with store.reading() as connection:
        return [*connection.execute(_PARTS, {"table": table}).scalars()]


def add_months(store: Store, now: int) -> None:
    with store.writing() as connection:
        assert not partitions.add_months(connection, now)


def is_waited_for(store: Store, table: str) -> bool:
    with store.reading() as connection:
        waiting = text("SELECT 1 FROM pg_locks WHERE relation = to_regclass(:table) AND NOT granted")
        return connection.execute(waiting, {"table": table}).first() is not None


@pytest.fixture
def later(postgres_store: Store) -> int:
    """An instant in the only month that has a partition, whose tables are gone after the test."""
    with postgres_store.writing() as connection:
        last = max(partitions._ends(connection, "request").values())
        partitions.drop(connection, partitions.KEYS, last - 1)
    return last // SLOTS - DAY


def record(store: Store, clock: SettableClock, *ats: int) -> Collecting:
    collector = Collecting(store, clock)
    ready = Preparer(PRICER, Redactor([]).redact, keep_bodies=True)
    with store.writing() as connection:
        for at in ats:
            report = request(at, at, request_body=b'{"n": %d}' % at, body_state=BodyState.STORED)
            collector.recording.record(connection, [ready.prepare(report)])
    return collector


def forget(store: Store, now: int) -> None:
    for part in (forget_month, forget_some, forget_month):
        goes_on = True
        while goes_on:
            with store.writing() as connection:
                goes_on = part(connection, KEPT, now)


def test_months_are_made_ahead_and_only_once(postgres_store: Store, later: int) -> None:
    before = parts(postgres_store)
    add_months(postgres_store, later)
    added = [name for name in parts(postgres_store) if name not in before]
    assert len(added) == 2
    add_months(postgres_store, later)
    assert [name for name in parts(postgres_store) if name not in before] == added
    assert [name.replace("body", "request") for name in parts(postgres_store, "body")] == parts(postgres_store)


def test_what_arrived_before_its_month_was_made_moves_there(
    postgres_store: Store, clock: SettableClock, later: int
) -> None:
    beyond = next_month(next_month(later)) - HOUR
    record(postgres_store, clock, beyond)
    count = "SELECT count(*) FROM {}_later"
    with postgres_store.reading() as connection:
        assert [connection.execute(text(count.format(table))).scalar() for table in partitions.KEYS] == [1, 1]
    add_months(postgres_store, later)
    with postgres_store.reading() as connection:
        assert [connection.execute(text(count.format(table))).scalar() for table in partitions.KEYS] == [0, 0]
        assert connection.execute(select(func.count()).select_from(table_of(RequestTable))).scalar() == 1


def test_a_month_that_is_too_old_goes_with_all_that_belongs_to_it(
    postgres_store: Store, clock: SettableClock, later: int
) -> None:
    first, second = later, next_month(later) + HOUR
    add_months(postgres_store, later)
    collector = record(postgres_store, clock, first, second)
    old, young = sorted(row.id for row in rows(postgres_store, RequestTable))
    with postgres_store.writing() as connection:
        for each in (old, young):
            connection.execute(table_of(RevisionTable).insert().values(request_id=each, at=1, source="x", changes="{}"))
    before = parts(postgres_store)
    now = next_month(month_of(second)) + 45 * DAY
    forget(postgres_store, now)
    assert len(parts(postgres_store)) < len(before)
    assert [row.id for row in rows(postgres_store, RequestTable)] == [young]
    assert rows(postgres_store, BodyTable) == []
    assert [row.request_id for row in rows(postgres_store, RevisionTable)] == [young]
    assert len(rows(postgres_store, RequestKeyTable)) == 2
    assert collector.record(request(first, first))[0].status == "duplicate"
    assert not verify(postgres_store, lambda share: None).flaws


def test_a_month_that_somebody_reads_is_dropped_another_time(
    postgres_store: Store, clock: SettableClock, later: int
) -> None:
    record(postgres_store, clock, later)
    before, end = parts(postgres_store), next_month(later) * SLOTS
    with postgres_store.reading() as reader:
        reader.execute(select(func.count()).select_from(table_of(RequestTable))).scalar()
        with postgres_store.writing() as connection:
            assert not partitions.drop(connection, ["request", "body"], end)
    assert parts(postgres_store) == before
    with postgres_store.writing() as connection:
        assert partitions.drop(connection, ["request", "body"], end)
        assert partitions.past_end(connection, "request", end) is None
    assert rows(postgres_store, RequestTable) == []


def test_a_correction_that_comes_while_its_month_is_waited_for_goes_with_it(
    postgres_store: Store, clock: SettableClock, later: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_PATIENCE", "60s")
    record(postgres_store, clock, later)
    beside, now = OwnTransactions(postgres_store), later + 120 * DAY
    with postgres_store.writing() as connection:
        (old,) = connection.execute(select(table_of(RequestTable).c.id).with_for_update()).scalars()
        dropping = beside.run(lambda other: forget_month(other, KEPT, now))
        eventually(lambda: is_waited_for(postgres_store, "request"))
        connection.execute(table_of(RevisionTable).insert().values(request_id=old, at=1, source="x", changes="{}"))
    assert dropping.result()
    assert (rows(postgres_store, RequestTable), rows(postgres_store, RevisionTable)) == ([], [])
    assert not verify(postgres_store, lambda share: None).flaws


def test_a_month_of_bodies_goes_once_all_are_deleted_and_stays_while_one_is_left(
    postgres_store: Store, clock: SettableClock, later: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_PATIENCE", "60s")
    record(postgres_store, clock, later)
    requests, now = parts(postgres_store), later + 45 * DAY
    (body,) = rows(postgres_store, BodyTable)
    with postgres_store.writing() as connection:
        assert not forget_month(connection, KEPT, now), "it is not deleted yet"
        while forget_some(connection, KEPT, now):
            pass
    beside = OwnTransactions(postgres_store)
    with postgres_store.writing() as connection:
        connection.execute(select(table_of(BodyTable))).all()
        dropping = beside.run(lambda other: forget_month(other, KEPT, now))
        eventually(lambda: is_waited_for(postgres_store, "body"))
        connection.execute(table_of(BodyTable).insert().values(**body._mapping))
    assert not dropping.result(), "another report of the request came with one"
    assert parts(postgres_store, "body") == [name.replace("request", "body") for name in requests]
    forget(postgres_store, now)
    assert len(parts(postgres_store, "body")) < len(requests)
    assert parts(postgres_store) == requests
    assert [row.body_state for row in rows(postgres_store, RequestTable)] == ["purged"]


def test_another_failure_than_their_use_is_told(postgres_store: Store, clock: SettableClock, later: int) -> None:
    record(postgres_store, clock, later)
    before, end = parts(postgres_store), next_month(later) * SLOTS
    with postgres_store.reading() as reader:
        reader.execute(select(func.count()).select_from(table_of(RequestTable))).scalar()
        with pytest.raises(OperationalError), postgres_store.writing() as connection:
            connection.execute(text("SET LOCAL statement_timeout = '100ms'"))
            partitions.drop(connection, ["request", "body"], end)
    assert parts(postgres_store) == before


def test_months_of_a_copy_are_partitions_that_go_at_once(
    postgres_store: Store, sqlite_store: Store, clock: SettableClock
) -> None:
    now = clock()
    months = [next_month(now - days * DAY) for days in (400, 340, 90, 40, 1)]
    record(sqlite_store, clock, *(month - HOUR for month in months[:-1]), now, now + 4_000 * DAY)
    replace(postgres_store, sqlite_store, now, lambda share: None)
    names = [f"request_{to_datetime(month - 1):%Y_%m}" for month in months]
    assert parts(postgres_store)[: len(names)] == names
    assert parts(postgres_store)[-1] == "request_later" and len(parts(postgres_store)) == len(names) + 3
    for table in (RequestTable, BodyTable):
        assert len(rows(postgres_store, table)) == 6
    with postgres_store.reading() as connection:
        assert [connection.execute(text(f"SELECT count(*) FROM {name}")).scalar() for name in names] == [1] * 5
    forget(postgres_store, now)
    assert [name for name in names if name in parts(postgres_store)] == names[3:]
    assert len(rows(postgres_store, RequestTable)) == 3
    assert not verify(postgres_store, lambda share: None).flaws


def test_sqlite_has_no_months(sqlite_store: Store, clock: SettableClock) -> None:
    with sqlite_store.writing() as connection:
        assert not partitions.add_months(connection, clock())
        assert partitions.past_end(connection, "request", 1 << 62) is None
