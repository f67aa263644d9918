"""Exports: all that a filter selects, streamed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from spendtop.api.query import FilterParameters, wrong_search
from spendtop.api.routes import calendar_of, context_of, streamed
from spendtop.domain.errors import UsageError
from spendtop.domain.filters import FilterContext
from spendtop.services.request_export import FORMATS, pages
from spendtop.store.reads.requests import refuse_unsearchable

_MEDIA_TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


def router() -> APIRouter:
    routes = APIRouter(tags=["exports"])
    routes.add_api_route("/export.csv", export_csv, **_described("csv"))
    routes.add_api_route("/export.jsonl", export_jsonl, **_described("jsonl"))
    return routes


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
