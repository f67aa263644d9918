"""What every face means by "today" and "last hour"."""

from __future__ import annotations

from sqlalchemy import Connection

from spendtop.domain.clock import HOUR
from spendtop.domain.windows import Calendar, bounds, parse_window
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import plan_spend, spend

_DAY = parse_window("day")


def today(calendar: Calendar, now: int) -> Span:
    """The local day. What is dated after `now` (UTC µs) counts, as it does for limits."""
    day = bounds(_DAY, now, calendar)
    return Span(day.start_us, day.end_us)


def spent_today(connection: Connection, calendar: Calendar, now: int) -> Spend:
    return spend(connection, *today(calendar, now))


def under_plan_today(connection: Connection, calendar: Calendar, now: int) -> Spend:
    """What coding agents used under a plan: the cost is what it would have cost."""
    return plan_spend(connection, *today(calendar, now))


def spent_last_hour(connection: Connection, now: int) -> Spend:
    return spend(connection, now - HOUR, None)
