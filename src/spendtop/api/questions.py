"""What may be asked about spend without changing anything: the same parameters and answers wherever JSON is spoken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add

from sqlalchemy import Connection

from spendtop.api.query import InvalidField, ListParameters, Range, SummaryParameters, wrong_search
from spendtop.api.shapes.spending import (
    ApiEquivalent,
    GroupSpend,
    LimitItem,
    LimitsAnswer,
    LimitSummary,
    ModelSpend,
    RequestsAnswer,
    RequestTotals,
    SummaryAnswer,
    Tokens,
    UserSpend,
    instant,
)
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.export import record
from spendtop.store.engine import Store
from spendtop.store.reads.forecasts import forecast_of
from spendtop.store.reads.limits.uses import LimitUse
from spendtop.store.reads.requests.lists import listed_spend, page
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.daily import DAY_DIMENSION, day_spends, days_of, from_the_oldest, key_spends
from spendtop.store.reads.spending.sums import DIMENSIONS, KeySpend, by_key, plan_spend, spend

DEFAULT_HOURS = 24
_MOST_MODELS = 100
_MOST_USERS = 10
_MOST_GROUPS = 1000
_MOST_DAYS = 400


def spending_summary(
    store: Store,
    parameters: SummaryParameters,
    context: FilterContext,
    uses: Callable[[Connection], tuple[LimitUse, ...]],
) -> SummaryAnswer:
    """Totals, models, users, and how limits stand; of the last 24 hours unless a span is given. Raises InvalidField."""
    now, calendar = context.now_us, context.calendar
    span = parameters.range(now, calendar, DEFAULT_HOURS)
    with store.reading() as connection:
        answer = _summary(connection, span, parameters.by, now, uses(connection))
    if parameters.by is not None and parameters.by.startswith(DAY_DIMENSION):
        answer.by = _by_day(store, Span(span.since, span.until or now), parameters.by, calendar)
    return answer


def listed_requests(store: Store, parameters: ListParameters, context: FilterContext) -> RequestsAnswer:
    """Requests without their bodies, newest first; all that are kept unless a span is given. Raises InvalidField."""
    query = parameters.query(context)
    try:
        with store.reading() as connection:
            listed = page(connection, query, context, parameters.cursor, parameters.limit)
            totals = listed_spend(connection, query, context)
    except UsageError:
        raise wrong_search(parameters.cursor) from None
    return RequestsAnswer(
        data=[record(row) for row in listed.rows],
        totals=RequestTotals.of(totals),
        next_cursor=listed.next_cursor,
    )


def standing_limits(connection: Connection, uses: Sequence[LimitUse], context: FilterContext) -> LimitsAnswer:
    """Limits with what may become of them, in the order of their uses."""
    now, calendar = context.now_us, context.calendar
    return LimitsAnswer(data=[LimitItem.of(use, forecast_of(connection, use, calendar, now)) for use in uses])


def _by_day(store: Store, span: Span, by: str, calendar: Calendar) -> list[GroupSpend]:
    """Every day of the span in its order; with a second dimension, each of its values on each day."""
    days = days_of(from_the_oldest(store, span), calendar)
    if len(days) > _MOST_DAYS:
        raise InvalidField("since", f"is more than {_MOST_DAYS} days before the end; ask by day for a shorter span")
    _, _, dimension = by.partition(",")
    if dimension:
        found = [(each.start, each.row) for each in key_spends(store, days, dimension, _MOST_GROUPS)]
    else:
        found = [
            (day.start, KeySpend(Untrusted(_date(day.start, calendar)), day.spend)) for day in day_spends(store, days)
        ]
    whole = reduce(add, (row.spend for _, row in found), Spend.nothing())
    return [GroupSpend.of(row, whole, _date(start, calendar)) for start, row in found]


def _date(start: int, calendar: Calendar) -> str:
    return f"{calendar.local(start):%Y-%m-%d}"


def _summary(
    connection: Connection, span: Range, by: str | None, now: int, limits: tuple[LimitUse, ...]
) -> SummaryAnswer:
    whole = spend(connection, span.since, span.until)
    models = by_key(connection, "model", span.since, span.until, _MOST_MODELS).rows
    users = by_key(connection, "user", span.since, span.until, _MOST_USERS).rows
    groups = by_key(connection, by, span.since, span.until, _MOST_GROUPS).beside(whole) if by in DIMENSIONS else None
    return SummaryAnswer(
        since=instant(span.since),
        until=instant(now if span.until is None else span.until),
        tokens=Tokens.of(whole),
        **whole.figures(),
        average_cost_usd=Usd.float_of(whole.average),
        by_model=[ModelSpend.of(row, whole) for row in models],
        top_users=[UserSpend.of(row) for row in users],
        limits=[LimitSummary.of(use) for use in limits],
        api_equivalent=ApiEquivalent.of(plan_spend(connection, span.since, span.until)),
        by=None if groups is None else [GroupSpend.of(row, whole) for row in groups],
    )
