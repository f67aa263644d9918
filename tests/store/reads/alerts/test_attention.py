from __future__ import annotations

from typing import Any

from msgspec import json

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.clock import HOUR
from spendtop.domain.money import Usd
from spendtop.domain.sources.records import INGEST
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.attention import (
    Attention,
    SourceActivity,
    alerts,
    attention,
    deliveries,
    last_arrivals,
    newest_test,
    quarantined,
)
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, DeliveryTable, QuarantineTable
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

MESSAGE = Message(kind=MessageKind.EXCEEDED, limit_name="daily", entity="al\x1bice", contributors=(("user", "x", 5),))


def quarantine(store: Store, kind: str, state: str, number: int) -> None:
    values = {"kind": kind, "state": state, "digest": bytes([number]), "source": "helicone", "size": 12}
    with store.writing() as connection:
        connection.execute(
            table_of(QuarantineTable).insert(), {**values, "reason": "no \x1b[2J id", "received_at": START + number}
        )


def deliver(store: Store, state: str, ref: str, **more: Any) -> None:
    values = {"kind": "exceeded", "channel": "ops", "severity": "critical", "attempts": 0, "next_at": START}
    payload = json.encode(MESSAGE).decode()
    with store.writing() as connection:
        connection.execute(
            table_of(DeliveryTable).insert(),
            {**values, "state": state, "ref": ref, "payload": payload, "created_at": START, **more},
        )


def alert(store: Store, state: str, entity: str) -> None:
    values = {"rule": "limit/daily", "window_start": START, "severity": "critical", "version": 1, "announced": 1.0}
    more = {"spoke": 1, "used_nano": 7, "limit_nano": 5, "unpriced": 2, "crossed_at": START, "late": False, "falls": 0}
    with store.writing() as connection:
        connection.execute(
            table_of(AlertTable).insert(),
            {**values, **more, "state": state, "entity": entity, "opened_at": START, "updated_at": START},
        )


def test_nothing_waits_in_an_empty_store(store: Store) -> None:
    with store.reading() as connection:
        assert attention(connection, START) == Attention(0, 0, 0, 0, 0, 0, 0)
        assert last_arrivals(connection, START) == ()


def test_counts_what_waits(store: Store) -> None:
    for number, (kind, state) in enumerate([("unrecognized", "open"), ("unrecognized", "done"), ("test", "open")]):
        quarantine(store, kind, state, number)
    for state in ("pending", "sending", "dead", "sent", "superseded"):
        deliver(store, state, state)
    for state in ("approaching", "exceeded", "resolved"):
        alert(store, state, state)
    with store.reading() as connection:
        assert attention(connection, START) == Attention(1, 1, 1, 2, 2, 2, 2)


def test_lists_the_newest_of_the_quarantine_with_clean_reasons(store: Store) -> None:
    for number in range(3):
        quarantine(store, "unrecognized", "open", number)
    with store.reading() as connection:
        rows = quarantined(connection, 2)
    assert [row.received_at for row in rows] == [START + 2, START + 1]
    assert "\x1b" not in str(rows[0].reason)
    assert rows[0].size == 12


def test_lists_deliveries_by_state_with_their_message(store: Store) -> None:
    deliver(store, "dead", "r1", last_error="refused \x1b]52;c;x\x07", attempts=8)
    deliver(store, "sent", "r2", sent_at=START + 9)
    with store.reading() as connection:
        (dead,) = deliveries(connection, {"dead"}, 9)
        everything = deliveries(connection, (), 9)
    assert (dead.ref, dead.attempts, dead.message) == ("r1", 8, MESSAGE)
    assert "\x1b" not in str(dead.last_error)
    assert [row.ref for row in everything] == ["r2", "r1"]
    assert (everything[0].sent_at, everything[0].last_error) == (START + 9, None)


def test_lists_alerts_open_or_all(store: Store) -> None:
    for state, entity in (("exceeded", "alice"), ("resolved", "bob")):
        alert(store, state, entity)
    with store.reading() as connection:
        (only,) = alerts(connection, open_only=True, most=9)
        assert [row.entity.raw for row in alerts(connection, open_only=False, most=9)] == ["bob", "alice"]
    assert (only.limit_name, only.used, only.limit, only.unpriced, only.late) == ("daily", Usd(7), Usd(5), 2, False)


def test_tells_when_each_source_was_heard_last(recorded: Recorded) -> None:
    yesterday = START - 24 * HOUR
    recorded.add(
        [
            recorded.request(yesterday, source=INGEST),
            recorded.request(START + 5, received_at=START + HOUR),
            recorded.request(START + 9, received_at=START + 9),
        ]
    )
    with recorded.store.reading() as connection:
        assert last_arrivals(connection, START) == (
            SourceActivity("helicone", START + HOUR, 2),
            SourceActivity("ingest", yesterday, 0),
        )


def test_the_newest_test_event_is_known_by_its_id(store: Store) -> None:
    for number, kind in enumerate(("unrecognized", "test", "test", "unrecognized")):
        with store.reading() as connection:
            before = newest_test(connection)
        quarantine(store, kind, "open", number)
        with store.reading() as connection:
            assert (newest_test(connection) > before) is (kind == "test")
