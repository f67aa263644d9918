"""Signed events that were kept and are not counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from spendtop.domain.untrusted import Untrusted
from spendtop.store.statements import table_of
from spendtop.store.tables import QuarantineTable


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A signed event that is not counted."""

    id: int
    source: str
    kind: str
    state: str
    reason: Untrusted
    received_at: int
    size: int
    """Bytes as received."""


def quarantined(connection: Connection, most: int) -> tuple[QuarantineRow, ...]:
    """The newest events in quarantine, open and done."""
    event = table_of(QuarantineTable)
    rows = connection.execute(select(event).order_by(event.c.id.desc()).limit(most))
    return tuple(map(quarantine_row, rows))


def quarantine_row(row: Any) -> QuarantineRow:
    """One event of the table."""
    return QuarantineRow(
        id=row.id,
        source=row.source,
        kind=row.kind,
        state=row.state,
        reason=Untrusted(row.reason),
        received_at=row.received_at,
        size=row.size,
    )


def newest_test(connection: Connection) -> int:
    """The id of the newest test event; 0 where there was none."""
    event = table_of(QuarantineTable)
    newest = connection.execute(select(func.max(event.c.id)).where(event.c.kind == "test"))
    return int(newest.scalar() or 0)
