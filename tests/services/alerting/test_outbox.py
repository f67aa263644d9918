from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.services.alerting.outbox import (
    Attempt,
    Claimed,
    Due,
    agenda,
    claim,
    enqueue,
    finish,
    free_abandoned,
    give_up,
    make_due,
    retry,
    told,
)
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import DeliveryAttemptTable, DeliveryTable

NOW = 1_000_000
LEASE = NOW + 60


def put(
    store: Store,
    *channels: str,
    alert_id: int | None = 1,
    kind: MessageKind = MessageKind.EXCEEDED,
    seq: int = 1,
    now: int = NOW,
) -> int:
    message = Message(kind=kind, limit_name="daily")
    with store.writing() as connection:
        queued = enqueue(
            connection,
            alert_id=alert_id,
            seq=seq,
            message=message,
            severity=kind.severity,
            channels=channels,
            now=now,
        )
    return len(queued)


def take(store: Store, channel: str = "ops", now: int = NOW, lease_until: int = LEASE) -> Claimed | None:
    with store.writing() as connection:
        return claim(connection, channel, now=now, lease_until=lease_until)


def taken(store: Store) -> Claimed:
    claimed = take(store)
    assert claimed is not None
    return claimed


def end(store: Store, claimed: Claimed, outcome: str, retry_at: int | None = None) -> None:
    with store.writing() as connection:
        finish(connection, claimed, Attempt(at=NOW, outcome=outcome, detail="why", elapsed_ms=5), retry_at)


def rows(store: Store) -> list[Row[Any]]:
    table = table_of(DeliveryTable)
    with store.reading() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


def states(store: Store) -> list[str]:
    return [row.state for row in rows(store)]


def due(store: Store) -> list[Due]:
    with store.reading() as connection:
        return agenda(connection)


def test_one_message_per_transition_and_channel_however_often_it_is_queued(store: Store) -> None:
    assert put(store, "ops", "mail") == 2
    assert put(store, "ops", "mail") == 0
    assert put(store, "ops", seq=2) == 1
    assert len({row.ref for row in rows(store)}) == 3
    assert {len(row.ref) for row in rows(store)} == {16}


def test_messages_without_an_alert_are_known_by_what_they_say(store: Store) -> None:
    assert put(store, "ops", alert_id=None, kind=MessageKind.TEST) == 1
    assert put(store, "ops", alert_id=None, kind=MessageKind.TEST) == 0
    assert put(store, "ops", alert_id=None, kind=MessageKind.TEST, seq=2) == 1
    assert states(store) == ["pending", "pending"]


def test_who_was_told_of_an_alert_and_not_that_it_is_over_is_known(store: Store) -> None:
    def known() -> set[int]:
        with store.reading() as connection:
            return told(connection, "ops", [1, 2, 3])

    put(store, "ops", alert_id=1)
    assert known() == set()
    claimed = taken(store)
    assert known() == {1}
    end(store, claimed, "sent")
    put(store, "ops", alert_id=2)
    end(store, taken(store), "misconfigured")
    assert known() == {1}
    put(store, "ops", alert_id=1, kind=MessageKind.RESOLVED, seq=2)
    end(store, taken(store), "sent")
    assert known() == set()


def test_a_later_state_takes_the_place_of_what_is_unsent_on_the_same_channel(store: Store) -> None:
    put(store, "ops", "mail", kind=MessageKind.APPROACHING)
    put(store, "ops", alert_id=2, kind=MessageKind.APPROACHING)
    put(store, "ops")
    assert states(store) == ["superseded", "pending", "pending", "pending"]


def test_a_claim_takes_the_oldest_due_message_and_only_one_per_channel(store: Store) -> None:
    put(store, "ops", alert_id=1)
    put(store, "ops", alert_id=2)
    put(store, "mail", alert_id=1)
    claimed = taken(store)
    assert (claimed.id, claimed.attempts, claimed.lease_until) == (rows(store)[0].id, 1, LEASE)
    assert take(store) is None
    assert take(store, "mail") is not None
    end(store, claimed, "sent")
    assert taken(store).id == rows(store)[1].id


def test_what_is_not_due_is_not_claimed(store: Store) -> None:
    put(store, "ops", now=NOW + 1)
    assert take(store) is None
    assert due(store) == [Due("ops", NOW + 1)]


def test_a_claim_whose_lease_ended_can_be_taken_again(store: Store) -> None:
    put(store, "ops")
    first = taken(store)
    assert due(store) == [Due("ops", LEASE)]
    again = take(store, now=LEASE, lease_until=LEASE + 60)
    assert again is not None
    assert (again.id, again.ref, again.attempts) == (first.id, first.ref, 2)


def test_a_result_that_comes_after_the_lease_changes_no_newer_claim(store: Store) -> None:
    put(store, "ops")
    stale = taken(store)
    take(store, now=LEASE, lease_until=LEASE + 60)
    end(store, stale, "transient", NOW)
    assert states(store) == ["sending"]
    with store.reading() as connection:
        attempts = connection.execute(select(table_of(DeliveryAttemptTable))).all()
    assert [(attempt.delivery_id, attempt.outcome, attempt.detail) for attempt in attempts] == [
        (stale.id, "transient", "why")
    ]


def test_a_sent_message_keeps_its_time_and_no_error(store: Store) -> None:
    put(store, "ops")
    end(store, taken(store), "transient", NOW)
    assert (rows(store)[0].state, rows(store)[0].last_error) == ("pending", "why")
    end(store, taken(store), "sent")
    row = rows(store)[0]
    assert (row.state, row.sent_at, row.last_error, row.lease_until, row.attempts) == ("sent", NOW, None, None, 2)
    assert due(store) == []


def test_a_failure_that_was_overtaken_while_it_was_sent_is_not_repeated(store: Store) -> None:
    put(store, "ops", kind=MessageKind.APPROACHING)
    claimed = taken(store)
    put(store, "ops")
    end(store, claimed, "transient", NOW)
    assert taken(store).id == rows(store)[1].id
    assert states(store) == ["superseded", "sending"]


def test_a_channel_that_works_again_gets_at_once_what_waits(store: Store) -> None:
    put(store, "ops", "mail", now=NOW + 60)
    with store.writing() as connection:
        make_due(connection, "ops", NOW)
    assert sorted((entry.channel, entry.at) for entry in due(store)) == [("mail", NOW + 60), ("ops", NOW)]


def test_giving_up_a_channel_leaves_what_is_young_sent_or_being_sent(store: Store) -> None:
    put(store, "ops", alert_id=1)
    put(store, "ops", "mail", alert_id=2)
    put(store, "ops", alert_id=3, now=NOW + 10)
    taken(store)
    with store.writing() as connection:
        assert give_up(connection, "ops", "gone", created_before=NOW + 10, now=NOW) == [2]
    assert [(row.state, row.last_error) for row in rows(store)] == [
        ("sending", None),
        ("dead", "gone"),
        ("pending", None),
        ("pending", None),
    ]


def test_dead_messages_can_be_tried_again_one_or_all(store: Store) -> None:
    for alert in (1, 2, 3):
        put(store, "ops", alert_id=alert)
        end(store, taken(store), "misconfigured")
    ids = [row.id for row in rows(store)]
    with store.writing() as connection:
        assert retry(connection, NOW + 5, ids[1]) == 1
    assert states(store) == ["dead", "pending", "dead"]
    with store.writing() as connection:
        assert retry(connection, NOW + 5) == 2
    assert {(row.state, row.attempts, row.next_at) for row in rows(store)} == {("pending", 0, NOW + 5)}


def test_what_a_dead_collector_was_sending_is_sent_again_at_once(store: Store) -> None:
    put(store, "ops")
    first = taken(store)
    with store.writing() as connection:
        free_abandoned(connection)
    again = taken(store)
    assert (again.id, again.attempts) == (first.id, first.attempts + 1)
