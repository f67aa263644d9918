from __future__ import annotations

from spendtop.store.engine import Store
from spendtop.store.reads.sources.quarantine import newest_test, quarantined
from spendtop.store.statements import table_of
from spendtop.store.tables import QuarantineTable
from tests.store.reads.random_requests import START


def quarantine(store: Store, kind: str, state: str, number: int) -> None:
    values = {"kind": kind, "state": state, "digest": bytes([number]), "source": "helicone", "size": 12}
    with store.writing() as connection:
        connection.execute(
            table_of(QuarantineTable).insert(), {**values, "reason": "no \x1b[2J id", "received_at": START + number}
        )


def test_lists_the_newest_of_the_quarantine_with_clean_reasons(store: Store) -> None:
    for number in range(3):
        quarantine(store, "unrecognized", "open", number)
    with store.reading() as connection:
        rows = quarantined(connection, 2)
    assert [row.received_at for row in rows] == [START + 2, START + 1]
    assert "\x1b" not in str(rows[0].reason)
    assert rows[0].size == 12


def test_the_newest_test_event_is_known_by_its_id(store: Store) -> None:
    for number, kind in enumerate(("unrecognized", "test", "test", "unrecognized")):
        with store.reading() as connection:
            before = newest_test(connection)
        quarantine(store, kind, "open", number)
        with store.reading() as connection:
            assert (newest_test(connection) > before) is (kind == "test")
