"""What users spent."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from spendtop.api.routes import UNKNOWN_ID, calendar_of, context_of
from spendtop.api.shapes import Tokens
from spendtop.api.usage_shapes import DayCostItem, Period, UserCostsAnswer, known_cost
from spendtop.domain.clock import to_iso
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar, bounds, parse_window
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.spending import is_known_user, user_days


class DaysParameters(BaseModel):
    """How far back."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[int, Field(ge=1, le=366)] = 30
    """Local days, with today as the last."""


def router() -> APIRouter:
    routes = APIRouter(tags=["users"])
    routes.add_api_route("/users/{id:path}/costs", costs, methods=["GET"], responses=UNKNOWN_ID)
    return routes


def costs(request: Request, id: str, parameters: Annotated[DaysParameters, Query()]) -> UserCostsAnswer:
    """What a user spent in the last days, by local day."""
    context, calendar = context_of(request), calendar_of(request)
    now = context.clock()
    starts = _starts(parameters.days, now, calendar)
    with context.store.reading() as connection:
        if not id or not is_known_user(connection, id):
            raise HTTPException(404, "The store has no request of a user with this id.")
    days = user_days(context.store, id, starts)
    whole = reduce(add, (day.spend for day in days), Spend.nothing())
    return UserCostsAnswer(
        userId=id,
        period=Period(days=parameters.days, since=to_iso(starts[0]), until=to_iso(now)),
        totalCostUSD=Usd.float_of(known_cost(whole)),
        totalTokens=Tokens.of(whole),
        requestCount=whole.requests,
        unpriced=whole.unpriced,
        byDay=[DayCostItem.of(day, calendar) for day in days],
    )


def _starts(days: int, now: int, calendar: Calendar) -> list[int]:
    """When each of the last local days begins, and when the last one ends; UTC µs, ascending."""
    window = parse_window("day")
    today = bounds(window, now, calendar)
    assert today.start_us is not None and today.end_us is not None
    starts = [today.end_us, today.start_us]
    while len(starts) <= days:
        before = bounds(window, starts[-1] - 1, calendar).start_us
        assert before is not None
        starts.append(before)
    return starts[::-1]
