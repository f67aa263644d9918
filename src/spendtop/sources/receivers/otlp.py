"""OpenTelemetry traces: the calls of models among their spans, each counted once."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from spendtop.domain.merging import bare_model
from spendtop.domain.money import Usd
from spendtop.domain.remarks import folded
from spendtop.domain.request import BodyState, Cost, Reporter, Request, Status, TimeSource
from spendtop.domain.response_ids import provider_response_id
from spendtop.domain.sources import OTLP, PushedSource
from spendtop.domain.timing import when
from spendtop.domain.usage import UsageReading, read_response
from spendtop.sources.receivers import Described, Invalid, Post, Pushed, Reply, Schema, Unreadable
from spendtop.sources.receivers import otlp_attributes as read
from spendtop.sources.receivers.agent_events import CLAUDE_SPAN, requests_of, requests_of_spans
from spendtop.sources.receivers.otlp_calls import is_call
from spendtop.sources.receivers.otlp_logs import check_object, records_of_json, records_of_protobuf
from spendtop.sources.receivers.otlp_messages import request_body, response_body
from spendtop.sources.receivers.otlp_names import NAMES
from spendtop.sources.receivers.otlp_nesting import Nesting, SpanReading
from spendtop.sources.receivers.otlp_providers import provider
from spendtop.sources.receivers.otlp_remarks import RemarkLog, remarks_on
from spendtop.sources.receivers.otlp_spans import Attributes, TraceSpan, spans_of_json, spans_of_protobuf
from spendtop.sources.receivers.otlp_usage import (
    INPUT_TOKENS,
    completed,
    inference_geo,
    quantities,
    reported_cost,
    service_level,
    usage,
)
from spendtop.sources.receivers.otlp_writers import writer_of
from spendtop.sources.settings import AgentsSettings

PROTOBUF: Literal["application/x-protobuf"] = "application/x-protobuf"
JSON: Literal["application/json"] = "application/json"
ContentType: TypeAlias = Literal["application/x-protobuf", "application/json"]

LARGEST_UNPACKED = 64 * 1024 * 1024
MOST_NAMED = 8
"""Attributes that an answer names."""
MOST_CALLS = 20_000
"""Of one post: it is one commit, for which others wait. Exporters and collectors send hundreds or thousands."""

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
_NANO_PER_MS = 1_000_000
_NANO_PER_SECOND = 1_000_000_000
_LONGEST = 86_400 * _NANO_PER_SECOND
_GZIP = zlib.MAX_WBITS | 16
_LOGS, _METRICS = OTLP.further_paths
_BINARY: Schema = {"type": "string", "format": "binary"}
_PARTIAL: Schema = {
    "type": "object",
    "required": ["rejectedSpans", "errorMessage"],
    "properties": {"rejectedSpans": {"type": "string"}, "errorMessage": {"type": "string"}},
}
_TAKEN: Schema = {"type": "object", "properties": {"partialSuccess": _PARTIAL}}


class OtlpReceiver:
    """Reads what OTLP exporters post. May be used by several threads."""

    source: ClassVar[PushedSource] = OTLP
    largest: ClassVar[int] = 32 * 1024 * 1024
    unpacks: ClassVar[bool] = True
    described: ClassVar[Described] = Described(
        summary="Takes exports of OpenTelemetry (OTLP/HTTP), plain or gzipped.",
        description="Answered in the format of the post. Spans that are no calls of models are passed over.",
        content={PROTOBUF: {"schema": _BINARY}, JSON: {"schema": {"type": "object"}}},
        reply={JSON: {"schema": _TAKEN}, PROTOBUF: {"schema": _BINARY}},
    )

    def __init__(self) -> None:
        self._nesting = Nesting()
        self._log = RemarkLog()

    def read(self, post: Post) -> Pushed:
        """An export, answered in its own format with how many spans could not be taken."""
        content_type = _content_type(post.header(b"content-type"))
        raw = _unpacked(post.raw) if _is_packed(post.header(b"content-encoding")) else post.raw
        pushed = self._parsed(post, raw, content_type)
        return replace(pushed, reply=_reply_in_protobuf if content_type == PROTOBUF else _reply_in_json)

    def _parsed(self, post: Post, raw: bytes, content_type: ContentType) -> Pushed:
        """By what the path is for: metrics are sums, of which no call can be made."""
        if post.path == _METRICS:
            if content_type == JSON:
                check_object(raw)
            return Pushed(())
        if post.path == _LOGS:
            records = records_of_protobuf(raw) if content_type == PROTOBUF else records_of_json(raw)
            settings = post.settings.section(AgentsSettings)
            return Pushed(tuple(requests_of(records, settings, post.received_at)))
        pushed = self.parse(raw, content_type, post.received_at)
        if CLAUDE_SPAN.encode() not in raw:
            return pushed
        spans = spans_of_protobuf(raw) if content_type == PROTOBUF else spans_of_json(raw)
        calls = requests_of_spans(spans, post.settings.section(AgentsSettings), post.received_at)
        return replace(pushed, items=(*pushed.items, *calls))

    def parse(self, raw: bytes, content_type: ContentType, received_at: int) -> Pushed:
        """The calls of models that a post tells of. Raises NotJson, and Unreadable for what is no trace export
        and for more than MOST_CALLS."""
        spans = spans_of_protobuf(raw) if content_type == PROTOBUF else spans_of_json(raw)
        stated = [read.readable(span.attributes) for span in spans]
        called = [place for place, span in enumerate(spans) if is_call(span, stated[place])]
        if len(called) > MOST_CALLS:
            message = f"A post holds at most {MOST_CALLS:,} calls of models. Send several."
            raise Unreadable("too_many_items", message, status=413)
        readings = {place: _reading(spans[place], stated[place], received_at) for place in called}
        settled = self._nesting.settle(spans, readings)
        remarks = folded(remarks_on(spans, stated, readings, settled))
        self._log.note(remarks)
        return Pushed(settled.items, remarks=remarks)


def _reading(span: TraceSpan, attributes: Attributes, received_at: int) -> SpanReading:
    response, request = _body(attributes, NAMES.response_body), _body(attributes, NAMES.request_body)
    models = read.models(attributes, response, request)
    try:
        item = _request(span, attributes, (request, response), models, received_at)
    except read.CannotTake as problem:
        return SpanReading(Invalid(problem.fields), models)
    return SpanReading(item, models)


def _request(
    span: TraceSpan,
    attributes: Attributes,
    whole: tuple[Attributes, Attributes],
    models: Sequence[str],
    received_at: int,
) -> Request:
    """The call that a span tells of, with what was sent and answered where it holds that whole. Raises CannotTake."""
    request, response = whole
    model = models[0] if models else None
    response_id = provider_response_id(read.name(attributes, NAMES.response_id) or read.name(response, ("id",)))
    billed_by = provider(attributes)
    writer = writer_of(span, attributes, billed_by, model)
    used = quantities(read.with_answer(attributes, response), writer)
    answered = read_response(response, request, billed_by, model)
    tokens, cost = completed(usage(used), answered.usage), reported_cost(attributes)
    if model is None and tokens.total is None and cost is None:
        missing = "is missing, and so is everything else that tells what the call cost"
        raise read.CannotTake({NAMES.model[0]: missing, INPUT_TOKENS: missing})
    happened = when(span.start // _NANO_PER_MICRO or None, TimeSource.CLIENT, received_at)
    http_status = read.http_status(attributes) or _status_in_message(span)
    has_failed = span.has_failed or bool(read.text(attributes, NAMES.error_type)) or (http_status or 0) >= 400
    bodies = request_body(span), response_body(span)
    return Request(
        source=OTLP,
        external_id=response_id or _own_id(span),
        received_at=received_at,
        occurred_at=happened.occurred_at,
        time_source=happened.time_source,
        time_suspect=happened.suspect,
        response_id=response_id,
        provider=billed_by,
        model=model,
        status=Status.ERROR if has_failed else Status.OK,
        http_status=http_status,
        usage=tokens,
        cost=_cost(cost, answered),
        service_level=service_level(attributes, response) or answered.service_level,
        inference_geo=inference_geo(attributes) or answered.inference_geo,
        served_model=_served_model(models, answered),
        provider_usage=answered.provider_usage,
        cached=any(attributes.get(name) is True for name in NAMES.answered_from_cache),
        user_id=read.name(attributes, NAMES.user),
        session_id=read.name(attributes, NAMES.session),
        properties=read.properties(attributes, span.resource),
        latency_ms=_milliseconds(span.end - span.start) if span.start and span.end else None,
        ttft_ms=_first_token(span),
        request_body=bodies[0],
        response_body=bodies[1],
        body_state=BodyState.NOT_SENT if bodies == (None, None) else BodyState.STORED,
    )


def _served_model(models: Sequence[str], answered: UsageReading) -> str | None:
    """The answer's name for the model, else another one that the span has: either may be the one that has a price."""
    if not models:
        return None
    first = bare_model(models[0])
    return answered.served_model(models[0]) or next((each for each in models[1:] if bare_model(each) != first), None)


def _cost(stated: Usd | None, answered: UsageReading) -> Cost:
    """The provider's own figure inside the answer is believed before the instrumentation's."""
    if answered.cost is not None:
        return Cost(reported=answered.cost, reported_by=Reporter.PROVIDER)
    return Cost(reported=stated, reported_by=None if stated is None else Reporter.INSTRUMENTATION)


def _body(attributes: Attributes, names: Sequence[str]) -> Attributes:
    """What was sent or answered, where the span holds it whole."""
    candidates = (read.opened(attributes.get(name)) for name in names)
    return next((each for each in candidates if isinstance(each, dict)), {})


def _status_in_message(span: TraceSpan) -> int | None:
    """The status in an exception of OpenAI's or Anthropic's client, where the instrumentation noted nothing else."""
    messages = [span.message, *(event.attributes.get("exception.message") for event in span.events)]
    matches = (_STATUS_IN_MESSAGE.search(each) for each in messages if isinstance(each, str))
    return next((int(match[1]) for match in matches if match is not None), None)


def _own_id(span: TraceSpan) -> str:
    missing = {"traceId": span.trace_id, "spanId": span.span_id}
    wrong = {
        name: "has to be an id in hexadecimal digits, not all zero" for name, value in missing.items() if not value
    }
    if wrong:
        raise read.CannotTake(wrong)
    return f"{span.trace_id}-{span.span_id}"


def _first_token(span: TraceSpan) -> int | None:
    seconds = read.number(span.attributes, NAMES.first_token_seconds)
    if seconds is not None:
        return _milliseconds(seconds * _NANO_PER_SECOND)
    milliseconds = read.number(span.attributes, NAMES.first_token_milliseconds)
    if milliseconds is not None:
        return _milliseconds(milliseconds * _NANO_PER_MS)
    came = [event.at for event in span.events if event.name.lower() in _FIRST_TOKEN_EVENTS and event.at]
    return _milliseconds(min(came) - span.start) if came and span.start else None


def _milliseconds(nanoseconds: float) -> int | None:
    """None for a length of time that no call has."""
    return round(nanoseconds / _NANO_PER_MS) if 0 <= nanoseconds <= _LONGEST else None


def _content_type(named: Sequence[bytes]) -> ContentType:
    name = named[0].partition(b";")[0].strip().lower() if len(named) == 1 else b""
    for content_type in (PROTOBUF, JSON):
        if name == content_type.encode():
            return content_type
    message = "Send the Content-Type application/x-protobuf (OTLP/HTTP) or application/json."
    raise Unreadable("unsupported_type", message, status=415)


def _is_packed(named: Sequence[bytes]) -> bool:
    codings = {value.strip().lower() for value in named}
    if codings - {b"gzip", b"identity"} or len(codings) > 1:
        message = "Send the body gzipped, or without Content-Encoding."
        raise Unreadable("unsupported_encoding", message, status=415)
    return b"gzip" in codings


def _unpacked(body: bytes) -> bytes:
    """The content of one gzip stream, never holding more than LARGEST_UNPACKED. Raises Unreadable."""
    stream = zlib.decompressobj(_GZIP)
    try:
        content = stream.decompress(body, LARGEST_UNPACKED + 1)
    except zlib.error:
        content = None
    if content is not None and len(content) > LARGEST_UNPACKED:
        message = f"The body unpacks to more than {LARGEST_UNPACKED:,} bytes."
        raise Unreadable("too_large", message, status=413)
    if content is None or not stream.eof or stream.unused_data:
        raise Unreadable("bad_gzip", "The body is not one whole gzip stream.", status=400)
    return content


def _reply_in_json(rejected: Sequence[Invalid]) -> Reply:
    partial = {"rejectedSpans": str(len(rejected)), "errorMessage": _why(rejected)}
    return Reply(msgspec.json.encode({"partialSuccess": partial}) if rejected else b"{}", JSON.encode())


def _reply_in_protobuf(rejected: Sequence[Invalid]) -> Reply:
    if not rejected:
        return Reply(b"", PROTOBUF.encode())
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTracePartialSuccess,
        ExportTraceServiceResponse,
    )

    partial = ExportTracePartialSuccess(rejected_spans=len(rejected), error_message=_why(rejected))
    return Reply(ExportTraceServiceResponse(partial_success=partial).SerializeToString(), PROTOBUF.encode())


def _why(rejected: Sequence[Invalid]) -> str:
    """Each attribute with what it has to be, once."""
    reasons = {f"{name} {problem}" for item in rejected for name, problem in item.fields.items()}
    return f"Some spans cannot be taken: {'; '.join(sorted(reasons)[:MOST_NAMED])}."
