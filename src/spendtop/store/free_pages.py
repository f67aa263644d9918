"""Room in a SQLite file that nothing lies in any more, given back to the disk."""

from __future__ import annotations

from sqlalchemy import Connection

_AT_ONCE = 256
"""Pages of one transaction: a few milliseconds, for which events wait."""
_KEPT = 20
"""One page in so many stays free for what comes next."""
_INCREMENTAL = 2


def give_back_some(connection: Connection) -> bool:
    """Make the file shorter by some of its free pages; True when there may be more to give back.

    Files of older versions cannot be made shorter so; PostgreSQL uses such room again by itself.
    """
    if connection.dialect.name != "sqlite" or _asked(connection, "auto_vacuum") != _INCREMENTAL:
        return False
    spare = _asked(connection, "freelist_count") - _asked(connection, "page_count") // _KEPT
    if spare <= 0:
        return False
    # A row for each page: only when all are taken is the last one done.
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA incremental_vacuum({min(spare, _AT_ONCE)})")
    cursor.fetchall()
    return spare > _AT_ONCE


def _asked(connection: Connection, pragma: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one())
