"""Everything the Overview shows, from one consistent view of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.clock import HOUR
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.limits.limit import Limit
from spendtop.domain.windows import Bounds, Calendar, bounds, parse_window
from spendtop.store.reads.agents.plan_use import plan_by_key, plan_calls, plan_per_step
from spendtop.store.reads.alerts.attention import Attention, attention
from spendtop.store.reads.limits.uses import LimitUse, uses
from spendtop.store.reads.requests.lists import RequestQuery, page
from spendtop.store.reads.rows import RequestRow, Spend
from spendtop.store.reads.sources.arrivals import SourceActivity, last_arrivals
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.present import spent_last_hour, spent_today, under_plan_today
from spendtop.store.reads.spending.sums import (
    FAMILY,
    Breakdown,
    Bucket,
    KeySpend,
    by_key,
    per_bucket,
    plan_spend,
    spend,
)
from spendtop.store.reads.spending.usual import usual_hours


@dataclass(frozen=True, slots=True)
class Chart:
    """Which spend is charted: of a bounded span, in steps of so many µs from its beginning on."""

    span: Span
    step: int


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
    """Of the window."""
    models: Breakdown
    """Of the window, by family."""
    chart: tuple[Bucket, ...]
    """Of the window, step by step; empty where it is not asked for."""
    usual: Mapping[int, Spend]
    """What hours of the chart cost in the weeks before, by their begin."""
    feed: tuple[RequestRow, ...]
    """The requests that happened last, newest first."""
    sources: tuple[SourceActivity, ...]
    attention: Attention
    total: Spend
    """Of all time."""
    plan: PlanUse | None
    """None where no call under a plan was ever recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanUse:
    """What coding agents used under a plan, with what it would have cost; it is in none of the other figures."""

    today: Spend
    last_hour: Spend
    users: tuple[KeySpend, ...]
    """Of the window, the largest first."""
    models: tuple[KeySpend, ...]
    """Of the window, by family."""
    chart: Mapping[int, Spend]
    """Of the window, by the begin of its steps, without the empty ones."""


def overview(
    connection: Connection,
    limits: Sequence[Limit],
    calendar: Calendar,
    now: int,
    *,
    feed_size: int,
    window: Span,
    chart: Chart | None,
    top: int,
    steps: Sequence[Span] = (),
    step: int | None = None,
) -> Overview:
    """The Overview at `now`, with the users and models of a window of time, and calls under a plan by its steps."""
    day = bounds(parse_window("day"), now, calendar)
    assert day.start_us is not None
    return Overview(
        now=now,
        today=spent_today(connection, calendar, now),
        last_hour=spent_last_hour(connection, now),
        day_bounds=day,
        limits=uses(connection, limits, calendar, now),
        users=by_key(connection, "user", window.since, window.until, top),
        models=by_key(connection, FAMILY, window.since, window.until, top),
        chart=() if chart is None else per_bucket(connection, *chart.span, chart.step),
        usual={} if chart is None else usual_hours(connection, chart.span),
        feed=page(connection, RequestQuery(), FilterContext(now, calendar), None, feed_size).rows,
        sources=last_arrivals(connection, day.start_us),
        attention=attention(connection, now),
        total=spend(connection, None, None),
        plan=PlanUse(
            today=under_plan_today(connection, calendar, now),
            last_hour=plan_spend(connection, now - HOUR, None),
            users=plan_by_key(connection, "user", window),
            models=plan_by_key(connection, FAMILY, window),
            chart=plan_per_step(connection, steps, step),
        )
        if plan_calls(connection)
        else None,
    )
