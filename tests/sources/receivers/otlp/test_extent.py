from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spendtop.sources.receivers import Unreadable
from spendtop.sources.receivers.otlp import extent
from spendtop.sources.receivers.otlp.extent import MOST_PARTS, MOST_SPANS, check_protobuf
from spendtop.sources.receivers.otlp.receiver import JSON, PROTOBUF, OtlpReceiver
from tests.otlp_posts import ARRIVAL, call, captured, export, in_protobuf

MESSAGE = ExportTraceServiceRequest.DESCRIPTOR


def varint(number: int) -> bytes:
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def in_a_span(body: bytes) -> bytes:
    return field(1, field(2, field(2, body)))


TOO_MUCH = {
    "spans": field(1, field(2, b"\x12\x00" * (MOST_SPANS + 100_000))),
    "resources": b"\x0a\x00" * (MOST_PARTS + 1),
    "scopes": field(1, b"\x12\x00" * (MOST_PARTS + 1)),
    "attributes": in_a_span(b"\x4a\x00" * (MOST_PARTS + 1)),
    "events": in_a_span(b"\x5a\x00" * (MOST_PARTS + 1)),
    "links": in_a_span(b"\x6a\x00" * (MOST_PARTS + 1)),
    "values": in_a_span(field(9, field(2, field(5, b"\x0a\x00" * (MOST_PARTS + 1))))),
    "behind a group": b"\x7b" + b"\x0a\x00" * (MOST_PARTS + 1),
    "with long tags": b"\x8a\x80\x80\x00\x00" * (MOST_PARTS + 1),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_more_than_a_post_may_hold_is_refused_before_it_is_read(what: str) -> None:
    with pytest.raises(Unreadable) as refused:
        check_protobuf(TOO_MUCH[what], MESSAGE)
    assert (refused.value.code, refused.value.status) == ("too_many_items", 413)


@pytest.mark.parametrize("inner", [b'"spans":[%b]', b'"spans":[{"attributes":[%b]}]'])
def test_json_that_holds_too_much_is_refused(inner: bytes) -> None:
    many = b",".join([b"{}"] * (MOST_PARTS + 1))
    with pytest.raises(Unreadable) as refused:
        OtlpReceiver().parse(b'{"resourceSpans":[{"scopeSpans":[{%b}]}]}' % (inner % many), JSON, ARRIVAL)
    assert (refused.value.code, refused.value.status) == ("too_many_items", 413)


def test_too_many_spans_are_too_many_in_json_as_well() -> None:
    post = b'{"resourceSpans":[{"scopeSpans":[{"spans":[%b]}]}]}' % b",".join([b"{}"] * (MOST_SPANS + 1))
    with pytest.raises(Unreadable) as refused:
        OtlpReceiver().parse(post, JSON, ARRIVAL)
    assert refused.value.status == 413


BROKEN = {
    "cut off": field(1, b"x" * 100)[:-1],
    "a part that is longer than its whole": field(1, b"\x12\x7f"),
    "a number without an end": b"\x80" * 20,
    "a kind that does not exist": b"\x0f" * 20,
    "no length": b"\x0a",
    "eight bytes cut off": b"\x09\x00",
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_protobuf_is_told(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(extent, "_UNCOUNTED", 0)
    with pytest.raises(Unreadable) as refused:
        check_protobuf(BROKEN[what], MESSAGE)
    assert refused.value.code == "malformed"


def test_what_is_nested_without_an_end_is_refused_and_costs_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extent, "_UNCOUNTED", 0)
    nested = b""
    for _ in range(300):
        nested = field(5, field(1, nested))
    with pytest.raises(Unreadable):
        OtlpReceiver().parse(in_a_span(field(9, field(2, nested))), PROTOBUF, ARRIVAL)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=64))
def test_whatever_protobuf_reads_is_counted_to_its_end(raw: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extent, "_UNCOUNTED", 0)
        try:
            ExportTraceServiceRequest.FromString(raw)
        except Exception:
            return
        check_protobuf(raw, MESSAGE)


@pytest.mark.parametrize("name", ["anthropic_sdk_in_openinference", "openllmetry_openai", "official_openai_v2"])
def test_real_posts_pass(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(extent, "_UNCOUNTED", 0)
    check_protobuf(captured(name), MESSAGE)


def test_a_large_batch_passes_and_is_counted_quickly() -> None:
    post = in_protobuf(export(*(call(number, {"gen_ai.response.id": f"r-{number}"}) for number in range(1, 2049))))
    assert len(post) > 2 * extent._UNCOUNTED
    started = time.process_time()
    check_protobuf(post, MESSAGE)
    assert time.process_time() - started < 5
    assert len(OtlpReceiver().parse(post, PROTOBUF, ARRIVAL).items) == 2048
