"""Spans as an OTLP post spells them, in protobuf or in JSON, in one small shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from spendtop.domain.bodies.outlines import LONGEST_WORD
from spendtop.domain.discreet import Discreet
from spendtop.sources.receivers import NotJson, Unreadable, words_of
from spendtop.sources.receivers.otlp.extent import check_json, check_protobuf, check_spans, malformed
from spendtop.sources.receivers.otlp.undecoded import export_type, pair_type
from spendtop.sources.repaired_json import decoded

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Attributes: TypeAlias = Mapping[str, object]
"""Values are texts, booleans, numbers, None, and lists and dicts of these."""

_LONGEST_KNOWN, MOST_KNOWN = 128, 1024
"""Bytes of an attribute that may come again in the next span, and how many of these are remembered."""
_DEEPEST = 64
"""Values that are nested deeper are left out, so that whoever walks them has an end."""
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_LONGEST_TIME = 2**63
INTERNAL, SERVER, CLIENT = 1, 2, 3
"""Kinds of span that mean something to us."""
_KINDS: Mapping[int | str, int] = {
    **{kind: kind for kind in (INTERNAL, SERVER, CLIENT)},
    "SPAN_KIND_INTERNAL": INTERNAL,
    "SPAN_KIND_SERVER": SERVER,
    "SPAN_KIND_CLIENT": CLIENT,
}
_Item = TypeVar("_Item")


class SpanEvent(Discreet, frozen=True, gc=False):
    """Something that happened during a span, at Unix nanoseconds."""

    name: str
    at: int
    attributes: Attributes


class TraceSpan(Discreet, frozen=True, kw_only=True, gc=False):
    """One span. Ids are lower-case hex, empty where they are missing or not valid; times Unix ns, 0 where unknown."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    """0 where it is not said, 1 inside, 2 of a server, 3 of a client."""
    scope_name: str
    """Which instrumentation wrote it; empty where the export does not say."""
    scope_version: str
    start: int
    end: int
    has_failed: bool
    has_succeeded: bool
    """Neither of the two where nobody said how it ended."""
    message: str
    """What its status says besides."""
    attributes: Attributes
    events: tuple[SpanEvent, ...]
    resource: Attributes


def spans_of_protobuf(raw: bytes) -> list[TraceSpan]:
    """All spans of an `ExportTraceServiceRequest`. Raises Unreadable."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    check_protobuf(raw, ExportTraceServiceRequest.DESCRIPTOR)
    spans = []
    try:
        for of_resource in export_type().FromString(raw).resource_spans:
            resource = _attributes(of_resource.resource.attributes)
            for of_scope in of_resource.scope_spans:
                name, version = of_scope.scope.name, of_scope.scope.version
                spans += [_span(span, name, version, resource) for span in of_scope.spans]
    except DecodeError as error:
        raise malformed() from error
    return spans


def spans_of_json(raw: bytes) -> list[TraceSpan]:
    """All spans of an export in OTLP's JSON mapping. Raises NotJson, and Unreadable for other JSON."""
    check_json(raw)
    try:
        export = decoded(msgspec.json.Decoder(_Export), raw)
    except msgspec.ValidationError as error:
        raise Unreadable("malformed", f"The body is no trace export: {words_of(error)}.", status=400) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotJson("The body is not JSON") from error
    check_spans(sum(len(_some(each.spans)) for one in _some(export.resource_spans) for each in _some(one.scope_spans)))
    spans = []
    for of_resource in _some(export.resource_spans):
        resource = _json_attributes(of_resource.resource.attributes) if of_resource.resource else {}
        for of_scope in _some(of_resource.scope_spans):
            scope = of_scope.scope or _Scope()
            spans += [_json_span(span, scope, resource) for span in _some(of_scope.spans)]
    return spans


def attributes_of_protobuf(pairs: Iterable[KeyValue]) -> Attributes:
    return _attributes(pairs)


def attributes_of_json(pairs: object) -> Attributes:
    """Attributes of JSON that was not looked at yet; what is no list of them has none."""
    try:
        return _json_attributes(msgspec.convert(pairs, list[_Pair] | None))
    except msgspec.ValidationError:
        return {}


def _span(span: Any, scope_name: str, scope_version: str, resource: Attributes) -> TraceSpan:
    status, events = span.status, span.events
    return TraceSpan(
        trace_id=_id(span.trace_id, 16),
        span_id=_id(span.span_id, 8),
        parent_id=_id(span.parent_span_id, 8),
        name=span.name,
        kind=span.kind,
        scope_name=scope_name,
        scope_version=scope_version,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        has_failed=status.code == 2,
        has_succeeded=status.code == 1,
        message=status.message,
        attributes=_decoded(span.attributes),
        events=tuple([SpanEvent(each.name, each.time_unix_nano, _attributes(each.attributes)) for each in events]),
        resource=resource,
    )


def _id(raw: bytes, length: int) -> str:
    """An id as it has to be: so many bytes, not all of them zero."""
    return raw.hex() if len(raw) == length and raw.strip(b"\0") else ""


class KnownAttributes(dict[bytes, tuple[str, object]]):
    """Attributes as protobuf, decoded; those that may come again are remembered.

    What may be a prompt is not, nor what has mappings in it: each span has its own to put things into.
    """

    def __missing__(self, raw: bytes) -> tuple[str, object]:
        pair = _pair(pair_type().FromString(raw))
        if _comes_again(pair[1]):
            if len(self) >= MOST_KNOWN:
                self.clear()
            self[raw] = pair
        return pair


_KNOWN = KnownAttributes()


def _comes_again(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_WORD and value.isascii() and " " not in value and value.isprintable()
    if isinstance(value, list):
        return not any(isinstance(each, list) or not _comes_again(each) for each in value)
    return not isinstance(value, dict)


def _decoded(raws: Iterable[bytes]) -> Attributes:
    decode = pair_type().FromString
    return dict([_KNOWN[raw] if len(raw) <= _LONGEST_KNOWN else _pair(decode(raw)) for raw in raws])


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    return dict(map(_pair, pairs))


def _pair(pair: KeyValue) -> tuple[str, object]:
    # Most values are texts or numbers: what is asked for and is none of a value costs less than what it is.
    value = pair.value
    return pair.key, value.string_value or value.int_value or _value(value)


def _value(value: AnyValue, depth: int = 0) -> object:
    kind = value.WhichOneof("value")
    match kind:
        case "string_value" | "int_value" | "double_value" | "bool_value":
            return getattr(value, kind)
        case "array_value" if depth < _DEEPEST:
            return [_value(each, depth + 1) for each in value.array_value.values]
        case "kvlist_value" if depth < _DEEPEST:
            return {pair.key: _value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    return None


class _Json(Struct, rename="camel"):
    """A part of the export; fields that are not named here are passed over, and null is as good as missing."""


class _Value(_Json):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: str | int | float | None = None
    double_value: str | int | float | None = None
    array_value: _Values | None = None
    kvlist_value: _Pairs | None = None


class _Values(_Json):
    values: list[_Value | None] | None = None


class _Pair(_Json):
    key: str = ""
    value: _Value | None = None


class _Pairs(_Json):
    values: list[_Pair] | None = None


class _Resource(_Json):
    attributes: list[_Pair] | None = None


class _Status(_Json):
    code: int | str | None = None
    message: str | None = None


class _JsonEvent(_Json):
    name: str | None = None
    time_unix_nano: str | int | float | None = None
    attributes: list[_Pair] | None = None


class _Span(_Json):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    kind: int | str | None = None
    start_time_unix_nano: str | int | float | None = None
    end_time_unix_nano: str | int | float | None = None
    status: _Status | None = None
    attributes: list[_Pair] | None = None
    events: list[_JsonEvent] | None = None


class _Scope(_Json):
    name: str | None = None
    version: str | None = None


class _ScopeSpans(_Json):
    scope: _Scope | None = None
    spans: list[_Span] | None = None


class _ResourceSpans(_Json):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Export(_Json):
    resource_spans: list[_ResourceSpans] | None = None


def _json_span(span: _Span, scope: _Scope, resource: Attributes) -> TraceSpan:
    status = span.status or _Status()
    return TraceSpan(
        trace_id=_hex(span.trace_id, 32),
        span_id=_hex(span.span_id, 16),
        parent_id=_hex(span.parent_span_id, 16),
        name=span.name or "",
        kind=_KINDS.get(span.kind or 0, 0),
        scope_name=scope.name or "",
        scope_version=scope.version or "",
        start=_nanoseconds(span.start_time_unix_nano),
        end=_nanoseconds(span.end_time_unix_nano),
        has_failed=status.code in (2, "STATUS_CODE_ERROR"),
        has_succeeded=status.code in (1, "STATUS_CODE_OK"),
        message=status.message or "",
        attributes=_json_attributes(span.attributes),
        events=tuple(
            SpanEvent(event.name or "", _nanoseconds(event.time_unix_nano), _json_attributes(event.attributes))
            for event in _some(span.events)
        ),
        resource=resource,
    )


def _json_attributes(pairs: list[_Pair] | None) -> Attributes:
    return {pair.key: _json_value(pair.value) for pair in _some(pairs)}


def _json_value(value: _Value | None, depth: int = 0) -> object:
    if value is None or depth > _DEEPEST:
        return None
    if value.array_value is not None:
        return [_json_value(each, depth + 1) for each in _some(value.array_value.values)]
    if value.kvlist_value is not None:
        return {pair.key: _json_value(pair.value, depth + 1) for pair in _some(value.kvlist_value.values)}
    plain = (value.string_value, value.bool_value, _number(value.int_value), _decimal(value.double_value))
    return next((each for each in plain if each is not None), None)


def _number(value: str | int | float | None) -> object:
    """A whole number, which OTLP spells as a text; any other text as it is."""
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


def _decimal(value: str | int | float | None) -> object:
    """A number that is none in JSON, such as `NaN`, comes as a text."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _nanoseconds(value: str | int | float | None) -> int:
    number = _number(value)
    return int(number) if isinstance(number, int | float) and 0 <= number < _LONGEST_TIME else 0


def _hex(value: str | None, length: int) -> str:
    """An id as it has to be: so many hex digits, not all of them zero."""
    if value is None or len(value) != length or not value.isascii():
        return ""
    try:
        return value.lower() if any(bytes.fromhex(value)) and " " not in value else ""
    except ValueError:
        return ""


def _some(items: list[_Item] | None) -> list[_Item]:
    return items or []
