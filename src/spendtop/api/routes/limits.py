"""Limits as they stand, and raising one for a while."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from spendtop.api.context import Context
from spendtop.api.ledger_shapes import Dollars
from spendtop.api.query import InvalidField
from spendtop.api.routes import calendar_of, context_of, written
from spendtop.api.shapes import ErrorAnswer, LimitItem, LimitsAnswer, instant
from spendtop.domain.limits import Limit
from spendtop.domain.money import Usd
from spendtop.domain.raises import Raise, end_of
from spendtop.domain.windows import Calendar
from spendtop.services import raises
from spendtop.store.reads.applied_config import applied
from spendtop.store.reads.forecasts import forecast_of
from spendtop.store.reads.limits import LimitUse, uses

_BY = "api"
_NO_LIMIT: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The body is not JSON."},
    404: {"model": ErrorAnswer, "description": "There is no limit of this name."},
}


class RaiseBody(BaseModel):
    """By how much, for whom and until when."""

    model_config = ConfigDict(extra="forbid")

    usd: Dollars
    """More than zero; comes on top of what the limit has."""
    until: Annotated[str, Field(min_length=1, max_length=64)]
    """An instant such as 2026-12-01T14:00Z, or tonight, tomorrow, week, month, 2h, 18:00, 2026-12-01 by the
    collector's clocks."""
    entity: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """Whose limit; all of them without it."""


class RaiseAnswer(BaseModel):
    """A limit that is raised for a while."""

    id: int
    name: str
    entity: str | None
    """null: all that the limit holds for."""
    raised_usd: float
    raised_nanousd: int
    since: str | None
    until: str | None
    """When it ends by itself."""

    @classmethod
    def of(cls, one: Raise) -> RaiseAnswer:
        return cls(
            id=one.id,
            name=one.limit_name,
            entity=one.entity,
            raised_usd=float(one.amount.dollars),
            raised_nanousd=one.amount.nano,
            since=instant(one.since),
            until=instant(one.until),
        )


def router() -> APIRouter:
    routes = APIRouter(tags=["limits"])
    routes.add_api_route("/limits", limits, methods=["GET"])
    routes.add_api_route("/limits/{name:path}/raise", raise_limit, methods=["POST"], responses=_NO_LIMIT)
    return routes


def limits(request: Request) -> LimitsAnswer:
    """Every limit as it stands now, the fullest first."""
    context = context_of(request)
    now, calendar = context.clock(), calendar_of(request)
    with context.store.reading() as connection:
        standing = uses_in_force(connection, context)
        return LimitsAnswer(data=[LimitItem.of(use, forecast_of(connection, use, calendar, now)) for use in standing])


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


def uses_in_force(connection: Connection, context: Context) -> tuple[LimitUse, ...]:
    """The limits that the collector applied last, as they stand now; none where it never ran."""
    configured, calendar = _configured(connection)
    return uses(connection, configured, calendar, context.clock(), ceilings=context.ceilings())


def _configured(connection: Connection) -> tuple[tuple[Limit, ...], Calendar]:
    in_force = applied(connection)
    return ((), Calendar()) if in_force is None else (in_force.limits, in_force.calendar)
