"""Both encodings of a post give the same spans."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from spendtop.sources.receivers import Unreadable
from spendtop.sources.receivers.otlp.spans import (
    MOST_KNOWN,
    KnownAttributes,
    SpanEvent,
    TraceSpan,
    spans_of_json,
    spans_of_protobuf,
)
from tests.otlp_posts import END, START, TRACE, by, export, in_json, in_protobuf, span

ATTRIBUTES = {
    "text": "a",
    "none at all": "",
    "whole": -5,
    "number": 0.5,
    "yes": True,
    "list": ["a", 1, [2]],
    "named": {"a": {"b": "c"}},
}


def of_json(given: dict[str, Any]) -> TraceSpan:
    (found,) = spans_of_json(in_json(export(given)))
    return found


def test_both_encodings_give_the_same() -> None:
    failed = span(2, ATTRIBUTES, parent=1, events={"exception": {"a": 1}}, status={"code": 2, "message": "no"})
    given = export(by("pydantic-ai", failed, "1.2"), span(3))
    first, second = spans_of_protobuf(in_protobuf(given))
    assert [first, second] == spans_of_json(in_json(given))
    assert first == TraceSpan(
        trace_id=TRACE,
        span_id=f"{2:016x}",
        parent_id=f"{1:016x}",
        name="span 2",
        kind=0,
        scope_name="pydantic-ai",
        scope_version="1.2",
        start=START,
        end=END,
        has_failed=True,
        has_succeeded=False,
        message="no",
        attributes=ATTRIBUTES,
        events=(SpanEvent("exception", START + 120_000_000, {"a": 1}),),
        resource={"service.name": "demo"},
    )
    assert (second.parent_id, second.attributes, second.events, second.has_failed) == ("", {}, (), False)
    assert (second.scope_name, second.scope_version) == ("", "")


def test_json_takes_numbers_for_texts_and_null_for_nothing() -> None:
    fields: dict[str, Any] = {"startTimeUnixNano": START, "endTimeUnixNano": None, "events": None, "links": [{}]}
    given = of_json({**span(1), **fields, "status": None, "kind": "SPAN_KIND_CLIENT", "attributes": [{"key": "a"}]})
    assert (given.start, given.end, given.events, given.attributes) == (START, 0, (), {"a": None})
    attributes = [
        {"key": "a", "value": {"intValue": 5}},
        {"key": "b", "value": {"doubleValue": 2}},
        {"key": "c", "value": {"doubleValue": "1.5"}},
        {"key": "d", "value": {"doubleValue": "much"}},
        {"key": "e", "value": {"bytesValue": "AAAA"}},
        {"key": "f", "value": {"arrayValue": {}}},
        {"key": "g", "value": {"kvlistValue": {"values": None}}},
        {"key": "a", "value": {"intValue": "6"}},
    ]
    found = of_json(span(1) | {"attributes": attributes}).attributes
    assert found == {"a": 6, "b": 2, "c": 1.5, "d": "much", "e": None, "f": [], "g": {}}


@pytest.mark.parametrize("wrong", ["-1", "soon", 2**63, "9" * 30, -1.5, 1e300])
def test_a_time_that_is_none_is_unknown(wrong: object) -> None:
    assert of_json(span(1) | {"startTimeUnixNano": wrong}).start == 0


@pytest.mark.parametrize("code", [2, "STATUS_CODE_ERROR"])
def test_a_failed_span_by_either_spelling(code: object) -> None:
    assert of_json(span(1) | {"status": {"code": code}}).has_failed


def test_values_without_end_are_cut_off() -> None:
    deep: object = "end"
    for _ in range(150):
        deep = [deep]
    (found,) = spans_of_json(in_json(export(span(1, {"deep": deep}))))
    depth, value = 0, found.attributes["deep"]
    while isinstance(value, list):
        depth, value = depth + 1, value[0]
    assert (depth, value) == (65, None)


NAMES = st.text("ab.", max_size=2)
PLAIN = (
    st.booleans() | st.integers(-3, 3) | st.floats(-1, 1) | st.text("ab1 é", max_size=2) | st.text("ab", min_size=200)
)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2))


@settings(max_examples=20, deadline=None)
@examples(st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=3))
def test_attributes_that_came_before_say_what_they_say_in_json(told: list[dict[str, Any]]) -> None:
    posted = export(*(span(number + 1, attributes) for number, attributes in enumerate(told)))
    assert spans_of_protobuf(in_protobuf(posted)) == spans_of_json(in_json(posted))


def pair(name: str, value: str) -> bytes:
    return KeyValue(key=name, value=AnyValue(string_value=value)).SerializeToString()


def test_words_are_remembered_and_prompts_are_not() -> None:
    known = KnownAttributes()
    for said in ("my password is 1234", "秘密", "sk-" + "a" * 48, "one\ntwo"):
        assert known[pair("gen_ai.prompt", said)] == ("gen_ai.prompt", said)
    assert len(known) == 0
    assert [known[pair("gen_ai.system", "openai")] for _ in range(2)] == [("gen_ai.system", "openai")] * 2
    assert len(known) == 1


def test_no_more_are_remembered_than_a_few() -> None:
    known = KnownAttributes()
    for number in range(3 * MOST_KNOWN):
        assert known[pair("user.id", str(number))] == ("user.id", str(number))
        assert len(known) <= MOST_KNOWN


def test_spans_share_no_mappings() -> None:
    attributes = {"named": {"a": {"b": "c"}}, "within": [1, {"a": "b"}], "deeper": [[{"a": "b"}]]}
    first, second = spans_of_protobuf(in_protobuf(export(span(1, attributes), span(2, attributes))))
    assert first.attributes == second.attributes == attributes
    assert all(first.attributes[name] is not second.attributes[name] for name in attributes)


@pytest.mark.parametrize("broken", [b"\x0a\x05ab", b"\x0a\x01\xff", b"\x12\x03\x0a\x01\xff"])
def test_one_broken_attribute_is_a_broken_post(broken: bytes) -> None:
    posted = ExportTraceServiceRequest.FromString(in_protobuf(export(span(1, {"a": "b"}))))
    (pair,) = posted.resource_spans[0].scope_spans[0].spans[0].attributes
    whole = KeyValue.SerializeToString(pair)
    damaged = posted.SerializeToString().replace(whole, broken.ljust(len(whole), b"\x80")[: len(whole)])
    assert damaged != posted.SerializeToString()
    for _ in range(2):
        with pytest.raises(Unreadable) as raised:
            spans_of_protobuf(damaged)
        assert raised.value.code == "malformed"
