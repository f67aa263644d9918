"""Starting anew: the usage goes, after a backup; what keeps duplicates and clients in order stays."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, delete, func, select, text

from spendtop.store.backup import backup
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import (
    AlertTable,
    BodyTable,
    DeliveryAttemptTable,
    DeliveryTable,
    LimitMarkTable,
    RequestTable,
    RevisionTable,
    TotalTable,
)

_USAGE = (BodyTable, RevisionTable, TotalTable, LimitMarkTable, RequestTable)
_ALERTS = (DeliveryAttemptTable, DeliveryTable, AlertTable)


class Reset(Struct, frozen=True):
    """What a reset did."""

    deleted: int
    """Requests."""
    backup: Path


def reset(store: Store, connection: Connection, folder: Path, now: int) -> Reset:
    """Back the store up into `folder`, then delete requests, totals and alerts. Keys, tokens and settings stay, so a
    request that comes again is still a duplicate.

    Nothing is recorded between the two. Raises CannotCreate when the backup cannot be written; then nothing is gone.
    """
    tables = [table_of(each) for each in (*_USAGE, *_ALERTS)]
    if not store.is_sqlite:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        names = ", ".join(f'"{table.name}"' for table in tables)
        connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
    written = backup(store, connection, folder, now)
    deleted = connection.execute(select(func.count()).select_from(table_of(RequestTable))).scalar_one()
    for table in tables:
        connection.execute(delete(table))
    return Reset(deleted, written)
