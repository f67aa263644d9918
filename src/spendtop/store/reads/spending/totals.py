"""Which rows of the totals make up a span of whole hours: of days as far as these are summed, of hours for the rest."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select

from spendtop.domain.clock import DAY, HOUR
from spendtop.store import day_totals
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import DayTotalTable, TotalTable

_WORTH_DAYS = 2 * DAY
"""Of shorter spans the hours are read sooner than the question is answered up to where days are summed."""
_FEW = 12
"""Buckets whose rows are found soonest by their time."""


class Totals(NamedTuple):
    """Rows of one dimension with their buckets in `span`."""

    table: Table
    """`total` or `day_total`."""
    dimension: str
    span: Span
    are_few: bool = False
    """Whether they are of so few buckets that they are found soonest by time."""
    named_in: Span | None = None
    """Days whose sums name all keys of it, which are then found one by one."""

    @property
    def key(self) -> ColumnElement[str]:
        return self.table.c.key

    @property
    def grouping(self) -> ColumnElement[str]:
        """The key, to group by. SQLite walks through a whole dimension in the order of its keys, where it can, also for
        a few buckets, whose rows it finds many times faster by their time."""
        return func.coalesce(self.key, "") if self.are_few else self.key

    @property
    def bucket(self) -> ColumnElement[int]:
        return self.table.c.bucket

    @property
    def holds(self) -> ColumnElement[bool]:
        held = and_(self.table.c.dimension == self.dimension, self.span.holds(self.bucket))
        if self.named_in is None:
            return held
        day = table_of(DayTotalTable)
        named = select(day.c.key).where(day.c.dimension == self.dimension, self.named_in.holds(day.c.bucket))
        return and_(held, self.key.in_(named))


def totals(connection: Connection, dimension: str, hours: Span) -> list[Totals]:
    """What makes up `hours`, which begin and end with an hour or are open. Not for the dimension of minutes."""
    if _is_shorter(hours, _WORTH_DAYS):
        return [_of_hours(dimension, hours)]
    return totals_of_keys(connection, dimension, hours)


def totals_of_keys(connection: Connection, dimension: str, hours: Span) -> list[Totals]:
    """The same to read all keys of, for which days are worth more: of the one under way they hold what is summed."""
    since, until = hours
    summed = day_totals.until(connection)
    last = summed if until is None or until >= summed else until // DAY * DAY
    first = None if since is None else -(-since // DAY) * DAY
    before, days, after = Span(since, first), Span(first, last), Span(last, until)
    if not summed or days.is_empty:
        return [_of_hours(dimension, hours)]
    begun = Span(since, last)
    if _is_shorter(begun, _WORTH_DAYS) and not _is_shorter(before, _FEW * HOUR):
        parts = [Totals(table_of(TotalTable), dimension, begun, named_in=begun.widened(DAY))]
    else:
        parts = [Totals(table_of(DayTotalTable), dimension, days, _is_shorter(days, _FEW * DAY))]
        if since != first:
            parts.append(_of_hours(dimension, before))
    if last != until:
        # Days are summed up to the present, behind which there is little.
        parts.append(Totals(table_of(TotalTable), dimension, after, last == summed or _is_shorter(after, _FEW * HOUR)))
    return parts


def _of_hours(dimension: str, hours: Span) -> Totals:
    return Totals(table_of(TotalTable), dimension, hours, _is_shorter(hours, _FEW * HOUR))


def _is_shorter(span: Span, length: int) -> bool:
    return span.since is not None and span.until is not None and span.until - span.since < length
