"""Room in a SQLite file that nothing lies in any more, given back to the disk."""

from __future__ import annotations

from sqlalchemy import Connection

_AT_ONCE = 256
"""Pages of one transaction: a few milliseconds, for which events wait."""
_KEPT = 20
"""One page in so many stays free for what comes next."""
_INCREMENTAL = 2


def give_back_some(connection: Connection, most: int = _AT_ONCE) -> bool:
    """Make the file shorter by so many of its free pages at most; True when there may be more to give back.

    Files of older versions cannot be made shorter so; PostgreSQL uses such room again by itself.
    """
    if connection.dialect.name != "sqlite" or _asked(connection, "auto_vacuum") != _INCREMENTAL:
        return False
    spare = _asked(connection, "freelist_count") - _asked(connection, "page_count") // _KEPT
    if spare <= 0:
        return False
    cursor = connection.connection.cursor()
    for _ in range(min(spare, most)):
        cursor.execute("PRAGMA incremental_vacuum(1)")  # of more Python's driver only takes the first step
    return spare > most


def _asked(connection: Connection, pragma: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one())
