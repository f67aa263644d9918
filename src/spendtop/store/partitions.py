"""Months of requests and bodies: on PostgreSQL partitions of their tables, by ranges of the ids that carry the arrival.

A month is forgotten by dropping its partitions. They lie one behind the other, without gaps; what arrives behind the
last one, as under a clock that goes wrong, is in a partition for all the rest. SQLite has one table for all months.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from spendtop.domain.clock import next_month, to_datetime
from spendtop.store.ids import SLOTS, arrival

KEYS = {"request": "id", "body": "request_id"}
"""What the tables are divided by."""
REST = "later"
"""Ends the name of the partition for what no month has."""
_FIRST = -(1 << 63)
"""No id is smaller."""
_AHEAD = 2
"""Months after the present one that have partitions."""
_PATIENCE = "200ms"
"""How long a change of partitions waits for those who use the table, as everybody who comes later waits behind it."""
_NO_LOCK = "55P03"
_BOUNDS = text(
    "SELECT part.relname, pg_get_expr(part.relpartbound, part.oid) FROM pg_inherits"
    " JOIN pg_class part ON part.oid = inhrelid WHERE inhparent = to_regclass(:table)"
)
_END = re.compile(r"TO \('(-?\d+)'\)")


def add_months(connection: Connection, now: int) -> bool:
    """Have partitions for the present month and the following ones, but for what has to wait until another time. False,
    as there are no more to add."""
    if connection.dialect.name != "postgresql":
        return False
    wanted = now
    for _ in range(_AHEAD + 1):
        wanted = next_month(wanted)
    for table in KEYS:
        last = max(_ends(connection, table).values())
        while last < wanted * SLOTS:
            start, last = last, max(next_month(arrival(last)), next_month(now)) * SLOTS
            if not _at_once(connection, _added(table, start, last)):
                return False
    return False


def make_months(connection: Connection, source: Connection, now: int) -> None:
    """Have a partition for each month up to the present one of which the source has requests, and the following ones,
    in PostgreSQL's tables while they hold nothing."""
    ends = _ends_of_rows(source, now)
    if not ends:
        return
    for table in KEYS:
        connection.execute(text(f"DROP TABLE {', '.join(_ends(connection, table))}"))
        for start, end in pairwise([_FIRST, *ends]):
            for statement in _added(table, start, end):
                connection.execute(text(statement))
    add_months(connection, now)


def past_end(connection: Connection, table: str, before: int) -> int | None:
    """The id behind the table's oldest month, if that is not larger than the id `before`; else None."""
    return min((end for end in _ends(connection, table).values() if end <= before), default=None)


def drop(connection: Connection, tables: Collection[str], before: int) -> bool:
    """Drop the months of these tables that end by the id `before`; False when somebody uses the tables for so long that
    it is left for another time, or there are none.

    Others can go on once the transaction is durable; whoever commits it waits until the files are gone, too.
    """
    names = [name for table in tables for name, end in _ends(connection, table).items() if end <= before]
    return bool(names) and _at_once(connection, [f"DROP TABLE {', '.join(names)}"])


def drop_empty(connection: Connection, table: str, before: int) -> bool:
    """The same of a table's months that hold nothing."""
    if not _empty(connection, table, before) or not _at_once(connection, [f"LOCK TABLE ONLY {table}"]):
        return False
    names = _empty(connection, table, before)  # nobody can write to them by now
    return bool(names) and _at_once(connection, [f"DROP TABLE {', '.join(names)}"])


def _ends_of_rows(source: Connection, now: int) -> list[int]:
    """The ids behind the months of which a store has requests, without those of a clock that was ahead."""
    first = text("SELECT min(id) FROM request WHERE id >= :start AND id < :now")
    ends = [_FIRST]
    while (found := source.execute(first, {"start": ends[-1], "now": now * SLOTS}).scalar()) is not None:
        ends.append(next_month(arrival(found)) * SLOTS)
    return ends[1:]


def _ends(connection: Connection, table: str) -> dict[str, int]:
    """The id behind each month of a table, by the name of its partition."""
    if connection.dialect.name != "postgresql":
        return {}
    found = ((name, _END.search(bounds)) for name, bounds in connection.execute(_BOUNDS, {"table": table}))
    return {name: int(end[1]) for name, end in found if end is not None}


def _empty(connection: Connection, table: str, before: int) -> list[str]:
    """Months of a table that end by the id `before` and hold nothing."""
    return [
        name
        for name, end in _ends(connection, table).items()
        if end <= before and connection.execute(text(f"SELECT min({KEYS[table]}) FROM {name}")).scalar() is None
    ]


def _added(table: str, start: int, end: int) -> Sequence[str]:
    """Statements that make a month aside and attach it: nobody who records waits for it."""
    name, key = f"{table}_{to_datetime(arrival(end) - 1):%Y_%m}", KEYS[table]
    return (
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
        f"WITH moved AS (DELETE FROM {table}_{REST} WHERE {key} >= {start} AND {key} < {end} RETURNING *)"
        f" INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})",
    )


def _at_once(connection: Connection, statements: Sequence[str]) -> bool:
    """Whether nobody used the tables for so long that it has to wait for another time."""
    try:
        with connection.begin_nested():
            connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
            for statement in statements:
                connection.execute(text(statement))
    except OperationalError as failure:
        if getattr(failure.orig, "sqlstate", None) != _NO_LOCK:
            raise
        return False
    return True
