"""One LLM API call, as a source reports it and as the store keeps it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct

from spendtop.domain.discreet import Discreet
from spendtop.domain.money import Usd
from spendtop.domain.requests.provider_usage import unpack
from spendtop.domain.sources.records import Source

TEST_PROPERTY = "spendtop_test"
"""The property, with the value 1, of requests that `send-test` sent."""


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
    PLAN = "plan"
    """Nothing is billed for it by itself: it is under a subscription."""


class Billing(StrEnum):
    """How a coding agent's calls are paid."""

    API = "api"
    """By what they use."""
    SUBSCRIPTION = "subscription"
    UNKNOWN = "unknown"
    """Nobody says; no call is taken for money then."""


class BodyState(StrEnum):
    """What happened to the prompt and response bodies."""

    STORED = "stored"
    NOT_SENT = "not sent"
    NOT_KEPT = "not kept"
    TRUNCATED = "truncated"
    PURGED = "purged"


class ServiceLevel(StrEnum):
    """At which of a provider's service levels a call was served; each has prices of its own."""

    STANDARD = "standard"
    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"
    FAST = "fast"


class Reporter(StrEnum):
    """Whose figure a reported cost is, the most reliable first."""

    PROVIDER = "provider"
    GATEWAY = "gateway"
    INSTRUMENTATION = "instrumentation"
    CLIENT = "client"


Quantities: TypeAlias = dict[str, int | float]
"""By unit of genai-prices (`web_searches`, `input_audio_seconds`, ...) how much of it there was; no zeros."""


# Records of which there are thousands, and that can be in no cycle, are none of the garbage collector's (`gc=False`).
class Usage(Struct, frozen=True, kw_only=True, gc=False):
    """What one request used: tokens, where None is unknown, and what else is billed.

    `prompt` counts all input, cache reads and writes among it; `completion` includes reasoning. That is how OpenAI
    counts, and what other providers say is brought into this form.
    """

    prompt: int | None = None
    completion: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    units: Quantities | None = None
    """Of what the counts do not tell, such as audio tokens or searches; parts of the counts are counted there too."""

    @property
    def quantities(self) -> Quantities:
        """All that was used, by unit."""
        counts = (self.prompt, self.completion, self.cache_read, self.cache_write, self.reasoning)
        used: Quantities = {unit: count for unit, count in zip(COUNTED_UNITS, counts, strict=True) if count}
        return {**used, **self.units} if self.units else used

    @property
    def is_known(self) -> bool:
        """Whether anything is known to have been used."""
        return bool(self.prompt or self.completion or self.units)

    @property
    def total(self) -> int | None:
        """None when neither side is known."""
        if self.prompt is None and self.completion is None:
            return None
        return (self.prompt or 0) + (self.completion or 0)


COUNTED_UNITS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens")
"""The units of a usage's counts, in their order."""


class Cost(Struct, frozen=True, kw_only=True, gc=False):
    """What a request cost, and on what basis. `amount` None is unknown; of a partial cost it is the known part."""

    amount: Usd | None = None
    basis: Basis = Basis.UNKNOWN
    reported: Usd | None = None
    """What somebody else says, also when it was not trusted."""
    reported_by: Reporter | None = None
    """Who says so."""
    computed: Usd | None = None
    """Quantities times price, where both are known."""
    price_version: str | None = None
    level_assumed: bool = False
    """Whether the service level has no known price, so that the standard price was taken."""
    unpriced_units: Quantities | None = None
    """What of the computed cost has no price: the amount is without it."""
    doubtful: bool = False
    """Whether the reported cost is far from the computed one."""

    @property
    def partial(self) -> bool:
        """Whether the amount is only a part of the cost."""
        return self.unpriced_units is not None

    @property
    def api_equivalent(self) -> Usd | None:
        """Of a call under a plan: what it would have cost by what it used, at list prices, else as its agent says."""
        if self.basis is not Basis.PLAN:
            return None
        return self.reported if self.computed is None else self.computed

    @property
    def words(self) -> str:
        """The amount, and on what it rests, for a log."""
        if self.basis is Basis.PLAN:
            return "under a plan"
        amount = "unpriced" if self.amount is None else f"{'at least ' if self.partial else ''}{self.amount}"
        who = {Basis.REPORTED: self.reported_by, Basis.COMPUTED: self.price_version}.get(self.basis)
        return f"{amount} ({self.basis}{f' by {who}' if who else ''})"


TextT = TypeVar("TextT", bound=str)


class RequestFields(Discreet, Generic[TextT], frozen=True, kw_only=True, gc=False):
    """What there is to know of a request. Text from outside is raw where it is a `str`; faces get it `Untrusted`.

    Instants are UTC microseconds.
    """

    occurred_at: int
    time_source: TimeSource
    time_suspect: bool = False
    received_at: int
    provider: TextT | None = None
    model: TextT | None = None
    status: Status = Status.OK
    http_status: int | None = None
    user_id: TextT | None = None
    session_id: TextT | None = None
    session_path: TextT | None = None
    token: TextT | None = None
    properties: dict[str, str] | None = None
    usage: Usage = Usage()
    cost: Cost = Cost()
    verified: bool = False
    cached: bool = False
    """A hit in the gateway's cache: costs nothing, shown apart."""
    latency_ms: int | None = None
    ttft_ms: int | None = None
    response_id: TextT | None = None
    counted: bool = True
    """False for requests of a shadow token: stored and shown, in no total."""
    body_state: BodyState = BodyState.NOT_SENT
    service_level: ServiceLevel | None = None
    """None where nobody said."""
    inference_geo: str | None = None
    """Where a provider that asks a price of its own for it kept the inference: `us`."""
    served_model: TextT | None = None
    """The model that the answer names, where `model` is another name, such as a deployment's."""
    provider_usage: bytes | None = None
    """The provider's own usage object, packed (see `domain.requests.provider_usage`)."""
    billing: Billing | None = None
    """How it is paid, where it is a coding agent's; None of all others."""
    output_final: bool = True
    """False where only a part of the output was told: completion and cost are lower bounds."""

    @property
    def is_plan(self) -> bool:
        """Whether it is usage under a plan, which is no spend. What another source counts is spend whoever made it."""
        return not self.counted and self.billing in (Billing.SUBSCRIPTION, Billing.UNKNOWN)


class Request(RequestFields[str], frozen=True, kw_only=True, gc=False):
    """One request as a source reports it."""

    source: Source
    external_id: str
    """The request's identity within its source."""
    request_body: bytes | None = None
    """JSON of the prompt side as it was sent, or None when it was not."""
    response_body: bytes | None = None
    content: bytes | None = None
    """Digest of what a push said, where its client gave an id: the same id with other content is a conflict."""
    unread_usage: tuple[str, ...] = ()
    """Names in the provider's usage object that this version does not know."""
    other_ids: tuple[tuple[Source, str], ...] = ()
    """Further ids under which sources report this very request."""

    @property
    def usage_object(self) -> dict[str, Any] | None:
        """The provider's own usage object, as far as it is kept: numbers and the few words that prices depend on."""
        return unpack(self.provider_usage)

    @property
    def scope(self) -> str:
        """What `external_id` is unique within, besides its source: a client's ids belong to its tracking token, and a
        failed try is apart from the one that succeeded under the same id."""
        if self.source.tries_share_ids and self.status is Status.ERROR:
            return FAILED_TRY
        return (self.token or "") if self.source.written_by_hand else ""


FAILED_TRY = "failed"
SAME_CONTENT = "content:"
"""Begins the `external_id` of a push without any id: it is known by what it says."""


def is_assumed(request: Request) -> bool:
    """Whether a repeat of the request is only assumed to be one: no id says so, its whole content does."""
    return request.source.written_by_hand and request.external_id.startswith(SAME_CONTENT)


class Restored(Struct, frozen=True, kw_only=True, gc=False):
    """A request as an export holds it: its sources merged, its cost decided."""

    request: Request
    """`source` is the most trusted one, `external_id` the id it gave."""
    external_ids: dict[str, str]
    """Every source's id, by source."""


class TestEvent(Discreet, frozen=True, kw_only=True):
    """A gateway's test event: shown under Sources, never counted."""

    source: Source
    external_id: str
    received_at: int
    raw: bytes


class NotUnderstood(Discreet, frozen=True, kw_only=True):
    """A correctly signed event that does not have a shape we know: kept in quarantine, re-processable."""

    source: Source
    received_at: int
    reason: str
    raw: bytes


class Waiting(Discreet, frozen=True, kw_only=True):
    """What cannot be recorded before more of it is told: kept in the store meanwhile, under its name."""

    name: str
    told: str
    """As its receiver understands it; without prompts and responses."""
    whole: str | None = None
    """The same with these, which are masked and kept where others are."""


class WaitedFor(Struct, frozen=True, kw_only=True):
    """What waited under a name is recorded with this, or is known to be part of something else."""

    name: str


Parsed = Request | TestEvent | NotUnderstood
"""What a receiver makes of one event."""

Event = Parsed | Restored | Waiting | WaitedFor
"""What can be recorded."""
