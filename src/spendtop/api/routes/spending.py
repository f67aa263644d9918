"""What was spent, on which models, by which users, against which limits."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from spendtop.api.query import FilterParameters, InvalidField, Range, SummaryParameters, wrong_search
from spendtop.api.routes import calendar_of, context_of
from spendtop.api.routes.limits import uses_in_force
from spendtop.api.shapes import (
    ApiEquivalent,
    GroupSpend,
    LimitSummary,
    ModelSpend,
    SummaryAnswer,
    Tokens,
    UserSpend,
    instant,
)
from spendtop.api.usage_shapes import DayCostItem, ModelItem, ModelsAnswer, Period, UserCostsAnswer
from spendtop.domain.clock import to_iso
from spendtop.domain.errors import UsageError
from spendtop.domain.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import Calendar
from spendtop.store.engine import Store
from spendtop.store.reads.bucket_spans import Span
from spendtop.store.reads.daily import DAY_DIMENSION, day_spends, days_of, from_the_oldest, key_spends, last_days
from spendtop.store.reads.limits import LimitUse
from spendtop.store.reads.models import models
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import DIMENSIONS, KeySpend, by_key, is_known_user, plan_spend, spend

DEFAULT_HOURS = 24
_MOST_MODELS = 100
_MOST_USERS = 10
_MOST_GROUPS = 1000
_MOST_DAYS = 400


def router() -> APIRouter:
    routes = APIRouter()
    routes.add_api_route(
        "/spending/summary", summary, methods=["GET"], response_model_exclude_none=False, tags=["spending"]
    )
    routes.add_api_route("/models", list_models, methods=["GET"], tags=["models"])
    return routes


def users_router() -> APIRouter:
    routes = APIRouter(tags=["users"])
    routes.add_api_route("/users/{id:path}/costs", user_costs, methods=["GET"])
    return routes


def summary(request: Request, parameters: Annotated[SummaryParameters, Query()]) -> SummaryAnswer:
    """Totals, models, users and limits; of the last 24 hours unless a span is given."""
    context = context_of(request)
    now = context.clock()
    span = parameters.range(now, calendar_of(request), DEFAULT_HOURS)
    with context.store.reading() as connection:
        limits = uses_in_force(connection, context)
        answer = _summary(connection, span, parameters.by, now, limits)
    if parameters.by is not None and parameters.by.startswith(DAY_DIMENSION):
        answer.by = _by_day(context.store, Span(span.since, span.until or now), parameters.by, calendar_of(request))
    return answer


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


def list_models(request: Request, parameters: Annotated[FilterParameters, Query()]) -> ModelsAnswer:
    """The models of all requests that are kept, or that the query selects, the costliest first."""
    context = context_of(request)
    filters = FilterContext(context.clock(), calendar_of(request))
    query = parameters.query(filters)
    try:
        rows = models(context.store, query, filters)
    except UsageError:
        raise wrong_search() from None
    return ModelsAnswer(data=[ModelItem.of(use) for use in rows])


class DaysParameters(BaseModel):
    """How far back."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[int, Field(ge=1, le=366)] = 30
    """Local days, with today as the last."""


def user_costs(request: Request, id: str, parameters: Annotated[DaysParameters, Query()]) -> UserCostsAnswer:
    """What a user spent in the last days, by local day; nothing, where the store has no request of that user."""
    context, calendar = context_of(request), calendar_of(request)
    now = context.clock()
    period = last_days(parameters.days, now, calendar)
    assert period.since is not None
    with context.store.reading() as connection:
        is_known = is_known_user(connection, id)
    days = day_spends(context.store, days_of(period, calendar), "user", id)
    whole = reduce(add, (day.spend for day in days), Spend.nothing())
    return UserCostsAnswer(
        userId=id,
        known=is_known,
        period=Period(
            text="today" if parameters.days == 1 else f"last {parameters.days} days",
            days=parameters.days,
            since=to_iso(period.since),
            until=to_iso(now),
        ),
        totalCostUSD=Usd.float_of(whole.known_cost),
        totalTokens=Tokens.of(whole),
        requestCount=whole.requests,
        unpriced=whole.unpriced,
        failed=whole.failed,
        byDay=[DayCostItem.of(day, calendar) for day in days],
    )
