"""Requests: the list, and one with its bodies."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request
from sqlalchemy import Connection

from spendtop.api.query import InvalidField, ListParameters
from spendtop.api.routes import calendar_of, context_of
from spendtop.api.shapes import RequestAnswer, RequestItem, RequestsAnswer, RevisionItem, Totals, instant
from spendtop.domain.conversation import parse_conversation, prompt_text, response_text
from spendtop.domain.errors import UsageError
from spendtop.domain.filters import FilterContext
from spendtop.store.reads.detail import RequestDetail, detail, find_external
from spendtop.store.reads.requests import page, spend_of

_LARGEST_ID = 2**63 - 1


def router() -> APIRouter:
    """`/requests` and `/requests/{id}`."""
    routes = APIRouter(tags=["requests"])
    routes.add_api_route("/requests", requests, methods=["GET"])
    routes.add_api_route("/requests/{id}", one_request, methods=["GET"])
    return routes


def requests(request: Request, parameters: Annotated[ListParameters, Query()]) -> RequestsAnswer:
    """Requests without their bodies, newest first; all that are kept unless a span is given."""
    context = context_of(request)
    filters = FilterContext(context.clock(), calendar_of(request))
    query = parameters.query(filters)
    try:
        with context.store.reading() as connection:
            found = page(connection, query, filters, parameters.cursor, parameters.limit)
            totals = spend_of(connection, query, filters)
    except UsageError:
        field, problem = ("cursor", "is none of this list") if parameters.cursor else ("q", "cannot be searched for")
        raise InvalidField(field, problem) from None
    return RequestsAnswer(
        data=[RequestItem(**RequestItem.fields_of(row)) for row in found.rows],
        totals=Totals.of(totals),
        next_cursor=found.next_cursor,
    )


def one_request(request: Request, id: str) -> RequestAnswer:
    """One request by our id or by one that a source gave it."""
    with context_of(request).store.reading() as connection:
        found = _find(connection, id)
    if found is None:
        raise HTTPException(404, "The store has no request with this id.")
    conversation = parse_conversation(found.request_body, found.response_body)
    return RequestAnswer(
        **RequestItem.fields_of(found.row),
        request_body=_json(found.request_body),
        response_body=_json(found.response_body),
        body_state=found.row.body_state.value,
        prompt=prompt_text(conversation),
        response=response_text(conversation),
        revisions=[
            RevisionItem(at=instant(revision.at) or "", source=revision.source, changes=revision.changes)
            for revision in found.revisions
        ],
    )


def _find(connection: Connection, id: str) -> RequestDetail | None:
    if id.isascii() and id.isdigit() and len(id) < 20 and int(id) <= _LARGEST_ID:
        found = detail(connection, int(id))
        if found is not None:
            return found
    ours = find_external(connection, id)
    return None if ours is None else detail(connection, ours)


def _json(body: bytes | None) -> Any:
    """A stored body as JSON; what redaction left unreadable, as text."""
    if body is None:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode(errors="replace")
