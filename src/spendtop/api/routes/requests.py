"""Requests: the list, and one with its bodies."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request

from spendtop.api.query import ListParameters, wrong_search
from spendtop.api.routes import UNKNOWN_ID, calendar_of, context_of
from spendtop.api.shapes import RequestAnswer, RequestsAnswer, RequestTotals, request_answer
from spendtop.domain.errors import UsageError
from spendtop.domain.filters import FilterContext
from spendtop.services.request_export import record
from spendtop.store.reads.detail import find
from spendtop.store.reads.requests import page, spend_of


def router() -> APIRouter:
    routes = APIRouter(tags=["requests"])
    for path in ("/requests", "/data"):
        routes.add_api_route(path, requests, methods=["GET"])
    routes.add_api_route("/requests/{id:path}", one_request, methods=["GET"], responses=UNKNOWN_ID)
    return routes


def requests(request: Request, parameters: Annotated[ListParameters, Query()]) -> RequestsAnswer:
    """Requests without their bodies, newest first; all that are kept unless a span is given."""
    context = context_of(request)
    filters = FilterContext(context.clock(), calendar_of(request))
    query = parameters.query(filters)
    try:
        with context.store.reading() as connection:
            listed = page(connection, query, filters, parameters.cursor, parameters.limit)
            totals = spend_of(connection, query, filters)
    except UsageError:
        raise wrong_search(parameters.cursor) from None
    return RequestsAnswer(
        data=[record(row) for row in listed.rows],
        totals=RequestTotals.of(totals),
        next_cursor=listed.next_cursor,
    )


def one_request(request: Request, id: str) -> RequestAnswer:
    """One request by our id or by one that a source gave it."""
    with context_of(request).store.reading() as connection:
        detail = find(connection, id)
    if detail is None:
        raise HTTPException(404, "The store has no request with this id.")
    return request_answer(detail)
