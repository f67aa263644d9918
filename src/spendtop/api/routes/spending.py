"""What was spent, on which models, by which users, against which limits."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from spendtop.api.query import FilterParameters, SummaryParameters, wrong_search
from spendtop.api.questions import spending_summary
from spendtop.api.routes import calendar_of, context_of
from spendtop.api.routes.limits import uses_in_force
from spendtop.api.shapes.spending import (
    SummaryAnswer,
    Tokens,
)
from spendtop.api.shapes.usage import DayCostItem, ModelItem, ModelsAnswer, Period, UserCostsAnswer
from spendtop.domain.clock import to_iso
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.store.reads.models import models
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending.daily import day_spends, days_of, last_days
from spendtop.store.reads.spending.sums import is_known_user


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
    return spending_summary(
        context.store,
        parameters,
        FilterContext(context.clock(), calendar_of(request)),
        lambda connection: uses_in_force(connection, context),
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
