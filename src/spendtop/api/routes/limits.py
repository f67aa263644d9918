"""Limits and how much of them is used."""

from __future__ import annotations

from fastapi import APIRouter, Request
from sqlalchemy import Connection

from spendtop.api.context import Context
from spendtop.api.routes import context_of
from spendtop.api.shapes import LimitsAnswer, LimitState
from spendtop.store.reads.applied_config import applied
from spendtop.store.reads.limits import LimitUse, uses


def router() -> APIRouter:
    """`/limits`."""
    routes = APIRouter(tags=["limits"])
    routes.add_api_route("/limits", limits, methods=["GET"])
    return routes


def limits(request: Request) -> LimitsAnswer:
    """Every limit as it stands now, the fullest first."""
    context = context_of(request)
    with context.store.reading() as connection:
        found = uses_in_force(connection, context)
    return LimitsAnswer(data=[LimitState.of(use) for use in found])


def uses_in_force(connection: Connection, context: Context) -> tuple[LimitUse, ...]:
    """The limits that the collector applied last, as they stand now; none where it never ran."""
    in_force = applied(connection)
    if in_force is None:
        return ()
    return uses(connection, in_force.limits, in_force.calendar, context.clock(), ceilings=context.ceilings())
