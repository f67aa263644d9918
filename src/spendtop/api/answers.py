"""What the listener answers: small whole JSON bodies, and one shape for every error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from spendtop.api.counters import Count
from spendtop.domain.discreet import Discreet
from spendtop.domain.sources.refusals import RefusalReason

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

SAFE_HEADERS: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
JSON = b"application/json"


class HttpAnswer(Discreet, frozen=True):
    status: int
    body: bytes
    headers: tuple[Header, ...] = ()
    content_type: bytes = JSON


class ErrorBody(Struct, frozen=True, omit_defaults=True):
    """What went wrong, for programs (`code`) and people (`message`). Never holds what was submitted."""

    code: str
    message: str
    fields: dict[str, str] | None = None
    """Field name to what is wrong with it."""


class Refused(Exception):
    """Raised to give `answer`, and to count it as `count`; `reason` is what is wrong with the sender, if that is it,
    and `token` the name of the tracking token that it may not use."""

    def __init__(
        self,
        answer: HttpAnswer,
        count: Count | None = None,
        reason: RefusalReason | None = None,
        token: str = "",
    ) -> None:
        super().__init__(answer.status)
        self.answer = answer
        self.count = count
        self.reason = reason
        self.token = token


def error(
    status: int, code: str, message: str, *, fields: dict[str, str] | None = None, headers: tuple[Header, ...] = ()
) -> HttpAnswer:
    body = msgspec.json.encode({"error": ErrorBody(code, message, fields)})
    return HttpAnswer(status, body, headers)


def busy(code: str, message: str, status: int = 503, seconds: int = 5) -> HttpAnswer:
    """A failure that goes away: come again in `seconds`."""
    return error(status, code, message, headers=((b"retry-after", b"%d" % seconds),))


NOT_JSON = error(400, "not_json", "The body is not JSON. Send one whole JSON value, in UTF-8.")
STORE_UNAVAILABLE = busy("store_unavailable", "The store cannot be used at the moment. Send again.")
STORE_FULL = busy("store_full", "The disk of the store is full. Send again when there is room.", status=507, seconds=60)
INTERNAL = error(500, "internal", "Something went wrong here. The log of the collector says more.")


async def send_answer(send: Send, answer: HttpAnswer, extra: tuple[Header, ...] = ()) -> None:
    """Send a whole answer with the headers that every answer has."""
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
        *SAFE_HEADERS,
        *answer.headers,
        *extra,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
