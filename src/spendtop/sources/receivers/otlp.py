"""OpenTelemetry traces: the calls of models among their spans, each counted once."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from threading import Lock
from typing import ClassVar, Literal, TypeAlias

import msgspec

from spendtop.domain.request import BodyState, Cost, Request, Status, TimeSource, Usage
from spendtop.domain.response_ids import provider_response_id
from spendtop.domain.sources import OTLP, PushedSource
from spendtop.domain.timing import when
from spendtop.domain.usage import usage_of_response
from spendtop.sources.receivers import Described, Invalid, Post, Pushed, Reply, Schema, Unreadable
from spendtop.sources.receivers import otlp_attributes as read
from spendtop.sources.receivers.otlp_messages import opened, request_body, response_body
from spendtop.sources.receivers.otlp_spans import Attributes, TraceSpan, spans_of_json, spans_of_protobuf

PROTOBUF: Literal["application/x-protobuf"] = "application/x-protobuf"
JSON: Literal["application/json"] = "application/json"
ContentType: TypeAlias = Literal["application/x-protobuf", "application/json"]

LARGEST_UNPACKED = 64 * 1024 * 1024
MOST_NAMED = 8
"""Attributes that an answer names."""
MOST_CALLS = 20_000
"""Of one post: it is one commit, for which others wait. Exporters and collectors send hundreds or thousands."""
MOST_REMEMBERED = 20_000
"""Spans around calls that were taken, so that they are known when they end later."""

_FIRST_TOKEN_EVENTS = frozenset(
    {"first token stream event", "llm.content.completion.chunk", "gen_ai.content.completion.chunk", "first_token"}
)
_RESPONSES = ("output.value", "gen_ai.output", "gen_ai.response", "gen_ai.output.messages")
"""Attributes that may hold the whole response, with its id."""
_NANO_PER_MICRO = 1_000
_NANO_PER_MS = 1_000_000
_NANO_PER_SECOND = 1_000_000_000
_LONGEST = 86_400 * _NANO_PER_SECOND
_Key: TypeAlias = tuple[str, str]
_GZIP = zlib.MAX_WBITS | 16
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
        self._around = _Around()

    def read(self, post: Post) -> Pushed:
        """An export, answered in its own format with how many spans could not be taken."""
        content_type = _content_type(post.header(b"content-type"))
        raw = _unpacked(post.raw) if _is_packed(post.header(b"content-encoding")) else post.raw
        pushed = self.parse(raw, content_type, post.received_at)
        return Pushed(pushed.items, reply=_reply_in_protobuf if content_type == PROTOBUF else _reply_in_json)

    def parse(self, raw: bytes, content_type: ContentType, received_at: int) -> Pushed:
        """The calls of models that a post tells of. Raises NotJson, and Unreadable for what is no trace export
        and for more than MOST_CALLS."""
        spans = spans_of_protobuf(raw) if content_type == PROTOBUF else spans_of_json(raw)
        called = [span for span in spans if read.is_llm_call(span.attributes)]
        if len(called) > MOST_CALLS:
            message = f"A post holds at most {MOST_CALLS:,} calls of models. Send several."
            raise Unreadable("too_many_items", message, status=413)
        calls = [(span, _call(span, received_at)) for span in called]
        around = self._around.note(spans, [span for span, call in calls if isinstance(call, Request)])
        return Pushed(tuple(call for span, call in calls if _key(span) not in around))


class _Around:
    """Spans around calls that were taken: those of them that look like calls repeat what the calls inside say.

    A span ends, and so arrives, after the spans inside it, often in a later post.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, None] = {}
        self._lock = Lock()

    def note(self, spans: Iterable[TraceSpan], taken: Iterable[TraceSpan]) -> set[_Key]:
        """Which spans of a post are around those that are taken from it, or from earlier posts."""
        by_key = {_key(span): span for span in spans}
        with self._lock:
            awaited = {key for key in by_key if key in self._known}
            around = _upwards([*taken, *(by_key[key] for key in awaited)], by_key)
            self._known.update(around)
            for key in list(islice(self._known, max(0, len(self._known) - MOST_REMEMBERED))):
                del self._known[key]
        return awaited | around.keys()


def _upwards(starts: Iterable[TraceSpan], by_key: Mapping[_Key, TraceSpan]) -> dict[_Key, None]:
    """All spans around these, as far up as the post knows them and one further, nearest first."""
    around: dict[_Key, None] = {}
    for start in starts:
        span: TraceSpan | None = start
        while span is not None and span.trace_id and span.parent_id:
            parent = (span.trace_id, span.parent_id)
            if parent in around or parent == _key(start):
                break
            around[parent] = None
            span = by_key.get(parent)
    return around


def _key(span: TraceSpan) -> _Key:
    return span.trace_id, span.span_id


def _call(span: TraceSpan, received_at: int) -> Request | Invalid:
    try:
        return _request(span, received_at)
    except read.CannotTake as problem:
        return Invalid(problem.fields)


def _request(span: TraceSpan, received_at: int) -> Request:
    """The call that a span tells of. Raises CannotTake."""
    attributes = span.attributes
    response = _response(attributes)
    response_id = provider_response_id(read.name(attributes, (read.RESPONSE_ID,)) or read.name(response, ("id",)))
    usage, model, cost = _usage(attributes, response), read.name(attributes, read.MODEL), read.reported_cost(attributes)
    if model is None and usage.total is None and cost is None:
        missing = "is missing, and so is everything else that tells what the call cost"
        raise read.CannotTake({read.RESPONSE_MODEL: missing, read.INPUT_TOKENS: missing})
    happened = when(span.start // _NANO_PER_MICRO or None, TimeSource.CLIENT, received_at)
    http_status = read.http_status(attributes)
    has_failed = span.has_failed or bool(attributes.get(read.ERROR_TYPE)) or (http_status or 0) >= 400
    bodies = request_body(span), response_body(span)
    return Request(
        source=OTLP,
        external_id=response_id or _own_id(span),
        received_at=received_at,
        occurred_at=happened.occurred_at,
        time_source=happened.time_source,
        time_suspect=happened.suspect,
        response_id=response_id,
        provider=read.provider(attributes),
        model=model,
        status=Status.ERROR if has_failed else Status.OK,
        http_status=http_status,
        usage=usage,
        cost=Cost(reported=cost),
        user_id=read.name(attributes, read.USER),
        session_id=read.name(attributes, read.SESSION),
        properties=read.properties(attributes, span.resource),
        latency_ms=_milliseconds(span.end - span.start) if span.start and span.end else None,
        ttft_ms=_first_token(span),
        request_body=bodies[0],
        response_body=bodies[1],
        body_state=BodyState.NOT_SENT if bodies == (None, None) else BodyState.STORED,
    )


def _response(attributes: Attributes) -> Attributes:
    """The provider's whole response, where the span holds it."""
    candidates = (opened(attributes.get(name)) for name in _RESPONSES)
    return next((each for each in candidates if isinstance(each, dict)), {})


def _usage(attributes: Attributes, response: Attributes) -> Usage:
    usage = read.usage(attributes)
    return usage_of_response(response) if usage.total is None else usage


def _own_id(span: TraceSpan) -> str:
    missing = {"traceId": span.trace_id, "spanId": span.span_id}
    wrong = {
        name: "has to be an id in hexadecimal digits, not all zero" for name, value in missing.items() if not value
    }
    if wrong:
        raise read.CannotTake(wrong)
    return f"{span.trace_id}-{span.span_id}"


def _first_token(span: TraceSpan) -> int | None:
    seconds = read.number(span.attributes, read.FIRST_TOKEN)
    if seconds is not None:
        return _milliseconds(seconds * _NANO_PER_SECOND)
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
