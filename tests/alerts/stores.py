"""A store with its writer, as the collector has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select

from spendtop.alerts.backoff import Timing
from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.clock import SECOND
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.store.engine import Store
from spendtop.store.schema import upgrade
from spendtop.store.statements import table_of
from spendtop.store.tables import DeliveryAttemptTable, DeliveryTable
from spendtop.store.writer import Writer

QUICK = Timing(
    deadline=50.0,
    transient=(1000,),
    permanent=(1000, 1000),
    slow_down=1000,
    store_retry=1000,
    stop_grace=2.0,
)
"""Every wait after a failure is a millisecond."""
NOW = 1_795_129_200 * SECOND


@contextmanager
def opened(path: Path) -> Iterator[tuple[Store, Writer[None, None]]]:
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    writer: Writer[None, None] = Writer(store, lambda _connection, _events: [])
    writer.start()
    yield store, writer
    writer.stop()
    store.close()


def message(kind: MessageKind = MessageKind.EXCEEDED, name: str = "daily") -> Message:
    return Message(kind=kind, limit_name=name, used_nano=5, limit_nano=4, at=NOW)


def queue(
    store: Store, *channels: str, alert_id: int = 1, kind: MessageKind = MessageKind.EXCEEDED, now: int = NOW
) -> int:
    with store.writing() as connection:
        queued = outbox_rules.enqueue(
            connection,
            alert_id=alert_id,
            seq=1,
            message=message(kind),
            severity=kind.severity,
            channels=channels,
            now=now,
        )
    return len(queued)


def deliveries(store: Store) -> list[Row[Any]]:
    table = table_of(DeliveryTable)
    with store.reading() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


def attempts(store: Store) -> list[Row[Any]]:
    table = table_of(DeliveryAttemptTable)
    with store.reading() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)))


def states(store: Store) -> list[str]:
    return [row.state for row in deliveries(store)]
