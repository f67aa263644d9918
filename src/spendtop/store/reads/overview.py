"""Everything the Overview shows, from one consistent view of the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.filters import FilterContext
from spendtop.domain.limits import Limit
from spendtop.domain.windows import Bounds, Calendar, bounds, parse_window
from spendtop.store.reads.attention import Attention, SourceActivity, attention, last_arrivals
from spendtop.store.reads.limits import LimitUse, uses
from spendtop.store.reads.present import spent_last_hour, spent_today
from spendtop.store.reads.requests import RequestQuery, page
from spendtop.store.reads.rows import RequestRow, Spend
from spendtop.store.reads.spending import FAMILY, Breakdown, Bucket, by_key, per_bucket, spend


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The bill at one instant. What is dated after `now` counts, as it does for limits."""

    now: int
    today: Spend
    last_hour: Spend
    day_bounds: Bounds
    limits: tuple[LimitUse, ...]
    """The fullest first."""
    users: Breakdown
    """Of today."""
    models: Breakdown
    """Of today, by family."""
    chart: tuple[Bucket, ...]
    feed: tuple[RequestRow, ...]
    """The requests that happened last, newest first."""
    sources: tuple[SourceActivity, ...]
    attention: Attention
    total: Spend
    """Of all time."""


def overview(
    connection: Connection,
    limits: Sequence[Limit],
    calendar: Calendar,
    now: int,
    *,
    feed_size: int,
    chart_span: int,
    chart_step: int,
    top: int,
) -> Overview:
    """The Overview at `now`; the chart covers the last `chart_span` µs in steps of `chart_step`, ends of steps being
    multiples of it."""
    day = bounds(parse_window("day"), now, calendar)
    assert day.start_us is not None
    chart_end = (now // chart_step + 1) * chart_step
    return Overview(
        now=now,
        today=spent_today(connection, calendar, now),
        last_hour=spent_last_hour(connection, now),
        day_bounds=day,
        limits=uses(connection, limits, calendar, now),
        users=by_key(connection, "user", day.start_us, day.end_us, top),
        models=by_key(connection, FAMILY, day.start_us, day.end_us, top),
        chart=per_bucket(connection, chart_end - chart_span, chart_end, chart_step),
        feed=page(connection, RequestQuery(), FilterContext(now, calendar), None, feed_size).rows,
        sources=last_arrivals(connection, day.start_us),
        attention=attention(connection, now),
        total=spend(connection, None, None),
    )
