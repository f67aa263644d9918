"""Which rows of the totals make up a span of whole hours: of days as far as these are summed, of hours for the rest."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, func

from spendtop.domain.clock import DAY, HOUR
from spendtop.store import day_totals
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import DayTotalTable, TotalTable

_WORTH_DAYS = 2 * DAY
"""Of shorter spans the hours are read sooner than the question is answered up to where days are summed."""
_FEW_HOURS = 12 * HOUR


class Totals(NamedTuple):
    """Rows of one dimension with their buckets in `span`."""

    table: Table
    """`total` or `day_total`."""
    dimension: str
    span: Span

    @property
    def key(self) -> ColumnElement[str]:
        return self.table.c.key

    @property
    def grouping(self) -> ColumnElement[str]:
        """The key, to group by. SQLite walks through a whole dimension in the order of its keys, where it can, also for
        a few hours, whose rows it finds many times faster by their time."""
        since, until = self.span
        is_short = since is not None and until is not None and until - since <= _FEW_HOURS
        return func.coalesce(self.key, "") if is_short else self.key

    @property
    def bucket(self) -> ColumnElement[int]:
        return self.table.c.bucket

    @property
    def holds(self) -> ColumnElement[bool]:
        return and_(self.table.c.dimension == self.dimension, self.span.holds(self.bucket))


def totals(connection: Connection, dimension: str, hours: Span) -> list[Totals]:
    """What makes up `hours`, which begin and end with an hour or are open. Not for the dimension of minutes."""
    days, rest = _cut(connection, hours)
    whole = [] if days is None else [Totals(table_of(DayTotalTable), dimension, days)]
    return whole + [Totals(table_of(TotalTable), dimension, span) for span in rest]


def _cut(connection: Connection, hours: Span) -> tuple[Span | None, tuple[Span, ...]]:
    since, until = hours
    if since is not None and until is not None and until - since < _WORTH_DAYS:
        return None, (hours,)
    summed = day_totals.until(connection) // DAY * DAY
    last = summed if until is None else min(summed, until)
    days, ends = Span(since, last).cut(DAY)
    if days is None or not summed:
        return None, (hours,)
    return days, (*ends, Span(last, until)) if last != until else ends
