"""The admin API: FastAPI behind the listener's guards. Imported with the first request that needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.security import APIKeyHeader, HTTPBearer
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from spendtop import __version__
from spendtop.api.answers import Answer, App, busy, error
from spendtop.api.context import Context
from spendtop.api.described import describe_hot_routes
from spendtop.api.guards import Guards
from spendtop.api.query import InvalidField
from spendtop.api.routes import limits, pages, requests, spending
from spendtop.api.shapes import ErrorAnswer

_PREFIXES = ("", "/api")
_CODES = {404: "not_found", 405: "method_not_allowed"}
_MESSAGES = {404: "There is nothing at this address.", 405: "This address does not take this method."}
_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorAnswer, "description": "The api key is missing or wrong."},
    403: {"model": ErrorAnswer, "description": "Without an api key only local programs are answered."},
    422: {"model": ErrorAnswer, "description": "A parameter cannot be used; `fields` names it."},
    429: {"model": ErrorAnswer, "description": "Too many requests; Retry-After says when to come again."},
    503: {"model": ErrorAnswer, "description": "The store cannot be read at the moment."},
}


class _Refused(Exception):
    """Raised by a dependency to answer `answer`."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def build_admin(context: Context, guards: Guards) -> App:
    """The admin API as one ASGI application. Takes a second the first time, as it imports FastAPI's world."""
    app = FastAPI(
        title="spendtop",
        version=__version__,
        description="Live spend on LLM APIs: what was spent, by whom, against which limits.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    _add_errors(app)

    async def admitted(request: Request) -> None:
        refusal = guards.admin(request.scope)
        if refusal is not None:
            raise _Refused(refusal)

    # The schemes only describe the credential; `admitted` decides.
    shown = [Depends(APIKeyHeader(name="X-API-Key", auto_error=False)), Depends(HTTPBearer(auto_error=False))]
    guarded = [Depends(admitted), *shown]
    for prefix in _PREFIXES:
        for group in (spending.router, requests.router, limits.router, pages.description_router):
            app.include_router(group(), prefix=prefix, dependencies=guarded, responses=_ERRORS)
        app.include_router(pages.dashboard_router(), prefix=prefix)
    describe_hot_routes(app)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(_Refused)
    async def refused(_: Request, refusal: _Refused) -> Response:
        return _response(refusal.answer)

    @app.exception_handler(HTTPException)
    async def no_route(_: Request, failure: HTTPException) -> Response:
        message = _MESSAGES.get(failure.status_code, "This cannot be answered.")
        code = _CODES.get(failure.status_code, "error")
        return _response(error(failure.status_code, code, message), failure.headers)

    @app.exception_handler(InvalidField)
    async def invalid(_: Request, failure: InvalidField) -> Response:
        return _response(_invalid({failure.field: failure.problem}))

    @app.exception_handler(RequestValidationError)
    async def not_valid(_: Request, failure: RequestValidationError) -> Response:
        return _response(_invalid(dict(map(_problem, failure.errors()))))

    @app.exception_handler(DBAPIError)
    async def no_store(_: Request, failure: DBAPIError) -> Response:
        return _response(busy("store_unavailable", "The store cannot be read at the moment. Try again."))

    @app.exception_handler(Exception)
    async def failed(_: Request, failure: Exception) -> Response:
        return _response(error(500, "internal", "Something went wrong here. The log of the collector says more."))


def _problem(problem: Mapping[str, Any]) -> tuple[str, str]:
    """The parameter's name and what is wrong with it. A name that is not ours is not repeated."""
    if problem["type"] == "extra_forbidden":
        return "query", "has a parameter that is not known here"
    return str(problem["loc"][-1]), problem["msg"]


def _invalid(fields: dict[str, str]) -> Answer:
    return error(422, "invalid", "Some parameters cannot be used.", fields=fields)


def _response(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    own = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, answer.status, {**own, **(headers or {})}, answer.content_type.decode())
