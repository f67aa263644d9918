"""Exports of OpenTelemetry: captured ones, and built ones in both encodings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

TRACE = "5b8efff798038103d269b633813fc60c"
START = 1_795_197_049_462_127_000
"""Unix ns, on 20 November 2026."""
END = START + 967_902_000
ARRIVAL = END // 1000 + 2_000_000
"""Unix µs."""

_SPELLED = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_FOLDER = Path(__file__).parent / "fixtures"


def captured(name: str) -> bytes:
    """The protobuf body that an instrumentation posted: `openllmetry_openai`, and others like it."""
    return (_FOLDER / f"otlp_{name}.pb").read_bytes()


def attribute(name: str, value: object) -> dict[str, Any]:
    """An attribute as OTLP's JSON mapping spells it."""
    return {"key": name, "value": _value(value)}


def _value(value: object) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value if math.isfinite(value) else _SPELLED[str(value)]}
        case list():
            return {"arrayValue": {"values": [_value(each) for each in value]}}
        case dict():
            return {"kvlistValue": {"values": [attribute(name, each) for name, each in value.items()]}}
    return {"stringValue": value}


def span(
    number: int,
    attributes: Mapping[str, object] | None = None,
    *,
    parent: int | None = None,
    events: Mapping[str, Mapping[str, object]] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """One span in JSON; spans of one trace know each other by their numbers. `fields` are those of OTLP."""
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": f"span {number}",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(END),
        "status": {},
        "attributes": [attribute(name, value) for name, value in (attributes or {}).items()],
        "events": [
            {
                "name": name,
                "timeUnixNano": str(START + 120_000_000),
                "attributes": [attribute(each, value) for each, value in given.items()],
            }
            for name, given in (events or {}).items()
        ],
        **fields,
    }


def call(number: int = 1, attributes: Mapping[str, object] | None = None, **more: Any) -> dict[str, Any]:
    """A span of a call with a model and tokens, and these attributes on top; None takes one away."""
    given: dict[str, object] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        **(attributes or {}),
    }
    return span(number, {name: value for name, value in given.items() if value is not None}, **more)


def by(scope: str, span: dict[str, Any], version: str = "") -> dict[str, Any]:
    """The span as one that an instrumentation wrote."""
    return {**span, "scope": {"name": scope, "version": version}}


def export(*spans: dict[str, Any], resource: Mapping[str, object] | None = None) -> dict[str, Any]:
    """What is posted. Spans that follow each other and have one scope are under it together."""
    attributes = [attribute(name, value) for name, value in (resource or {"service.name": "demo"}).items()]
    scopes: list[dict[str, Any]] = []
    for each in spans:
        scope = each.get("scope", {})
        if not scopes or scopes[-1]["scope"] != scope:
            scopes.append({"scope": scope, "spans": []})
        scopes[-1]["spans"].append({name: value for name, value in each.items() if name != "scope"})
    return {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": scopes or [{"spans": []}]}]}


def in_json(content: object) -> bytes:
    """The body of a JSON post."""
    return json.dumps(content).encode()


def in_protobuf(content: Mapping[str, Any]) -> bytes:
    """The same post in protobuf."""
    post = ExportTraceServiceRequest()
    for given in content["resourceSpans"]:
        of_resource = post.resource_spans.add()
        _add(of_resource.resource.attributes, given["resource"]["attributes"])
        for scope in given["scopeSpans"]:
            of_scope = of_resource.scope_spans.add()
            of_scope.scope.name = scope.get("scope", {}).get("name", "")
            of_scope.scope.version = scope.get("scope", {}).get("version", "")
            for each in scope["spans"]:
                added = of_scope.spans.add(
                    trace_id=bytes.fromhex(each["traceId"]),
                    span_id=bytes.fromhex(each["spanId"]),
                    parent_span_id=bytes.fromhex(each["parentSpanId"]),
                    name=each["name"],
                    start_time_unix_nano=int(each["startTimeUnixNano"]),
                    end_time_unix_nano=int(each["endTimeUnixNano"]),
                )
                added.status.code = each["status"].get("code", 0)
                added.status.message = each["status"].get("message", "")
                _add(added.attributes, each["attributes"])
                for event in each["events"]:
                    happened = added.events.add(name=event["name"], time_unix_nano=int(event["timeUnixNano"]))
                    _add(happened.attributes, event["attributes"])
    return post.SerializeToString()


def _add(pairs: Any, attributes: list[dict[str, Any]]) -> None:
    for each in attributes:
        _fill(pairs.add(key=each["key"]).value, each["value"])


def _fill(target: AnyValue, value: dict[str, Any]) -> None:
    ((kind, content),) = value.items()
    match kind:
        case "stringValue":
            target.string_value = content
        case "boolValue":
            target.bool_value = content
        case "intValue":
            target.int_value = int(content)
        case "doubleValue":
            target.double_value = float(content)
        case "arrayValue":
            target.array_value.SetInParent()
            for each in content["values"]:
                _fill(target.array_value.values.add(), each)
        case "kvlistValue":
            target.kvlist_value.SetInParent()
            _add(target.kvlist_value.values, content["values"])
