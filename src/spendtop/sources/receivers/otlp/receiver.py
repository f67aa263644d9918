"""OpenTelemetry traces: the calls of models among their spans, each counted once."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from spendtop.domain.sources.records import ANTHROPIC_PUSH, OPENROUTER_PUSH, OTLP, PushedSource, Source
from spendtop.domain.sources.remarks import Remark, folded
from spendtop.sources.receivers import Described, Invalid, Item, Post, Pushed, Reply, Schema, Unreadable
from spendtop.sources.receivers.otlp import attributes as read
from spendtop.sources.receivers.otlp.agent_events import CLAUDE_SPAN, requests_of, requests_of_spans
from spendtop.sources.receivers.otlp.anthropic_push import AnthropicSpans, is_by_anthropic
from spendtop.sources.receivers.otlp.calls import is_call
from spendtop.sources.receivers.otlp.logs import check_object, records_of_json, records_of_protobuf
from spendtop.sources.receivers.otlp.names import NAMES
from spendtop.sources.receivers.otlp.nesting import Nesting, SpanReading
from spendtop.sources.receivers.otlp.openrouter_push import (
    connection_test,
    is_by_openrouter,
    is_connection_test,
    openrouter_items,
)
from spendtop.sources.receivers.otlp.remarks import RemarkLog, remarks_on, remarks_on_pushed
from spendtop.sources.receivers.otlp.requests import call_of
from spendtop.sources.receivers.otlp.spans import Attributes, TraceSpan, spans_of_json, spans_of_protobuf
from spendtop.sources.receivers.otlp.usage import INPUT_TOKENS
from spendtop.sources.settings import AgentsSettings

PROTOBUF: Literal["application/x-protobuf"] = "application/x-protobuf"
JSON: Literal["application/json"] = "application/json"
ContentType: TypeAlias = Literal["application/x-protobuf", "application/json"]

LARGEST_UNPACKED = 64 * 1024 * 1024
MOST_NAMED = 8
"""Attributes that an answer names."""
MOST_CALLS = 20_000
"""Of one post: it is one commit, for which others wait. Exporters and collectors send hundreds or thousands."""

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
        description="Answered in the format of the post. Spans that are no calls of models are passed over. What"
        " Anthropic and OpenRouter push is told by its scope; with `X-Test-Connection: true` nothing is recorded.",
        content={PROTOBUF: {"schema": _BINARY}, JSON: {"schema": {"type": "object"}}},
        reply={JSON: {"schema": _TAKEN}, PROTOBUF: {"schema": _BINARY}},
    )

    def __init__(self) -> None:
        self._nesting = Nesting()
        self._anthropic = AnthropicSpans()
        self._log = RemarkLog()

    def read(self, post: Post) -> Pushed:
        """An export, answered in its own format with how many spans could not be taken."""
        if is_connection_test(post):
            return Pushed((connection_test(post.received_at),), reply=_reply_in_json)
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
        pushed = self.parse(raw, content_type, post.received_at, post.token)
        if CLAUDE_SPAN.encode() not in raw:
            return pushed
        spans = spans_of_protobuf(raw) if content_type == PROTOBUF else spans_of_json(raw)
        calls = requests_of_spans(spans, post.settings.section(AgentsSettings), post.received_at)
        return replace(pushed, items=(*pushed.items, *calls))

    def recall(self, told: Mapping[str, str], now: int) -> None:
        """Have exactly these calls wait for what is around them, besides those of the last minute."""
        self._anthropic.recall(told, now)

    def overdue(self, now: int) -> Sequence[Item]:
        """The calls for which nothing came that is around them."""
        return self._anthropic.overdue(now)

    def parse(self, raw: bytes, content_type: ContentType, received_at: int, token: str = "") -> Pushed:
        """The calls of models that a post tells of; those that wait do so under this tracking token, if any. Raises
        NotJson, and Unreadable for what is no trace export and for more than MOST_CALLS."""
        told = spans_of_protobuf(raw) if content_type == PROTOBUF else spans_of_json(raw)
        by_anthropic = [span for span in told if is_by_anthropic(span)]
        by_openrouter = [span for span in told if is_by_openrouter(span)]
        by_providers = {id(span) for span in (*by_anthropic, *by_openrouter)}
        spans = [span for span in told if id(span) not in by_providers] if by_providers else told
        stated = [read.readable(span.attributes) for span in spans]
        called = [place for place, span in enumerate(spans) if is_call(span, stated[place])]
        if len(called) > MOST_CALLS:
            message = f"A post holds at most {MOST_CALLS:,} calls of models. Send several."
            raise Unreadable("too_many_items", message, status=413)
        readings = {place: _reading(spans[place], stated[place], received_at) for place in called}
        settled = self._nesting.settle(spans, readings)
        remarks = folded(remarks_on(spans, stated, readings, settled))
        self._log.note(remarks)
        of_providers: dict[Source, Sequence[Remark]] = {
            source: folded(remarks_on_pushed(source, pushed))
            for source, pushed in ((ANTHROPIC_PUSH, by_anthropic), (OPENROUTER_PUSH, by_openrouter))
            if pushed
        }
        provided = (
            *self._anthropic.items(by_anthropic, received_at, token),
            *openrouter_items(by_openrouter, received_at),
        )
        return Pushed((*settled.items, *provided), remarks=remarks, provider_remarks=of_providers)


def _reading(span: TraceSpan, attributes: Attributes, received_at: int) -> SpanReading:
    try:
        call = call_of(span, attributes, received_at)
    except read.CannotTake as problem:
        return SpanReading(Invalid(problem.fields))
    request = call.request
    if request.model is None and request.usage.total is None and request.cost.reported is None:
        missing = "is missing, and so is everything else that tells what the call cost"
        return SpanReading(Invalid({NAMES.model[0]: missing, INPUT_TOKENS: missing}))
    return SpanReading(request, call.models, call.unread)


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
