"""The admin API: FastAPI behind the listener's guards. Imported with the first request that needs it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.security import APIKeyHeader, HTTPBearer
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from spendtop import __version__
from spendtop.api import sign_in
from spendtop.api.answers import INTERNAL, NOT_JSON, App, HttpAnswer, Receive, Refused, Scope, Send, busy, error
from spendtop.api.context import Context
from spendtop.api.dashboard import routes as dashboard
from spendtop.api.description import describe_routes, described_fields
from spendtop.api.feed import Feed
from spendtop.api.guards import Guards
from spendtop.api.query import InvalidField
from spendtop.api.routes import (
    alerts,
    events,
    http_of,
    ledger,
    limits,
    requests,
    service,
    sessions,
    sources,
    spending,
    tokens,
)
from spendtop.api.shapes.spending import ErrorAnswer
from spendtop.config.violations import violation
from spendtop.domain.errors import CannotCreate, CannotWrite
from spendtop.domain.known_names import unknown_name
from spendtop.services.stores.descriptors import descriptors
from spendtop.sources.registry import Readers

_PREFIXES = ("", "/api")
_CODES = {404: "not_found", 405: "method_not_allowed", 409: "taken"}
_MESSAGES = {
    404: "There is nothing at this address. /openapi.json lists what there is.",
    405: "This address does not take this method.",
}
_INVALID: dict[int | str, dict[str, Any]] = {422: {"model": ErrorAnswer}}
"""In place of the shape that FastAPI describes and we do not send."""


def build_admin(context: Context, guards: Guards, readers: Readers) -> App:
    """The admin API as one ASGI application. Takes a second the first time, as it imports FastAPI's world."""
    routes = _routes(readers)
    state = {
        "context": context,
        "guards": guards,
        "feed": Feed(context.store, context.clock, context.ceilings, descriptors().followers),
    }

    async def admin(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = state  # in place: who logs the answer finds the route there
        await routes(scope, receive, send)

    return admin


@cache
def _routes(readers: Readers) -> FastAPI:
    """All routes, for every listener: whose request it is, its state says."""
    app = FastAPI(
        title="spendtop",
        version=__version__,
        description="Live spend on LLM APIs: what was spent, by whom, against which limits.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_errors(app)
    # The schemes only describe the credential; `_admitted` decides.
    shown = [Depends(APIKeyHeader(name="X-API-Key", auto_error=False)), Depends(HTTPBearer(auto_error=False))]
    guarded = [Depends(_admitted), Depends(_known), *shown]
    for prefix in _PREFIXES:
        for group in (
            spending.router,
            requests.router,
            sessions.router,
            spending.users_router,
            limits.router,
            requests.exports_router,
            ledger.router,
            alerts.router,
            tokens.router,
            sources.router,
            events.router,
            service.router,
            dashboard.reads_router,
        ):
            app.include_router(group(), prefix=prefix, dependencies=guarded, responses=_INVALID)
        app.include_router(dashboard.page_router(), prefix=prefix)
    describe_routes(app, readers)
    return app


async def _admitted(request: Request) -> None:
    guards: Guards = request.state.guards
    by_sign_in = sign_in.without_prefix(request.scope["route"].path_format) in sign_in.OPENED
    refusal = (guards.page if by_sign_in else guards.admin)(http_of(request))
    if refusal is not None:
        raise Refused(refusal)


async def _known(request: Request) -> None:
    names = set(request.query_params)
    if names and (unknown := names - set(described_fields(request, "query"))):
        raise Refused(_invalid(dict(_unknown(request, "query", name) for name in sorted(unknown))))


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, refusal: Refused) -> Response:
        return _response(refusal.answer)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, failure: HTTPException) -> Response:
        message = _MESSAGES.get(failure.status_code, "This cannot be answered.")
        if failure.detail != HTTPStatus(failure.status_code).phrase:
            message = failure.detail
        code = _CODES.get(failure.status_code, "error")
        headers = failure.headers
        path = getattr(request.scope.get("route"), "path_format", request.url.path)
        if failure.status_code == 405 and (described := app.openapi()["paths"].get(path)):
            headers = {"Allow": ", ".join(method.upper() for method in described)}
        return _response(error(failure.status_code, code, message), headers)

    @app.exception_handler(InvalidField)
    async def invalid(_: Request, failure: InvalidField) -> Response:
        return _response(_invalid({failure.field: failure.problem}))

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, failure: RequestValidationError) -> Response:
        problems = failure.errors()
        if any(problem["type"] == "json_invalid" for problem in problems):
            return _response(NOT_JSON)
        return _response(_invalid(dict(_problem(request, problem) for problem in problems)))

    @app.exception_handler(DBAPIError)
    async def no_store(_: Request, failure: DBAPIError) -> Response:
        return _response(busy("store_unavailable", "The store cannot be used at the moment. Try again."))

    @app.exception_handler(CannotWrite)
    @app.exception_handler(TimeoutError)
    async def not_written(_: Request, failure: Exception) -> Response:
        return _response(busy("store_unavailable", "The store cannot be written at the moment. Try again."))

    @app.exception_handler(CannotCreate)
    async def no_room(_: Request, failure: CannotCreate) -> Response:
        return _response(busy("no_room", "The file cannot be written. Make room, and try again.", status=507))

    @app.exception_handler(Exception)
    async def failed(_: Request, failure: Exception) -> Response:
        return _response(INTERNAL)


def _problem(request: Request, problem: Mapping[str, Any]) -> tuple[str, str]:
    """The parameter's name and what is wrong with it."""
    if problem["type"] == "extra_forbidden":
        return _unknown(request, str(problem["loc"][0]), str(problem["loc"][-1]))
    return str(problem["loc"][-1]), violation(problem["type"], problem.get("ctx", {}), problem["msg"])


def _unknown(request: Request, place: str, name: str) -> tuple[str, str]:
    """Of a name that the route has none of in its `query` or `body`."""
    return unknown_name(name, described_fields(request, place), place)


def _invalid(fields: dict[str, str]) -> HttpAnswer:
    return error(422, "invalid", "Some parameters cannot be used.", fields=fields)


def _response(answer: HttpAnswer, headers: Mapping[str, str] | None = None) -> Response:
    own = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, answer.status, {**own, **(headers or {})}, answer.content_type.decode())
