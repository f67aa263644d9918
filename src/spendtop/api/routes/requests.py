"""Requests: the list, one with its bodies, and all that a filter selects, streamed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from msgspec.structs import replace

from spendtop.api.query import FilterParameters, ListParameters, wrong_search
from spendtop.api.questions import listed_requests
from spendtop.api.routes import UNKNOWN_ID, calendar_of, context_of, guards_of, http_of, streamed
from spendtop.api.shapes.spending import RequestAnswer, RequestsAnswer, request_answer
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.filters import FilterContext
from spendtop.services.exchange.export import FORMATS, pages
from spendtop.store.reads.requests.detail import find
from spendtop.store.reads.requests.lists import refuse_unsearchable

_MEDIA_TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


def router() -> APIRouter:
    routes = APIRouter(tags=["requests"])
    for path in ("/requests", "/data"):
        routes.add_api_route(path, requests, methods=["GET"])
    routes.add_api_route("/requests/{id:path}", one_request, methods=["GET"], responses=UNKNOWN_ID)
    return routes


def exports_router() -> APIRouter:
    routes = APIRouter(tags=["exports"])
    routes.add_api_route("/export.csv", export_csv, **_described("csv"))
    routes.add_api_route("/export.jsonl", export_jsonl, **_described("jsonl"))
    return routes


def requests(request: Request, parameters: Annotated[ListParameters, Query()]) -> RequestsAnswer:
    """Requests without their bodies, newest first; all that are kept unless a span is given."""
    context = context_of(request)
    return listed_requests(context.store, parameters, FilterContext(context.clock(), calendar_of(request)))


def one_request(request: Request, id: str, bodies: bool = True) -> RequestAnswer:
    """One request by our id or by one that a source gave it; on demand without prompt and response.

    Who signed in at the dashboard gets these only with `dashboard_bodies`.
    """
    with context_of(request).store.reading() as connection:
        detail = find(connection, id)
    if detail is None:
        raise HTTPException(404, "The store has no request with this id.")
    if not bodies or (guards_of(request).is_signed_in(http_of(request)) and not shows_bodies(request)):
        detail = replace(detail, request_body=None, response_body=None)
    return request_answer(detail)


def shows_bodies(request: Request) -> bool:
    """Whether the dashboard shows prompts and responses."""
    return context_of(request).settings().server.dashboard_bodies


def _described(kind: str) -> dict[str, Any]:
    content = {_MEDIA_TYPES[kind]: {"schema": {"type": "string"}}}
    described = {"description": "Complete when the last chunk of the transfer has come.", "content": content}
    return {"methods": ["GET"], "response_class": StreamingResponse, "responses": {200: described}}


def export_csv(request: Request, parameters: Annotated[FilterParameters, Query()]) -> StreamingResponse:
    """All requests that the query selects as CSV, newest first. Text that a spreadsheet would run begins with `'`."""
    return _export(request, parameters, "csv")


def export_jsonl(request: Request, parameters: Annotated[FilterParameters, Query()]) -> StreamingResponse:
    """All requests that the query selects, one JSON object per line, newest first."""
    return _export(request, parameters, "jsonl")


def _export(request: Request, parameters: FilterParameters, kind: str) -> StreamingResponse:
    context, calendar = context_of(request), calendar_of(request)
    now = context.clock()
    filters = FilterContext(now, calendar)
    query = parameters.query(filters)
    try:
        with context.store.reading() as connection:
            refuse_unsearchable(connection, query)
    except UsageError:
        raise wrong_search() from None
    name = f"spendtop-requests-{calendar.local(now):%Y%m%d-%H%M%S}.{kind}"
    chunks = FORMATS[kind](pages(context.store, query, filters))
    return streamed(chunks, _MEDIA_TYPES[kind], {"Content-Disposition": f'attachment; filename="{name}"'})
