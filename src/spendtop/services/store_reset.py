"""Starting anew: the usage goes, after a backup; what keeps duplicates and clients in order stays."""

from __future__ import annotations

import os
import sqlite3
import tarfile
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, func, select, text

from spendtop.domain.clock import to_datetime
from spendtop.domain.errors import CannotCreate, StoreCorrupt
from spendtop.store.engine import Store
from spendtop.store.statements import table_of
from spendtop.store.tables import (
    AlertTable,
    BodyTable,
    DayTotalTable,
    DeliveryAttemptTable,
    DeliveryTable,
    LimitMarkTable,
    RepriceChangeTable,
    RepriceTable,
    RequestTable,
    RevisionTable,
    TotalTable,
)

_USAGE = (
    BodyTable,
    RevisionTable,
    RepriceChangeTable,
    RepriceTable,
    TotalTable,
    DayTotalTable,
    LimitMarkTable,
    RequestTable,
)
_ALERTS = (DeliveryAttemptTable, DeliveryTable, AlertTable)


class Reset(Struct, frozen=True):
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


def backup(store: Store, connection: Connection, folder: Path, now: int) -> Path:
    """Write a copy of what is committed into `folder`, named by the instant; returns its path.

    SQLite gives a SQLite file, checked as a whole. PostgreSQL gives a tar of one file per table, as COPY writes and
    reads them, out of the transaction of `connection`. Raises CannotCreate, and StoreCorrupt for a damaged store.
    """
    suffix = "db" if store.is_sqlite else "tar.gz"
    path = folder / f"spendtop-{to_datetime(now):%Y%m%dT%H%M%S.%fZ}.{suffix}"
    unfinished = path.with_name(f".{path.name}.part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600))
        if store.path is not None:
            _copy_sqlite(store.path, unfinished)
        else:
            _copy_postgresql(connection, unfinished)
        _settle(unfinished)
        unfinished.rename(path)
        _settle(folder)
    except (OSError, sqlite3.OperationalError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) else str(failure)
        raise CannotCreate(f"The backup {path} cannot be written: {reason}. Make room, and try again.") from None
    finally:
        with suppress(OSError):
            unfinished.unlink()
    return path


def _copy_sqlite(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
    with closing(sqlite3.connect(target)) as copy:
        (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise StoreCorrupt(f"The store {source} is damaged: {verdict}. `spendtop check` says what to do.")


def _copy_postgresql(connection: Connection, target: Path) -> None:
    driver: Any = connection.connection.driver_connection
    with tarfile.open(target, "w:gz") as archive, driver.cursor() as cursor:
        for table in RequestTable.metadata.sorted_tables:
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            with tempfile.TemporaryFile(dir=target.parent) as spooled:
                with cursor.copy(f'COPY "{table.name}" ({columns}) TO STDOUT') as rows:
                    for chunk in rows:
                        spooled.write(chunk)
                entry = tarfile.TarInfo(f"{table.name}.copy")
                entry.size = spooled.tell()
                spooled.seek(0)
                archive.addfile(entry, spooled)


def _settle(path: Path) -> None:
    """Make sure that it survives the power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
