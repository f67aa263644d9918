"""Totals by UTC day, made of the totals by hour: for months and years.

They hold the hours before one instant, `until`, which follows the present; so recording what happens now does not pay
for them. What is recorded of those hours is added to both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, func, select, text

from spendtop.domain.clock import DAY, HOUR
from spendtop.store import facts
from spendtop.store.statements import cursor_of, insert_or_add, insert_sums, table_of
from spendtop.store.tables import DayTotalTable, TotalTable

UNTIL = "day totals until"
"""The row of `meta` that says before which hour (start in UTC µs) the hours are summed by days."""
_READ_UNTIL = f"SELECT value FROM meta WHERE name = '{UNTIL}'"
_MINUTES = "minute"
"""The dimension of `total` whose buckets are shorter than an hour; it is not summed by days."""
_TOTAL = table_of(TotalTable)
_SUMS = tuple(column.name for column in _TOTAL.columns if not column.primary_key)

TotalRow = tuple[str, str, int, int, int, int, int, int, int, int, int]
"""A row of `total`."""


def until(connection: Connection) -> int:
    """The hours that begin before this instant (UTC µs) are summed by days; 0 while none is."""
    mark = cursor_of(connection, _READ_UNTIL).fetchone()  # with each group that is recorded
    return 0 if mark is None else int(mark[0])


class TotalsAddition:
    """Adds rows to the totals by hour, and to those by day where the row's hour is summed already."""

    def __init__(self, dialect: Dialect) -> None:
        self._hours = insert_or_add(TotalTable, dialect)
        self._days = insert_or_add(DayTotalTable, dialect)

    def run(self, connection: Connection, rows: Sequence[TotalRow]) -> None:
        """Add the rows, which are in primary-key order."""
        if not rows:
            return
        self._hours.run_many(connection, rows)
        # Asked only now: on PostgreSQL nobody can move it on any more while we have written to `total`.
        summed_until = until(connection)
        late = [row for row in rows if row[2] < summed_until and row[0] != _MINUTES]
        if late:
            self._days.run_many(connection, _by_day(late))


def _by_day(rows: Sequence[TotalRow]) -> list[TotalRow]:
    days: dict[tuple[str, str, int, int], tuple[int, ...]] = {}
    for dimension, key, bucket, shard, *sums in rows:
        day = (dimension, key, bucket - bucket % DAY, shard)
        before = days.get(day)
        days[day] = tuple(sums) if before is None else tuple(map(sum, zip(before, sums, strict=True)))
    return [(*day, *sums) for day, sums in days.items()]  # type: ignore[misc]  # seven integers, as in `rows`


def add_hours(connection: Connection, before: int) -> bool:
    """Sum the hours of one more day, of those that begin before `before` (UTC µs); True when there may be more."""
    keep_others_out(connection)
    start, end = until(connection), before // HOUR * HOUR
    if end <= start:
        return False
    dimensions = _dimensions(connection)
    firsts = (connection.execute(_first_hour(dimension, start)).scalar() for dimension in dimensions)
    first = min((first for first in firsts if first is not None), default=end)
    last = min(end, (first // DAY + 1) * DAY)
    for dimension in dimensions:
        sum_by_day(connection, _TOTAL.c.dimension == dimension, _TOTAL.c.bucket >= start, _TOTAL.c.bucket < last)
    facts.put(connection, UNTIL, str(last))
    return last < end


def sum_by_day(connection: Connection, *which: ColumnElement[bool]) -> None:
    """Add these rows of `total` to their days."""
    day = (_TOTAL.c.bucket - _TOTAL.c.bucket % DAY).label("day")
    columns = (_TOTAL.c.dimension, _TOTAL.c.key, day, _TOTAL.c.shard)
    sums = select(*columns, *(func.sum(_TOTAL.c[name]) for name in _SUMS)).where(*which)
    in_order = sums.group_by(*columns[:2], "day", _TOTAL.c.shard).order_by(*columns)
    connection.execute(insert_sums(DayTotalTable, in_order, connection.dialect))


def keep_others_out(connection: Connection) -> None:
    """Nobody else counts until the end of the transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE total IN SHARE ROW EXCLUSIVE MODE"))


def _dimensions(connection: Connection) -> list[str]:
    """One after the other, as the index finds each at once."""
    dimensions: list[str] = []
    least = select(func.min(_TOTAL.c.dimension))
    following = connection.execute(least).scalar()
    while following is not None:
        dimensions.append(following)
        following = connection.execute(least.where(_TOTAL.c.dimension > following)).scalar()
    return [dimension for dimension in dimensions if dimension != _MINUTES]


def _first_hour(dimension: str, since: int) -> Any:
    return select(func.min(_TOTAL.c.bucket)).where(_TOTAL.c.dimension == dimension, _TOTAL.c.bucket >= since)
