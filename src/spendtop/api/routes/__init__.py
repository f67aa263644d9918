"""The admin API, one module per group of routes. Every group gives a router."""

from __future__ import annotations

from fastapi import Request

from spendtop.api.context import Context
from spendtop.domain.windows import Calendar


def context_of(request: Request) -> Context:
    """The listener's surroundings."""
    context = request.app.state.context
    assert isinstance(context, Context)
    return context


def calendar_of(request: Request) -> Calendar:
    """Where local days begin."""
    return context_of(request).settings().time.calendar
