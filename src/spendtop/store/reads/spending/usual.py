"""What was spent in the same hours of the weeks before."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, or_, select

from spendtop.domain.clock import DAY, HOUR
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import ALL, oldest_hour
from spendtop.store.statements import table_of
from spendtop.store.tables import TotalTable

WEEK = 7 * DAY
WEEKS = 4
"""So many weeks back at most."""


def usual_hours(connection: Connection, span: Span) -> dict[int, Spend]:
    """The mean spend of everyone in the hours that a bounded span touches, over the weeks before it that were recorded,
    by the hour's begin (UTC µs); without hours for which there is none."""
    oldest = oldest_hour(connection)
    hours = span.widened(HOUR)
    assert hours.since is not None and hours.until is not None
    if oldest is None or hours.until - WEEK <= oldest:
        return {}
    total = table_of(TotalTable)
    before = [Span(hours.since - week * WEEK, hours.until - week * WEEK) for week in range(1, WEEKS + 1)]
    statement = (
        select(*spend_sql.of_totals(total), total.c.bucket)
        .where(total.c.dimension == ALL, or_(*(each.holds(total.c.bucket) for each in before)))
        .group_by(total.c.bucket)
    )
    spent = {int(row.bucket): spend_sql.to_spend(row) for row in connection.execute(statement)}
    means: defaultdict[int, Spend] = defaultdict(Spend.nothing)
    for hour in range(hours.since, hours.until, HOUR):
        recorded = [hour - week * WEEK for week in range(1, WEEKS + 1) if hour - week * WEEK >= oldest]
        for each in recorded:
            means[hour] += spent.get(each, Spend.nothing())
        if recorded:
            means[hour] = means[hour].mean(1, len(recorded))
    return dict(means)
