"""Limits as they stand, raising one for a while and taking that back, and trying one on the past."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from msgspec.structs import replace
from sqlalchemy import Connection

from spendtop.api.context import Context
from spendtop.api.query import InvalidField
from spendtop.api.questions import standing_limits
from spendtop.api.routes import calendar_of, context_of, written
from spendtop.api.shapes.limits import (
    BacktestAnswer,
    BacktestBody,
    ProviderLimitItem,
    ProviderLimitsAnswer,
    RaiseAnswer,
    RaiseBody,
    RaisesAnswer,
    UnraiseParameters,
)
from spendtop.api.shapes.spending import ErrorAnswer, LimitsAnswer
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.limits.limit import Limit
from spendtop.domain.limits.raises import end_of
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.windows import Calendar
from spendtop.services.limits import raises
from spendtop.services.limits.backtests import backtest
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.limits.provider_limits import provider_limits
from spendtop.store.reads.limits.uses import LimitUse, uses

_BY = "api"
_NO_LIMIT: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The body is not JSON."},
    404: {"model": ErrorAnswer, "description": "There is no limit of this name."},
}


_NOT_RAISED: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "There is no limit of this name, or it is not raised."},
}


def router() -> APIRouter:
    routes = APIRouter(tags=["limits"])
    routes.add_api_route("/limits", limits, methods=["GET"])
    routes.add_api_route("/provider-limits", told_limits, methods=["GET"])
    routes.add_api_route("/limits/{name:path}/raise", raise_limit, methods=["POST"], responses=_NO_LIMIT)
    routes.add_api_route("/limits/{name:path}/raise", unraise_limit, methods=["DELETE"], responses=_NOT_RAISED)
    routes.add_api_route("/limits/backtest", try_on_the_past, methods=["POST"], responses=_NO_LIMIT)
    return routes


def limits(request: Request) -> LimitsAnswer:
    """Every limit as it stands now, the fullest first."""
    context = context_of(request)
    with context.store.reading() as connection:
        standing = uses_in_force(connection, context)
        return standing_limits(connection, standing, FilterContext(context.clock(), calendar_of(request)))


def told_limits(request: Request) -> ProviderLimitsAnswer:
    """Every limit that providers themselves put on spend, as they tell it, the fullest first."""
    context = context_of(request)
    with context.store.reading() as connection:
        uses = provider_limits(connection, context.clock())
    return ProviderLimitsAnswer(data=[*map(ProviderLimitItem.of, uses)])


def raise_limit(request: Request, name: str, body: RaiseBody) -> RaiseAnswer:
    """Raise a limit by an amount until an instant; then it holds as before."""
    now = context_of(request).clock()

    def work(connection: Connection) -> RaiseAnswer:
        configured, calendar = _configured(connection)
        limit = raises.limit_named(configured, name)
        try:
            until = end_of(body.until, now, calendar)
        except ValueError as wrong:
            raise InvalidField("until", str(wrong)) from None
        return RaiseAnswer.of(raises.raise_limit(connection, limit, body.entity, Usd.of(body.usd), until, now, _BY))

    try:
        return written(request, work)
    except raises.NoSuchLimit:
        raise HTTPException(404, _NO_LIMIT[404]["description"]) from None
    except raises.ImpossibleAmount as failure:
        raise InvalidField("usd", str(failure)) from None
    except raises.ImpossibleEnd as failure:
        raise InvalidField("until", str(failure)) from None
    except raises.ImpossibleEntity as failure:
        raise InvalidField("entity", str(failure)) from None


def unraise_limit(request: Request, name: str, parameters: Annotated[UnraiseParameters, Query()]) -> RaisesAnswer:
    """End what raises a limit now. Answers the raises that were taken back, with when they would have ended."""
    now = context_of(request).clock()

    def work(connection: Connection) -> RaisesAnswer:
        limit = raises.limit_named(_configured(connection)[0], name)
        taken = raises.unraise_limit(connection, limit, parameters.entity, now)
        return RaisesAnswer(data=[RaiseAnswer.of(one) for one in taken])

    try:
        return written(request, work)
    except (raises.NoSuchLimit, raises.NotRaised):
        raise HTTPException(404, _NOT_RAISED[404]["description"]) from None
    except raises.ImpossibleEntity as failure:
        raise InvalidField("entity", str(failure)) from None


def try_on_the_past(request: Request, body: BacktestBody) -> BacktestAnswer:
    """What a limit would have said over the last days, by the requests that are stored."""
    context = context_of(request)
    with context.store.reading() as connection:
        configured, calendar = _configured(connection)
    try:
        limit = raises.limit_named(configured, body.name)
    except raises.NoSuchLimit:
        raise HTTPException(404, _NO_LIMIT[404]["description"]) from None
    if body.usd is not None:
        amount = Usd.of(body.usd)
        if amount <= ZERO:
            raise InvalidField("usd", "has to be more than zero")
        limit = replace(limit, amount=amount)
    ceiling = context.ceilings().get(limit.name)
    tried = backtest(context.store, limit, calendar, body.days, context.clock(), ceiling=ceiling)
    assert tried is not None
    return BacktestAnswer.of(tried, calendar)


def uses_in_force(connection: Connection, context: Context) -> tuple[LimitUse, ...]:
    """The limits that the collector applied last, as they stand now; none where it never ran."""
    configured, calendar = _configured(connection)
    return uses(connection, configured, calendar, context.clock(), ceilings=context.ceilings())


def _configured(connection: Connection) -> tuple[tuple[Limit, ...], Calendar]:
    in_force = applied(connection)
    return ((), Calendar()) if in_force is None else (in_force.limits, in_force.calendar)
