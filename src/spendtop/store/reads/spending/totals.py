"""Which rows of the totals make up a span of whole hours: of days as far as these are summed, of hours for the rest."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, func

from spendtop.domain.clock import DAY
from spendtop.store import day_totals
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import DayTotalTable, TotalTable

_WORTH_DAYS = 2 * DAY
"""Of shorter spans the hours are read sooner than the question is answered up to where days are summed."""
_FEW = 12
"""Days whose rows are found soonest by their time."""


class Totals(NamedTuple):
    """Rows of one dimension with their buckets in `span`."""

    table: Table
    """`total` or `day_total`."""
    dimension: str
    span: Span
    are_few: bool = False
    """Whether they are of so few days that they are found soonest by time."""

    @property
    def key(self) -> ColumnElement[str]:
        return self.table.c.key

    @property
    def grouping(self) -> ColumnElement[str]:
        """The key, to group by. SQLite walks through a dimension's days in the order of their keys, where it can, also
        for a few days, whose rows it finds many times faster by their time."""
        return func.coalesce(self.key, "") if self.are_few else self.key

    @property
    def bucket(self) -> ColumnElement[int]:
        return self.table.c.bucket

    @property
    def holds(self) -> ColumnElement[bool]:
        return and_(self.table.c.dimension == self.dimension, self.span.holds(self.bucket))


def totals(connection: Connection, dimension: str, hours: Span) -> list[Totals]:
    """What makes up `hours`, which begin and end with an hour or are open. Not for the dimension of minutes."""
    if _is_shorter(hours, _WORTH_DAYS):
        return [Totals(table_of(TotalTable), dimension, hours)]
    return totals_of_keys(connection, dimension, hours)


def totals_of_keys(connection: Connection, dimension: str, hours: Span) -> list[Totals]:
    """The same to read all keys of, for which days are worth more: of the one under way they hold what is summed."""
    since, until = hours
    summed = day_totals.until(connection)
    last = summed if until is None or until >= summed else until // DAY * DAY
    first = None if since is None else -(-since // DAY) * DAY
    days = Span(first, last)
    if not summed or days.is_empty:
        return [Totals(table_of(TotalTable), dimension, hours)]
    parts = [Totals(table_of(DayTotalTable), dimension, days, _is_shorter(days, _FEW * DAY))]
    parts += [
        Totals(table_of(TotalTable), dimension, rest)
        for rest in (Span(since, first), Span(last, until))
        if rest.since != rest.until
    ]
    return parts


def _is_shorter(span: Span, length: int) -> bool:
    return span.since is not None and span.until is not None and span.until - span.since < length
