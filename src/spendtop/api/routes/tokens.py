"""Tracking tokens: listing, creating, switching and deleting them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from spendtop.api.query import InvalidField
from spendtop.api.routes import Result, context_of, written
from spendtop.api.shapes.spending import ErrorAnswer, instant
from spendtop.domain.errors import UsageError
from spendtop.services import tokens
from spendtop.services.snippets import snippets
from spendtop.services.tokens import Token
from spendtop.sources.settings import IngestSettings
from spendtop.store.reads.tokens.tokens import TokenUse, token_uses, use_of

TokenId = Annotated[int, Path(ge=1, le=2**31 - 1)]
_NO_TOKEN: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "There is no tracking token with this id."}
}
_NOT_JSON: dict[int | str, dict[str, Any]] = {400: {"model": ErrorAnswer, "description": "The body is not JSON."}}
_TAKEN: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorAnswer, "description": "There is a tracking token with this name or value already."}
}


class TokenItem(BaseModel):
    """One tracking token."""

    id: int
    token: str
    """What clients send; no secret."""
    name: str
    active: bool
    """Whether it may push."""
    shadow: bool
    """Its requests are stored and shown, not counted, as another source counts them already."""
    created_at: str | None
    last_used_at: str | None
    """When the latest of its requests happened."""
    requests: int

    @classmethod
    def of(cls, use: TokenUse) -> TokenItem:
        return cls(**_fields(use))


class TokensAnswer(BaseModel):
    """All tracking tokens, the oldest first."""

    data: list[TokenItem]


class Snippets(BaseModel):
    """Code that is ready to use. It takes the ingest key from the environment variable SPENDTOP_INGEST_KEY."""

    python: str
    curl: str
    litellm: str
    opentelemetry: str


class CreatedToken(TokenItem):
    """A new tracking token, and how to use it."""

    snippets: Snippets


class NewToken(BaseModel):
    """What a tracking token is to be."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=256)]
    token: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")] | None = None
    """Keeps what existing clients send; a fresh value without it."""
    shadow: StrictBool = False


class Activation(BaseModel):
    """Whether a tracking token may push; without a word the opposite of now."""

    model_config = ConfigDict(extra="forbid")

    active: StrictBool | None = None


def router() -> APIRouter:
    routes = APIRouter(tags=["tokens"])
    one = "/ingest/tokens/{id}"
    routes.add_api_route("/ingest/tokens", list_tokens, methods=["GET"])
    routes.add_api_route("/ingest/tokens", create, methods=["POST"], status_code=201, responses=_NOT_JSON | _TAKEN)
    routes.add_api_route(f"{one}/active", activate, methods=["PATCH"], responses=_NOT_JSON | _NO_TOKEN)
    routes.add_api_route(f"{one}/snippets", token_snippets, methods=["GET"], responses=_NO_TOKEN)
    routes.add_api_route(one, delete, methods=["DELETE"], status_code=204, responses=_NO_TOKEN)
    return routes


def list_tokens(request: Request) -> TokensAnswer:
    """All tracking tokens, the oldest first."""
    with context_of(request).store.reading() as connection:
        uses = token_uses(connection)
    return TokensAnswer(data=[TokenItem.of(use) for use in uses])


async def create(request: Request, body: NewToken) -> CreatedToken:
    """Make a tracking token and code that uses it."""
    context = context_of(request)
    length = context.settings().section(IngestSettings).token_length

    def work(connection: Connection) -> Token:
        return tokens.create(
            connection, body.name, context.clock(), value=body.token, shadow=body.shadow, length=length
        )

    try:
        made = await _written(request, work)
    except (tokens.TokenTaken, IntegrityError):
        raise HTTPException(409, _TAKEN[409]["description"]) from None
    except UsageError:
        raise InvalidField("name", "must have printable characters") from None
    use = TokenUse(made, 0, None)
    if body.token is not None:  # requests may be known under a value that a client has sent before
        use = await run_in_threadpool(_use, request, made)
    return CreatedToken(**_fields(use), snippets=_snippets(request, made))


async def activate(request: Request, id: TokenId, body: Activation | None = None) -> TokenItem:
    """Switch a tracking token on or off; an empty body toggles. What it pushed stays."""
    wanted = body.active if body else None

    def work(connection: Connection) -> TokenUse:
        token = _found(connection, id)
        tokens.set_active(connection, id, not token.active if wanted is None else wanted)
        return use_of(connection, _found(connection, id))

    return TokenItem.of(await _written(request, work))


def token_snippets(request: Request, id: TokenId) -> Snippets:
    """Code that uses a tracking token, as it was given when the token was made."""
    with context_of(request).store.reading() as connection:
        return _snippets(request, _found(connection, id))


async def delete(request: Request, id: TokenId) -> None:
    """Delete a tracking token. What it pushed stays; what it pushes from now on is refused."""

    def work(connection: Connection) -> None:
        _found(connection, id)
        tokens.remove(connection, id)

    await _written(request, work)


async def _written(request: Request, work: Callable[[Connection], Result]) -> Result:
    """What `work` gives, committed and known to the listener."""
    result = await run_in_threadpool(written, request, work)
    await context_of(request).tokens.refresh()
    return result


def _found(connection: Connection, id: int) -> Token:
    for token in tokens.tokens(connection):
        if token.id == id:
            return token
    raise HTTPException(404, _NO_TOKEN[404]["description"])


def _use(request: Request, token: Token) -> TokenUse:
    with context_of(request).store.reading() as connection:
        return use_of(connection, token)


def _fields(use: TokenUse) -> dict[str, Any]:
    token = use.token
    return {
        "id": token.id,
        "token": token.token,
        "name": token.name,
        "active": token.active,
        "shadow": token.shadow,
        "created_at": instant(token.created_at),
        "last_used_at": instant(use.last_used_at),
        "requests": use.requests,
    }


def _snippets(request: Request, token: Token) -> Snippets:
    key_name = next(iter(context_of(request).settings().server.ingest_keys), "default")
    return Snippets(**snippets(token.token, _address(request), key_name))


def _address(request: Request) -> str:
    """Where clients reach the listener: the configured address, else the one that this request came to."""
    public = context_of(request).settings().server.public_url
    if public:
        return public
    host, port = request.scope["server"]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
