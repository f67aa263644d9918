"""The admin API, one module per group of routes. Every group gives a router."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import wait
from itertools import chain
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from spendtop.api.context import Context
from spendtop.api.guards import Guards
from spendtop.api.listener.http_request import HttpRequest
from spendtop.api.shapes.spending import ErrorAnswer
from spendtop.domain.windows import Calendar

WRITES_WITHIN = 30.0
"""Seconds for which a change waits for its turn; what is begun by then is waited for until its end."""

UNKNOWN_ID: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "There is nothing with this id."}
}
"""For the description of routes that take an id."""

Result = TypeVar("Result")


def context_of(request: Request) -> Context:
    context = request.state.context
    assert isinstance(context, Context)
    return context


def guards_of(request: Request) -> Guards:
    guards = request.state.guards
    assert isinstance(guards, Guards)
    return guards


def http_of(request: Request) -> HttpRequest:
    """The same request as guards know it."""
    return HttpRequest(request.scope, request.receive)


def calendar_of(request: Request) -> Calendar:
    """Where local days begin."""
    return context_of(request).settings().time.calendar


def written(request: Request, work: Callable[[Connection], Result]) -> Result:
    """What `work` gives, done in the writer's turn and committed.

    Raises what `work` raises, and TimeoutError when its turn does not come in time; then it is never done.
    """
    call = context_of(request).recorder.run(work)
    wait((call,), WRITES_WITHIN)
    if call.cancel():
        raise TimeoutError
    return call.result()


def streamed(chunks: Iterator[bytes], media_type: str, headers: Mapping[str, str] | None = None) -> StreamingResponse:
    """An answer that is sent as it is made. What fails before the first chunk is there fails as usual.

    Later failures break the connection: the last, empty chunk of the transfer never comes, so that the client knows.
    """
    first = next(chunks, b"")
    return StreamingResponse(chain([first], chunks), media_type=media_type, headers=headers)
