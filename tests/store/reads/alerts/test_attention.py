from __future__ import annotations

from typing import Any

from msgspec import json

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.money import Usd
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.attention import Attention, alerts, attention, deliveries
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, DeliveryTable
from tests.store.reads.random_requests import START
from tests.store.reads.sources.test_quarantine import quarantine

MESSAGE = Message(kind=MessageKind.EXCEEDED, limit_name="daily", entity="al\x1bice", contributors=(("user", "x", 5),))


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


def test_counts_what_waits(store: Store) -> None:
    for number, (kind, state) in enumerate([("unrecognized", "open"), ("unrecognized", "done"), ("test", "open")]):
        quarantine(store, kind, state, number)
    for state in ("pending", "sending", "dead", "sent", "superseded"):
        deliver(store, state, state)
    for state in ("approaching", "exceeded", "resolved"):
        alert(store, state, state)
    with store.reading() as connection:
        assert attention(connection, START) == Attention(1, 1, 1, 2, 2, 2, 2, newest=2)


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
