"""One LLM API call, as a source reports it and as the store keeps it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from spendtop.domain.money import Usd
from spendtop.domain.sources import Source


class Status(StrEnum):
    """How the call ended."""

    OK = "ok"
    ERROR = "error"
    CANCELLED = "cancelled"


class TimeSource(StrEnum):
    """Where `occurred_at` comes from, best first."""

    API = "api"
    CLIENT = "client"
    PROVIDER = "provider"
    RECEIVED = "received"


class Basis(StrEnum):
    """Where a cost comes from."""

    REPORTED = "reported"
    COMPUTED = "computed"
    UNKNOWN = "unknown"


class BodyState(StrEnum):
    """What happened to the prompt and response bodies."""

    STORED = "stored"
    NOT_SENT = "not sent"
    NOT_KEPT = "not kept"
    TRUNCATED = "truncated"
    PURGED = "purged"


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens of one request; None is unknown.

    `prompt` counts all input including cache reads and writes; `completion` includes reasoning.
    """

    prompt: int | None = None
    completion: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None

    @property
    def total(self) -> int | None:
        """All tokens, or None when neither side is known."""
        if self.prompt is None and self.completion is None:
            return None
        return (self.prompt or 0) + (self.completion or 0)


class Cost(Struct, frozen=True, kw_only=True):
    """What a request cost, and on what basis. `amount` None is unknown."""

    amount: Usd | None = None
    basis: Basis = Basis.UNKNOWN
    reported: Usd | None = None
    """The gateway's own figure, also when it was not trusted."""
    computed: Usd | None = None
    """Tokens times price, where both are known."""
    price_version: str | None = None


class Request(Struct, frozen=True, kw_only=True):
    """One request as a source reports it. Strings are raw text from outside."""

    source: Source
    external_id: str
    """The request's identity within its source."""
    received_at: int
    occurred_at: int
    time_source: TimeSource
    time_suspect: bool = False
    response_id: str | None = None
    provider: str | None = None
    model: str | None = None
    status: Status = Status.OK
    http_status: int | None = None
    usage: Usage = Usage()
    cost: Cost = Cost()
    user_id: str | None = None
    session_id: str | None = None
    session_path: str | None = None
    token: str | None = None
    properties: dict[str, str] | None = None
    latency_ms: int | None = None
    ttft_ms: int | None = None
    cached: bool = False
    """A hit in the gateway's cache: costs nothing, shown apart."""
    counted: bool = True
    """False for requests of a shadow token: stored and shown, in no total."""
    verified: bool = False
    request_body: bytes | None = None
    """JSON of the prompt side as it was sent, or None when it was not."""
    response_body: bytes | None = None
    body_state: BodyState = BodyState.NOT_SENT
    content: bytes | None = None
    """Digest of what a push said, where its client gave an id: the same id with other content is a conflict."""

    @property
    def scope(self) -> str:
        """What `external_id` is unique within, besides its source: a client's ids belong to its tracking token."""
        return (self.token or "") if self.source.written_by_hand else ""


SAME_CONTENT = "content:"
"""Begins the `external_id` of a push without any id: it is known by what it says."""


def is_assumed(request: Request) -> bool:
    """Whether a repeat of the request is only assumed to be one: no id says so, its whole content does."""
    return request.source.written_by_hand and request.external_id.startswith(SAME_CONTENT)


class Restored(Struct, frozen=True, kw_only=True):
    """A request as an export holds it: its sources merged, its cost decided."""

    request: Request
    """`source` is the most trusted one, `external_id` the id it gave."""
    external_ids: dict[str, str]
    """Every source's id, by source."""


class TestEvent(Struct, frozen=True, kw_only=True):
    """A gateway's test event: shown under Sources, never counted."""

    source: Source
    external_id: str
    received_at: int
    raw: bytes


class NotUnderstood(Struct, frozen=True, kw_only=True):
    """A correctly signed event that does not have a shape we know: kept in quarantine, re-processable."""

    source: Source
    received_at: int
    reason: str
    raw: bytes


Parsed = Request | TestEvent | NotUnderstood
"""What a receiver makes of one event."""

Event = Parsed | Restored
"""What can be recorded."""
