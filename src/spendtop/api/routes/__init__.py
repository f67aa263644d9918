"""The admin API, one module per group of routes. Every group gives a router."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request
from sqlalchemy import Connection

from spendtop.api.context import Context
from spendtop.api.shapes import ErrorAnswer
from spendtop.domain.windows import Calendar

WRITES_WITHIN = 30.0
"""Seconds that a change may take; a locked store is waited for so long."""

UNKNOWN_ID: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "There is nothing with this id."}
}
"""For the description of routes that take an id."""

Result = TypeVar("Result")


def context_of(request: Request) -> Context:
    """The listener's surroundings."""
    context = request.app.state.context
    assert isinstance(context, Context)
    return context


def calendar_of(request: Request) -> Calendar:
    """Where local days begin."""
    return context_of(request).settings().time.calendar


def written(request: Request, work: Callable[[Connection], Result]) -> Result:
    """What `work` gives, done in the writer's turn and committed.

    Raises what `work` raises, and TimeoutError when the store cannot be written for so long.
    """
    return context_of(request).recorder.run(work).result(WRITES_WITHIN)
