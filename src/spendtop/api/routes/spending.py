"""What was spent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection

from spendtop.api.query import Range, SummaryParameters
from spendtop.api.routes import calendar_of, context_of
from spendtop.api.routes.limits import uses_in_force
from spendtop.api.shapes import (
    GroupSpend,
    LimitSummary,
    ModelSpend,
    SummaryAnswer,
    Tokens,
    UserSpend,
    instant,
)
from spendtop.domain.money import Usd
from spendtop.store.reads.limits import LimitUse
from spendtop.store.reads.spending import by_key, spend

DEFAULT_HOURS = 24
_MOST_MODELS = 100
_MOST_USERS = 10
_MOST_GROUPS = 1000


def router() -> APIRouter:
    """`/spending/summary`."""
    routes = APIRouter(tags=["spending"])
    routes.add_api_route("/spending/summary", summary, methods=["GET"], response_model_exclude_none=False)
    return routes


def summary(request: Request, parameters: Annotated[SummaryParameters, Query()]) -> SummaryAnswer:
    """Totals, models, users and limits; of the last 24 hours unless a span is given."""
    context = context_of(request)
    now = context.clock()
    span = parameters.range(now, calendar_of(request), DEFAULT_HOURS)
    with context.store.reading() as connection:
        limits = uses_in_force(connection, context)
        return _summary(connection, span, parameters.by, now, limits)


def _summary(
    connection: Connection, span: Range, by: str | None, now: int, limits: tuple[LimitUse, ...]
) -> SummaryAnswer:
    whole = spend(connection, span.since, span.until)
    models = by_key(connection, "model", span.since, span.until, _MOST_MODELS).rows
    users = by_key(connection, "user", span.since, span.until, _MOST_USERS).rows
    groups = by_key(connection, by, span.since, span.until, _MOST_GROUPS).beside(whole) if by else None
    return SummaryAnswer(
        since=instant(span.since),
        until=instant(now if span.until is None else span.until),
        cost_usd=float(whole.cost.dollars),
        cost_nanousd=whole.cost.nano,
        requests=whole.requests,
        unpriced=whole.unpriced,
        tokens=Tokens.of(whole),
        average_cost_usd=Usd.float_of(whole.average),
        by_model=[
            ModelSpend(
                model=row.key.raw or None,
                cost_usd=float(row.spend.cost.dollars),
                cost_nanousd=row.spend.cost.nano,
                requests=row.spend.requests,
                unpriced=row.spend.unpriced,
                share=row.spend.cost.share_of(whole.cost) or 0.0,
            )
            for row in models
        ],
        top_users=[
            UserSpend(
                user_id=row.key.raw or None,
                cost_usd=float(row.spend.cost.dollars),
                cost_nanousd=row.spend.cost.nano,
                requests=row.spend.requests,
                unpriced=row.spend.unpriced,
            )
            for row in users
        ],
        limits=[LimitSummary.of(use) for use in limits],
        by=None if groups is None else [GroupSpend.of(row, whole) for row in groups],
    )
