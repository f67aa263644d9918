"""Requests of a SQLite in the order of their cost, merged from the hours in which they happened.

Its index has them by hour, and by cost within it: so what is recorded now goes into few pages, and what is forgotten
was in few. Each hour is sorted, and those are read whose first request belongs on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, bindparam, func, literal_column, select

from spendtop.domain.clock import HOUR
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable


class Sorting(NamedTuple):
    """An order of requests, and from where on."""

    keys: tuple[ColumnElement[Any], ...]
    bounds: Sequence[ColumnElement[bool]]
    """Conditions on the keys alone."""
    descending: bool

    @property
    def order(self) -> list[ColumnElement[Any]]:
        """For ORDER BY."""
        return [key.desc() if self.descending else key.asc() for key in self.keys]


_VAIN = 20
"""The part of all hours that may be read to their ends before all are read at once, if half are still to be read."""


def by_hours(
    connection: Connection,
    statement: Select[Any],
    sorting: Sorting,
    span: Span,
    most: int,
    at_once: Select[Any] | None,
) -> list[Any]:
    """The first rows that a statement selects of `span`; its last columns are the keys, which the index has behind the
    hour in this order.

    Where little passes and most hours have to be read to their ends, `at_once` is read instead, if there is one: the
    same rows without the index.
    """

    def place(row: Any) -> tuple[int, ...]:
        return tuple(row[-len(sorting.keys) :])

    at, descending = table_of(RequestTable).c.occurred_at, sorting.descending
    of_hour = (
        statement.where(_hour() == bindparam("hour"), at >= bindparam("since"), at < bindparam("until"))
        .order_by(*sorting.order)
        .limit(most)
    )
    hours = [row for row in connection.execute(_hours(sorting, span)) if None not in row]
    first: list[Any] = []

    def belongs(row: Any) -> bool:
        return len(first) < most or (place(row) > place(first[-1])) is descending

    hours.sort(key=place, reverse=descending)
    read_whole, half = 0, len(hours) // 2
    for number, row in enumerate(hours):
        if not belongs(row):
            break
        most_are_left = number + half < len(hours) and belongs(hours[number + half])
        if at_once is not None and most_are_left and read_whole * _VAIN > len(hours):
            return list(connection.execute(at_once))
        with connection.execute(of_hour, {"hour": row.hour, **_within(row.hour, span)}) as rows:
            first = list(islice(merge(first, rows, key=place, reverse=descending), most))
            read_whole += rows.fetchone() is None
    return first


def _hour() -> ColumnElement[int]:
    """As the index has it: with a parameter in it, it would not be known for the same."""
    return table_of(RequestTable).c.occurred_at.op("/", return_type=BigInteger())(literal_column(str(HOUR)))


def _within(hour: int, span: Span) -> dict[str, int]:
    since, until = hour * HOUR, (hour + 1) * HOUR
    return {
        "since": since if span.since is None else max(since, span.since),
        "until": until if span.until is None else min(until, span.until),
    }


def _hours(sorting: Sorting, span: Span) -> Select[Any]:
    """The hours in which there are requests, each found by a seek, with the keys of its first one within the bounds."""
    hour = _hour()
    since = [] if span.since is None else [hour >= span.since // HOUR]
    until = [] if span.until is None else [hour <= (span.until - 1) // HOUR]
    hours = select(func.max(hour).label("hour")).where(*since, *until).cte("hours", recursive=True)
    before = select(func.max(hour)).where(hour < hours.c.hour, *since).correlate(hours).scalar_subquery()
    hours = hours.union_all(select(before).where(hours.c.hour.is_not(None)))
    of_hour = select().where(hour == hours.c.hour, *sorting.bounds).order_by(*sorting.order).limit(1)
    first = (of_hour.add_columns(key).correlate(hours).scalar_subquery() for key in sorting.keys)
    return select(hours.c.hour, *first)
