from __future__ import annotations

import shutil
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.bodies.redaction import Redactor
from spendtop.domain.clock import DAY, to_micros
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import BodyState, NotUnderstood
from spendtop.domain.requests.request import TestEvent as DashboardEvent
from spendtop.domain.sources.records import HELICONE, HELICONE_API
from spendtop.domain.windows import Calendar
from spendtop.services import tasks
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.alerting.outbox import Attempt
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Preparer
from spendtop.services.recording.recorder import Recorder
from spendtop.services.retention import RetentionPeriods, forget_some
from spendtop.services.tasks import TaskKind, TaskState
from spendtop.store import bodies, facts
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import (
    AlertTransitionTable,
    BodyTable,
    DeliveryAttemptTable,
    DeliveryTable,
    QuarantineTable,
    RequestKeyTable,
    RequestTable,
    RevisionTable,
    TaskTable,
    TotalTable,
)
from spendtop.store.verification import verify
from tests.conftest import SettableClock
from tests.services.conftest import Collecting, limit, request, rows

TEST = Message(kind=MessageKind.TEST, limit_name="")
KEPT = RetentionPeriods(bodies=30 * DAY, requests=400 * DAY)
CANARY = b"the prompt nobody else may read 7f3a9c"
SECRET = b"sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH"


def forget(store: Store, now: int, kept: RetentionPeriods = KEPT) -> int:
    """Forget all that is too old; how many batches it took."""
    batches, more = 0, True
    while more:
        batches += 1
        with store.writing() as connection:
            more = forget_some(connection, kept, now)
    return batches


def body_of(number: int) -> bytes:
    return b'{"messages": "%s", "n": %d}' % (CANARY, number)


def test_bodies_go_and_requests_say_so(store: Store, clock: SettableClock) -> None:
    collector, now = Collecting(store, clock), clock()
    ages = (30 * DAY + 1, 30 * DAY, 29 * DAY, 0)
    collector.record(
        *(request(n, now - age, request_body=body_of(n), body_state=BodyState.STORED) for n, age in enumerate(ages))
    )
    forget(store, now)
    states = {row.external_ids: row.body_state for row in rows(store, RequestTable)}
    assert [states[f'{{"helicone":"id-{n}"}}'] for n in range(4)] == ["purged", "stored", "stored", "stored"]
    assert [bodies.decode(row.data)[0] for row in rows(store, BodyTable)] == [body_of(n) for n in (1, 2, 3)]


def test_raw_quarantined_events_go_with_the_bodies_but_stay_listed(store: Store, clock: SettableClock) -> None:
    recorder = recorder_of(store, "full")
    at = clock()
    recorder.start()
    for age, name in ((31 * DAY, b"old"), (0, b"new")):
        event = NotUnderstood(source=HELICONE, received_at=at - age, reason="why", raw=name)
        recorder.submit([event], lambda outcome: None)
    recorder.stop()
    forget(store, at)
    assert [row.raw is None for row in rows(store, QuarantineTable)] == [True, False]


def test_raw_quarantined_events_go_in_small_steps(store: Store, clock: SettableClock) -> None:
    at = clock()
    events = [
        {"digest": bytes([number]), "received_at": at - 31 * DAY, "raw": b"old", "size": 3}
        | {"source": "helicone", "kind": "unrecognized", "state": "open", "reason": "why"}
        for number in range(5)
    ]
    with store.writing() as connection:
        connection.execute(table_of(QuarantineTable).insert(), events)
        left: list[int] = []
        while not left or left[-1]:
            more = forget_some(connection, KEPT, at, 2)
            left.append(sum(row.raw is not None for row in connection.execute(select(table_of(QuarantineTable)))))
            assert more == (left[-1] > 0)
    assert left == [3, 1, 0]


def test_requests_go_by_whole_months_of_arrival_and_their_keys_stay(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock)
    clock.now = to_micros(datetime(2027, 12, 20, tzinfo=UTC))  # 400 days before is 15 November 2026
    arrivals = [datetime(2026, month, day, tzinfo=UTC) for month, day in ((9, 30), (10, 31), (11, 1), (11, 14))]
    for number, arrived in enumerate(arrivals):
        collector.record(request(number, to_micros(arrived), request_body=b"{}"))
    collector.record(request(1, to_micros(arrivals[1]), 5, source=HELICONE_API))
    forget(store, clock())
    assert [row.received_at for row in rows(store, RequestTable)] == [to_micros(at) for at in arrivals[2:]]
    assert (rows(store, BodyTable), rows(store, RevisionTable)) == ([], [])
    assert len(rows(store, RequestKeyTable)) == 4
    with store.reading() as connection:
        assert facts.get(connection, "verified_from") == str(to_micros(arrivals[2]))
    (replay,) = collector.record(request(0, clock()))
    assert (replay.status, len(rows(store, RequestTable))) == ("duplicate", 2)


def test_much_is_forgotten_in_small_steps(store: Store, clock: SettableClock) -> None:
    collector = Collecting(store, clock)
    collector.record(*(request(n, clock() - 40 * DAY + n, request_body=b"{}") for n in range(1_100)))
    assert forget(store, clock()) == 3
    assert rows(store, BodyTable) == []


def files_of(store: Store) -> bytes:
    assert store.path is not None
    names = [store.path, *(Path(f"{store.path}{suffix}") for suffix in ("-wal", "-shm", "-journal"))]
    return b"".join(name.read_bytes() for name in names if name.exists())


def test_after_forgetting_and_a_checkpoint_no_file_holds_the_bodies(sqlite_store: Store, clock: SettableClock) -> None:
    collector, sent = Collecting(sqlite_store, clock), []
    for number in range(300):
        report = request(number, clock() - 31 * DAY + number, request_body=body_of(number) * (1 + number % 90))
        sent.append(bodies.encode(report.request_body, None)[1])
        collector.record(report)
    kept = request("kept", clock(), request_body=b"kept")
    collector.record(kept)
    # Frames are compressed: what must go is their bytes, of which any run is looked for.
    pieces = [data[-24:] for data in sent]
    before = files_of(sqlite_store)
    assert all(piece in before for piece in pieces)
    forget(sqlite_store, clock())
    sqlite_store.checkpoint()
    after = files_of(sqlite_store)
    assert not [number for number, piece in enumerate(pieces) if piece in after]
    assert bodies.encode(b"kept", None)[1] in after
    sqlite_store.close()


def test_whatever_a_kill_leaves_behind_is_whole_and_can_be_forgotten(
    sqlite_store: Store, clock: SettableClock, tmp_path: Path
) -> None:
    collector = Collecting(sqlite_store, clock)
    collector.record(*(request(n, clock() - 500 * DAY + n, request_body=body_of(n)) for n in range(60)))
    collector.record(request("kept", clock(), request_body=b"kept"))
    kept_id = max(row.id for row in rows(sqlite_store, RequestTable))
    totals, left = rows(sqlite_store, TotalTable), []
    for place in range(3):
        with sqlite_store.writing() as connection:
            assert forget_some(connection, KEPT, clock(), most=20)
            connection.exec_driver_sql("PRAGMA cache_size=1")  # so that part of it is written before the commit
            copied = copy_of(sqlite_store, tmp_path / f"{place}.db")
        with closing(copied):
            assert (verified := verify(copied, lambda share: None)).damage == verified.flaws == ()
            left.append(len(rows(copied, RequestTable)))
            forget(copied, clock())
            assert [row.id for row in rows(copied, RequestTable)] == [kept_id]
            assert rows(copied, TotalTable) == totals
            assert not verify(copied, lambda share: None).flaws
    assert left == [61, 41, 21]
    sqlite_store.close()


def copy_of(store: Store, path: Path) -> Store:
    """What the disk holds at this instant, opened."""
    assert store.path is not None
    for suffix in ("", "-wal"):
        shutil.copy(f"{store.path}{suffix}", f"{path}{suffix}")
    return Store(f"sqlite:///{path}")


def recorder_of(store: Store, privacy: str) -> Recorder:
    redactor = Redactor([b"our own secret"]) if privacy == "redact" else None
    pricer = Pricer({}, None, lambda provider, model, terms, at: None)
    preparer = Preparer(pricer, redactor.redact if redactor else None, keep_bodies=privacy in ("full", "redact"))
    return Recorder(store, preparer, LimitBook((), Calendar(), {}))


@pytest.mark.parametrize("privacy", ["full", "redact", "metadata_only", "none"])
def test_what_each_privacy_mode_keeps(
    sqlite_store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch, privacy: str
) -> None:
    # Without compression a canary is found wherever it was written.
    monkeypatch.setattr(bodies, "encode", lambda prompt, response, _=0: (0, (prompt or b"") + (response or b"")))
    recorder = recorder_of(sqlite_store, privacy)
    recorder.start()
    raw = b'{"key": "%s", "own": "our own secret", "prompt": "%s"}' % (SECRET, CANARY)
    source = HELICONE
    recorder.submit(
        [
            request(1, clock(), request_body=raw, response_body=raw, user_id="alice", body_state=BodyState.STORED),
            NotUnderstood(source=source, received_at=clock(), reason="strange", raw=raw),
            DashboardEvent(source=source, external_id="t", received_at=clock(), raw=raw),
        ],
        lambda outcome: None,
    )
    recorder.stop()
    (row,) = rows(sqlite_store, RequestTable)
    keeps = privacy in ("full", "redact")
    assert row.body_state == ("stored" if keeps else "not kept")
    written = files_of(sqlite_store)
    assert (CANARY in written) == keeps
    assert (SECRET in written, b"our own secret" in written) == ((privacy == "full"),) * 2
    assert b"alice" in written
    sqlite_store.close()


def test_messages_that_were_sent_and_tasks_that_were_done_go_after_thirty_days(
    store: Store, clock: SettableClock
) -> None:
    spending = Collecting(store, clock, limit(usd=10, warn=()), limit("all time", "lifetime", usd=10, warn=()))
    assert len(spending.spend(10)) == 2
    settle(store, clock())
    spending.clock.advance(DAY)
    spending.revisit()
    with store.writing() as connection:
        outbox_rules.enqueue(
            connection, alert_id=None, seq=1, message=TEST, severity="info", channels=["ops"], now=clock()
        )
        for state in (TaskState.DONE, None):
            task = tasks.ask(connection, TaskKind.CHANNEL_TEST, {}, clock())
            if state is not None:
                tasks.finish(connection, task, state, "", clock())
    clock.advance(30 * DAY)
    forget(store, clock())
    assert len(rows(store, TaskTable)) == 2
    clock.advance(1)
    forget(store, clock())
    assert [(row.kind, row.state) for row in rows(store, DeliveryTable)] == [("exceeded", "sent"), ("test", "pending")]
    assert len(rows(store, DeliveryAttemptTable)) == 1
    assert [row.state for row in rows(store, TaskTable)] == ["queued"]


def test_how_an_alert_stood_goes_with_the_requests_but_for_the_last(store: Store, clock: SettableClock) -> None:
    spending = Collecting(store, clock, limit(usd=10, warn=(0.5, 0.8)))
    for amount in (6, 2, 3):
        spending.spend(amount)
        clock.advance(DAY // 24)
    forget(store, clock() + KEPT.requests - DAY // 24)
    assert [row.version for row in rows(store, AlertTransitionTable)] == [2, 3]
    forget(store, clock() + 2 * KEPT.requests)
    assert [row.version for row in rows(store, AlertTransitionTable)] == [3]


def test_what_was_not_understood_goes_with_the_requests(store: Store, clock: SettableClock) -> None:
    recorder, at = recorder_of(store, "full"), clock()
    recorder.start()
    for age in (401, 399):
        raw = str(age).encode()
        event = NotUnderstood(source=HELICONE, received_at=at - age * DAY, reason="why", raw=raw)
        recorder.submit([event], lambda outcome: None)
    recorder.stop()
    forget(store, at)
    assert [row.received_at for row in rows(store, QuarantineTable)] == [at - 399 * DAY]


def settle(store: Store, now: int) -> None:
    """Send all that waits."""
    with store.writing() as connection:
        while (claimed := outbox_rules.claim(connection, "ops", now=now, lease_until=now + 1)) is not None:
            outbox_rules.finish(connection, claimed, Attempt(at=now, outcome="sent", detail="", elapsed_ms=1), None)
