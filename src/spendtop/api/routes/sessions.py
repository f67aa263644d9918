"""Sessions, which older clients call jobs: the list, what one cost, and what was said in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from spendtop.api.query import ListParameters, wrong_search
from spendtop.api.routes import UNKNOWN_ID, calendar_of, context_of, streamed
from spendtop.api.session_refresh import bodies_fetched, completeness, refreshed
from spendtop.api.shapes.spending import raw
from spendtop.api.shapes.usage import (
    DebugRequest,
    RequestTokens,
    SessionCostsAnswer,
    SessionDebugAnswer,
    SessionItem,
    SessionListAnswer,
)
from spendtop.domain.bodies.conversation import parse_conversation, prompt_text, response_text
from spendtop.domain.clock import to_iso
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import BodyState, Status
from spendtop.services.exchange.export import ascii_json
from spendtop.services.exchange.lines import BODY_REASONS
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.loops import looping_sessions
from spendtop.store.reads.requests.detail import RequestDetail, detail
from spendtop.store.reads.sessions.sessions import positions_in, session_costs, sessions
from spendtop.store.transactions import read

_POSITIONS = 500
"""Requests that are looked up at once; their bodies are read one by one."""
_READABLE = (BodyState.STORED, BodyState.TRUNCATED)


def router() -> APIRouter:
    routes = APIRouter(tags=["sessions"])
    routes.add_api_route("/sessions", list_sessions, methods=["GET"])
    for name in ("sessions", "jobs"):
        routes.add_api_route(f"/{name}/{{id:path}}/costs", costs, methods=["GET"], responses=UNKNOWN_ID)
        routes.add_api_route(
            f"/{name}/{{id:path}}/debug",
            debug,
            methods=["GET"],
            response_class=StreamingResponse,
            responses={200: {"model": SessionDebugAnswer}, **UNKNOWN_ID},
        )
    return routes


def list_sessions(request: Request, parameters: Annotated[ListParameters, Query()]) -> SessionListAnswer:
    """Sessions, those with the newest requests first; their figures are of the requests that the query selects."""
    context = context_of(request)
    filters = FilterContext(context.clock(), calendar_of(request))
    query = parameters.query(filters)
    try:
        page = sessions(context.store, query, filters, parameters.cursor, parameters.limit)
    except UsageError:
        raise wrong_search(parameters.cursor) from None
    with context.store.reading() as connection:
        looping = looping_sessions(connection)
    listed = [SessionItem.of(row, row.state(filters.now_us, looping)) for row in page.rows]
    return SessionListAnswer(data=listed, next_cursor=page.next_cursor)


class CostsParameters(BaseModel):
    """Whether Helicone may be asked first."""

    model_config = ConfigDict(extra="forbid")

    fresh: bool = True
    """Ask it for a session that is unknown, or whose last requests it may not have shown yet: up to 10 s."""


class DebugParameters(BaseModel):
    """Whether Helicone is asked for bodies first."""

    model_config = ConfigDict(extra="forbid")

    fetch: bool = False
    """Ask it for the prompts and responses that are not stored: up to 60 s."""


async def costs(request: Request, id: str, parameters: Annotated[CostsParameters, Query()]) -> SessionCostsAnswer:
    """What a session cost, by model; asked for at Helicone first where that may bring more."""
    context = context_of(request)
    how_complete = await (refreshed if parameters.fresh else completeness)(context, id)
    session = await asyncio.to_thread(session_costs, context.store, id)
    if session is None:
        raise _unknown()
    return SessionCostsAnswer.of(session, how_complete)


async def debug(request: Request, id: str, parameters: Annotated[DebugParameters, Query()]) -> StreamingResponse:
    """The requests of a session in time order, with what was asked and answered; streamed, however many they are."""
    context = context_of(request)
    note = await bodies_fetched(context, id) if parameters.fetch else None
    if not await read(context.store, partial(positions_in, session=id, after=None, most=1)):
        raise _unknown()
    return await asyncio.to_thread(streamed, _debug_chunks(context.store, id, note), "application/json")


def _unknown() -> HTTPException:
    return HTTPException(404, "The store has no request of a session with this id.")


def _debug_chunks(store: Store, session: str, note: str | None) -> Iterator[bytes]:
    before = f'{{"jobId": {ascii_json(session)}, "note": {ascii_json(note)}, "requests": ['
    for request in _details(store, session):
        yield f"{before}{ascii_json(_debug(request).model_dump())}".encode()
        before = ",\n"
    yield b"]}"


def _details(store: Store, session: str) -> Iterator[RequestDetail]:
    """Each is read in a transaction of its own, so that one request's bodies are in memory at a time."""
    after = None
    while True:
        with store.reading() as connection:
            positions = positions_in(connection, session, after, _POSITIONS)
        for _, request_id in positions:
            with store.reading() as connection:
                each = detail(connection, request_id)
            if each is not None:
                yield each
        if len(positions) < _POSITIONS:
            return
        after = positions[-1]


def _debug(request: RequestDetail) -> DebugRequest:
    row = request.row
    conversation = parse_conversation(request.request_body, request.response_body)
    is_readable = row.body_state in _READABLE
    failure = None if row.status is Status.OK else f"{row.status.value} {row.http_status or ''}".rstrip()
    return DebugRequest(
        id=str(row.id),
        timestamp=to_iso(row.occurred_at),
        model=raw(row.model),
        cost=Usd.float_of(row.cost.amount),
        tokens=RequestTokens(prompt=row.usage.prompt, completion=row.usage.completion),
        prompt=prompt_text(conversation) if is_readable else None,
        response=response_text(conversation) if is_readable else None,
        body_state=row.body_state.value,
        body_reason=BODY_REASONS.get(row.body_state),
        latency=row.latency_ms,
        path=raw(row.session_path),
        error=conversation.error or failure,
    )
