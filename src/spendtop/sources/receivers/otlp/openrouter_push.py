"""Spans that OpenRouter broadcasts: one call is a trace of several, of which the first alone counts.

Callers may name its spans, so a call is told from what repeats it by its type and its id, never by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Cost, Reporter, Request, Status, TestEvent, TimeSource
from spendtop.domain.sources.records import OPENROUTER_PUSH
from spendtop.domain.untrusted import storable_name
from spendtop.sources.receivers import Invalid, Item, Post
from spendtop.sources.receivers.otlp import attributes as read
from spendtop.sources.receivers.otlp.calls import is_call
from spendtop.sources.receivers.otlp.requests import NANO_PER_MS, call_of, milliseconds, span_id, trial
from spendtop.sources.receivers.otlp.spans import SERVER, Attributes, TraceSpan
from spendtop.sources.receivers.otlp.usage import amount_of

TEST_HEADER = b"x-test-connection"

_SCOPE = "openrouter"
_TRACE_ID = "openrouter.trace.id"
"""Of the resource: the id of the generation."""
_TESTS = frozenset({"test generation", "openrouter-connection-test"})
_REPEATED = re.compile(r"(?P<id>.+):(?:attempt-\d+|generation)")
_CALL, _PART = "generation", "span"
"""Types of span."""
_METADATA = "trace.metadata."
_OWN = f"{_METADATA}openrouter."
_FIRST_TOKEN = (f"{_OWN}first_token_ms",)
_NAMED = ("api_key_name", "provider_name", "provider_slug")
"""Of OpenRouter's own metadata: what tells who calls and who serves."""
_COSTS = ("gen_ai.usage.total_cost", "gen_ai.usage.cost")
_HUNG_UP = re.compile(r"\bclient (?:has )?(?:disconnected|hung up|aborted|closed)")
_USUAL_NAME = "OpenRouter Request"


def is_by_openrouter(span: TraceSpan) -> bool:
    return span.scope_name == _SCOPE or _TRACE_ID in span.resource


def is_connection_test(post: Post) -> bool:
    """Whether it only tries the way here; there may be nothing in it."""
    return any(value.strip().lower() == b"true" for value in post.header(TEST_HEADER))


def connection_test(received_at: int) -> TestEvent:
    named = f"connection-test-{received_at}"
    return TestEvent(source=OPENROUTER_PUSH, external_id=named, received_at=received_at, raw=b"{}")


def openrouter_items(spans: Iterable[TraceSpan], received_at: int) -> Iterator[Item]:
    """The calls and tests among the spans."""
    for span in spans:
        attributes = read.readable(span.attributes)
        if span.name.strip().lower() in _TESTS:
            yield trial(OPENROUTER_PUSH, span, received_at)
        elif _is_counted(span, attributes):
            try:
                yield _request(span, attributes, received_at)
            except read.CannotTake as problem:
                yield Invalid(problem.fields)


def _is_counted(span: TraceSpan, attributes: Attributes) -> bool:
    kind = read.text(attributes, ("span.type",))
    named = read.text(attributes, ("gen_ai.response.id",))
    if kind == _PART or (named is not None and _REPEATED.fullmatch(named)):
        return False
    return kind == _CALL or (span.kind != SERVER and is_call(span, attributes))


def _request(span: TraceSpan, attributes: Attributes, received_at: int) -> Request:
    """Raises CannotTake."""
    call = call_of(span, attributes, received_at).request
    response_id = call.response_id or read.name(span.resource, (_TRACE_ID,))
    costs = (amount_of(attributes.get(name)) for name in _COSTS)
    charged = next((cost for cost in costs if cost is not None), None)
    first_token = read.number(attributes, _FIRST_TOKEN)
    return replace(
        call,
        source=OPENROUTER_PUSH,
        external_id=response_id or span_id(span),
        other_ids=(),
        response_id=response_id,
        time_source=TimeSource.PROVIDER if call.time_source is TimeSource.CLIENT else call.time_source,
        provider=OPENROUTER_PUSH.provider,
        status=Status.CANCELLED if _has_hung_up(span, attributes) else call.status,
        cost=_cost(charged),
        ttft_ms=call.ttft_ms if first_token is None else milliseconds(first_token * NANO_PER_MS),
        session_path=_path(attributes, call.session_id),
        properties=_properties(attributes),
    )


def _cost(charged: Usd | None) -> Cost:
    return Cost(reported=charged, reported_by=None if charged is None else Reporter.PROVIDER)


def _has_hung_up(span: TraceSpan, attributes: Attributes) -> bool:
    messages = (span.message, read.text(attributes, ("span.status_message",)) or "")
    return any(_HUNG_UP.search(message.lower()) for message in messages)


def _path(attributes: Attributes, session: str | None) -> str | None:
    """Where in its session the caller says that it was made."""
    named = read.name(attributes, ("trace.name",))
    if session is None or named is None or named == _USUAL_NAME:
        return None
    return storable_name(named if named.startswith("/") else f"/{named}")


def _properties(attributes: Attributes) -> dict[str, str] | None:
    """The caller's own metadata, whose key was used and who served it."""
    own = {
        name.removeprefix(_METADATA): read.word(value)
        for name, value in attributes.items()
        if name.startswith(_METADATA) and not name.startswith(_OWN) and value is not None
    }
    theirs = {f"openrouter.{name}": read.text(attributes, (f"{_OWN}{name}",)) for name in _NAMED}
    return {name: value for name, value in {**own, **theirs}.items() if value} or None
