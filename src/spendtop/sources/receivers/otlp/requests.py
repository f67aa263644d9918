"""What one span of a call says, as a request."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import BodyState, Cost, Reporter, Request, Status, TestEvent, TimeSource
from spendtop.domain.requests.response_ids import provider_response_id
from spendtop.domain.requests.timing import when
from spendtop.domain.sources.records import ANTHROPIC_PUSH, OTLP, Source
from spendtop.domain.usage import UsageReading, read_response
from spendtop.sources.receivers.otlp import attributes as read
from spendtop.sources.receivers.otlp.forms import form_of
from spendtop.sources.receivers.otlp.messages import request_body, response_body
from spendtop.sources.receivers.otlp.names import AttributeNames
from spendtop.sources.receivers.otlp.spans import Attributes, TraceSpan
from spendtop.sources.receivers.otlp.terms import terms_of
from spendtop.sources.receivers.otlp.usage import completed, quantities, reported_cost, unread, usage

ANTHROPIC_REQUEST = "anthropic.request.id"
NANO_PER_MS = 1_000_000
_FIRST_TOKEN_EVENTS = frozenset(
    {
        "ai.stream.firstchunk",
        "first token stream event",
        "first_token",
        "gen_ai.content.completion.chunk",
        "llm.content.completion.chunk",
    }
)
_STATUS_IN_MESSAGE = re.compile(r"\bError code: ([45][0-9]{2}) ")
_NANO_PER_MICRO = 1_000
_NANO_PER_SECOND = 1_000_000_000
_LONGEST = 86_400 * _NANO_PER_SECOND


class SpanCall(Struct, frozen=True, gc=False):
    """The call that a span tells of."""

    request: Request
    models: Sequence[str]
    """All names that the span has for the model."""
    unread: Sequence[str]
    """Counts that nobody reads."""


def call_of(span: TraceSpan, attributes: Attributes, received_at: int) -> SpanCall:
    """The call with what was sent and answered where the span holds that whole. Raises CannotTake."""
    form = form_of(attributes)
    names = form.names
    response, request = _body(attributes, names.response_body), _body(attributes, names.request_body)
    terms = terms_of(span, attributes, form, response, request)
    model = terms.model
    response_id = provider_response_id(read.name(attributes, names.response_id) or read.name(response, ("id",)))
    told = read.with_answer(attributes, response)
    used = quantities(told, form if told is attributes else form_of(told), terms.writer)
    answered = read_response(response, request, terms.provider, model)
    tokens, cost = completed(usage(used), answered.usage), reported_cost(attributes, names)
    happened = when(span.start // _NANO_PER_MICRO or None, TimeSource.CLIENT, received_at)
    http_status = read.http_status(attributes, names) or _status_in_message(span)
    has_failed = span.has_failed or bool(read.text(attributes, names.error_type)) or (http_status or 0) >= 400
    bodies = request_body(span), response_body(span)
    asked_as = anthropic_request_id(attributes)
    call = Request(
        source=OTLP,
        external_id=response_id or asked_as or span_id(span),
        other_ids=() if asked_as is None else ((ANTHROPIC_PUSH, asked_as), (OTLP, asked_as)),
        received_at=received_at,
        occurred_at=happened.occurred_at,
        time_source=happened.time_source,
        time_suspect=happened.suspect,
        response_id=response_id,
        provider=terms.provider,
        model=model,
        status=Status.ERROR if has_failed else Status.OK,
        http_status=http_status,
        usage=tokens,
        cost=_cost(cost, answered),
        service_level=terms.service_level or answered.service_level,
        inference_geo=terms.inference_geo or answered.inference_geo,
        served_model=answered.served_model(model) or terms.other_model if model is not None else None,
        provider_usage=answered.provider_usage,
        cached=any(attributes.get(name) is True for name in names.answered_from_cache),
        user_id=read.name(attributes, names.user),
        session_id=read.name(attributes, names.session),
        properties=read.properties(attributes, form, span.resource),
        latency_ms=milliseconds(span.end - span.start) if span.start and span.end else None,
        ttft_ms=_first_token(span, names),
        request_body=bodies[0],
        response_body=bodies[1],
        body_state=BodyState.NOT_SENT if bodies == (None, None) else BodyState.STORED,
    )
    return SpanCall(call, terms.models, tuple(unread(attributes, form)))


def anthropic_request_id(attributes: Attributes) -> str | None:
    """A name for the call by the id that Anthropic gives each request, also a failed one."""
    named = read.name(attributes, (ANTHROPIC_REQUEST,))
    return None if named is None else f"request:{named}"


def _cost(stated: Usd | None, answered: UsageReading) -> Cost:
    """The provider's own figure inside the answer is believed before the instrumentation's."""
    if answered.cost is not None:
        return Cost(reported=answered.cost, reported_by=Reporter.PROVIDER)
    return Cost(reported=stated, reported_by=None if stated is None else Reporter.INSTRUMENTATION)


def _body(attributes: Attributes, names: Sequence[str]) -> Attributes:
    """What was sent or answered, where the span holds it whole."""
    for name in names:
        value = attributes.get(name)
        if not _is_list(value) and isinstance(body := read.opened(value), dict):
            return body
    return {}


def _is_list(value: object) -> bool:
    """Whether a text is a list in JSON, as the messages of a call are."""
    return isinstance(value, str) and value.lstrip()[:1] == "["


def _status_in_message(span: TraceSpan) -> int | None:
    """The status in an exception of OpenAI's or Anthropic's client, where the instrumentation noted nothing else."""
    for message in (span.message, *[event.attributes.get("exception.message") for event in span.events]):
        if isinstance(message, str) and (match := _STATUS_IN_MESSAGE.search(message)) is not None:
            return int(match[1])
    return None


def span_id(span: TraceSpan) -> str:
    """A name for the call by its span. Raises CannotTake."""
    missing = {"traceId": span.trace_id, "spanId": span.span_id}
    wrong = {
        name: "has to be an id in hexadecimal digits, not all zero" for name, value in missing.items() if not value
    }
    if wrong:
        raise read.CannotTake(wrong)
    return f"{span.trace_id}-{span.span_id}"


def _first_token(span: TraceSpan, names: AttributeNames) -> int | None:
    seconds = read.number(span.attributes, names.first_token_seconds)
    if seconds is not None:
        return milliseconds(seconds * _NANO_PER_SECOND)
    thousandths = read.number(span.attributes, names.first_token_milliseconds)
    if thousandths is not None:
        return milliseconds(thousandths * NANO_PER_MS)
    came = [event.at for event in span.events if event.name.lower() in _FIRST_TOKEN_EVENTS and event.at]
    return milliseconds(min(came) - span.start) if came and span.start else None


def milliseconds(nanoseconds: float) -> int | None:
    """None for a length of time that no call has."""
    return round(nanoseconds / NANO_PER_MS) if 0 <= nanoseconds <= _LONGEST else None


def trial(source: Source, span: TraceSpan, received_at: int) -> TestEvent:
    """A span that only tries the way here. One that comes again is another trial."""
    raw = msgspec.json.encode({"name": span.name, "attributes": span.attributes})
    named = f"{span.trace_id}-{span.span_id}-{received_at}"
    return TestEvent(source=source, external_id=named, received_at=received_at, raw=raw)
