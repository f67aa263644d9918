"""Helicone's webhooks: which are signed, and what they say."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND, to_iso
from spendtop.domain.money import Usd
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import (
    BodyState,
    Cost,
    NotUnderstood,
    Reporter,
    Request,
    ServiceLevel,
    Status,
    TimeSource,
    Usage,
)
from spendtop.domain.requests.request import TestEvent as GatewayTest
from spendtop.domain.sources.records import HELICONE
from spendtop.services.recording.preparation import Prepared, Preparer
from spendtop.sources.receivers import NotJson
from spendtop.sources.receivers.helicone import HeliconeReceiver
from tests.helicone_captures import captures, secret

CREATED = 1_753_142_400 * SECOND
ARRIVAL = CREATED + 31 * SECOND
CAPTURES = captures()
CHAT_USAGE = Usage(prompt=13, completion=17, cache_read=0, reasoning=0)
ALICE = "alice@example.com"


def parse(event: object, received_at: int = ARRIVAL) -> Any:
    raw = event if isinstance(event, bytes) else json.dumps(event).encode()
    return HeliconeReceiver().parse(raw, received_at)


def request_of(**fields: Any) -> Request:
    parsed = parse({"request_id": "r-1", "request_body": {}, "response_body": {}, **fields})
    assert isinstance(parsed, Request)
    return parsed


EXPECTED: dict[str, dict[str, Any]] = {
    "openai_chat_success_user_session_props_unicode": {
        "external_id": "a1b2c3d4-0000-4000-8000-000000000001",
        "usage": CHAT_USAGE,
        "service_level": ServiceLevel.STANDARD,
        "cost": Cost(reported=Usd(202_500), reported_by=Reporter.GATEWAY),
        "user_id": ALICE,
    },
    "anthropic_stream_success": {
        "external_id": "a1b2c3d4-0000-4000-8000-000000000002",
        "occurred_at": ARRIVAL,
        "time_source": TimeSource.RECEIVED,
        "time_suspect": True,
        "response_id": "msg_01Abc",
        "provider": "anthropic",
        "model": "claude-sonnet-4-20250514",
        "usage": Usage(prompt=1049, completion=12, cache_read=1024, cache_write=0),
        "service_level": ServiceLevel.STANDARD,
        "cost": Cost(reported=Usd(562_200), reported_by=Reporter.GATEWAY),
        "user_id": "bob",
        "latency_ms": 2210,
    },
    "openai_error_429": {
        "external_id": "a1b2c3d4-0000-4000-8000-000000000003",
        "occurred_at": ARRIVAL,
        "time_source": TimeSource.RECEIVED,
        "time_suspect": True,
        "response_id": None,
        "model": "gpt-4o",
        "status": Status.ERROR,
        "usage": Usage(prompt=0, completion=0),
        "cost": Cost(reported=Usd(0), reported_by=Reporter.GATEWAY),
        "user_id": ALICE,
        "latency_ms": 180,
    },
    "bodies_missing_not_stored": {
        "external_id": "a1b2c3d4-0000-4000-8000-000000000012",
        "occurred_at": ARRIVAL,
        "time_source": TimeSource.RECEIVED,
        "time_suspect": True,
        "response_id": None,
        "model": None,
        "user_id": ALICE,
        "latency_ms": None,
        "body_state": BodyState.NOT_SENT,
    },
    "include_data_false": {
        "external_id": "a1b2c3d4-0000-4000-8000-000000000007",
        "provider": None,
        "usage": CHAT_USAGE,
        "service_level": ServiceLevel.STANDARD,
        "user_id": ALICE,
        "latency_ms": None,
    },
    "no_model_metadata_absent": {
        "external_id": "a1b2c3d4-0000-4000-8000-000000000005",
        "occurred_at": ARRIVAL,
        "time_source": TimeSource.RECEIVED,
        "time_suspect": True,
        "response_id": None,
        "provider": None,
        "model": None,
        "latency_ms": None,
    },
    "no_user_id": {
        "external_id": "a1b2c3d4-0000-4000-8000-000000000006",
        "usage": CHAT_USAGE,
        "service_level": ServiceLevel.STANDARD,
        "cost": Cost(reported=Usd(202_500), reported_by=Reporter.GATEWAY),
    },
    "omit_request_and_response": {
        "external_id": "a1b2c3d4-0000-4000-8000-000000000017",
        "occurred_at": ARRIVAL,
        "time_source": TimeSource.RECEIVED,
        "time_suspect": True,
        "response_id": None,
        "usage": Usage(prompt=13, completion=17),
        "cost": Cost(reported=Usd(202_500), reported_by=Reporter.GATEWAY),
        "user_id": ALICE,
        "body_state": BodyState.NOT_SENT,
    },
    "openai_stream_with_usage": {
        "external_id": "a1b2c3d4-0000-4000-8000-000000000013",
        "response_id": "chatcmpl-S1",
        "usage": Usage(prompt=9, completion=3),
        "cost": Cost(reported=Usd(52_500), reported_by=Reporter.GATEWAY),
    },
    "openai_stream_without_usage": {
        "external_id": "a1b2c3d4-0000-4000-8000-000000000014",
        "response_id": "chatcmpl-S1",
        "cost": Cost(reported=Usd(-12_500), reported_by=Reporter.GATEWAY),
    },
    "receiver_replied_500_no_retry": {
        "external_id": "a1b2c3d4-0000-4000-8000-000000000020",
        "usage": CHAT_USAGE,
        "service_level": ServiceLevel.STANDARD,
        "cost": Cost(reported=Usd(202_500), reported_by=Reporter.GATEWAY),
    },
}
USUAL: dict[str, Any] = {
    "source": HELICONE,
    "received_at": ARRIVAL,
    "occurred_at": CREATED,
    "time_source": TimeSource.PROVIDER,
    "time_suspect": False,
    "response_id": "chatcmpl-AbCdEf123",
    "provider": "openai",
    "model": "gpt-4o-2024-08-06",
    "status": Status.OK,
    "http_status": None,
    "usage": Usage(),
    "cost": Cost(),
    "user_id": None,
    "session_id": None,
    "session_path": None,
    "token": None,
    "properties": None,
    "latency_ms": 930,
    "ttft_ms": None,
    "cached": False,
    "counted": True,
    "verified": False,
    "body_state": BodyState.STORED,
    "content": None,
    "service_level": None,
    "inference_geo": None,
    "served_model": None,
    "unread_usage": (),
    "billing": None,
    "output_final": True,
    "other_ids": (),
}


@pytest.mark.parametrize("scenario", EXPECTED)
def test_a_captured_webhook_says(scenario: str) -> None:
    parsed = parse(CAPTURES[scenario].raw)
    assert isinstance(parsed, Request)
    fields = asdict(parsed)
    bodies = [fields.pop("request_body"), fields.pop("response_body")]
    kept = fields.pop("provider_usage")
    assert (kept is None) is (b'"usage":{' not in (parsed.response_body or b""))
    assert fields == USUAL | EXPECTED[scenario]
    assert (bodies == [None, None]) is (parsed.body_state is BodyState.NOT_SENT)


def test_the_captured_test_event_is_a_test() -> None:
    capture = CAPTURES["dashboard_test_event"]
    expected = GatewayTest(
        source=HELICONE,
        external_id="123abda0-b057-4b4b-80c5-80e47d3a85f1",
        received_at=ARRIVAL,
        raw=capture.raw,
    )
    assert parse(capture.raw) == expected


def test_all_captures_are_covered() -> None:
    assert EXPECTED.keys() | {"dashboard_test_event"} == CAPTURES.keys()


def test_a_test_event_without_data_is_known_by_its_prompt() -> None:
    event = {
        "request_id": "t-1",
        "request_body": json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "test message"}]}),
        "response_body": json.dumps({"id": "x"}),
    }
    assert isinstance(parse(event), GatewayTest)
    real = {**event, "request_body": json.loads(event["request_body"])}
    assert isinstance(parse(real), Request)


@pytest.mark.parametrize(("sent", "marked"), [("true", True), ("false", False), ('"1"', False), ("null", False)])
def test_what_send_test_sends_is_marked(sent: str, marked: bool) -> None:
    parsed = parse(b'{"request_id":"r","spendtop_test":%s}' % sent.encode())
    assert parsed.properties == ({"spendtop_test": "1"} if marked else None)


def test_bodies_are_kept_byte_for_byte() -> None:
    raw = b'{"request_id":"r","request_body":{ "messages" : "Gr\xc3\xbc\xc3\x9fe" },"response_body":{"n":1.50}}'
    parsed = parse(raw)
    assert parsed.request_body == b'{ "messages" : "Gr\xc3\xbc\xc3\x9fe" }'
    assert parsed.response_body == b'{"n":1.50}'


@pytest.mark.parametrize("scenario", CAPTURES)
def test_signatures_of_helicone_are_verified_over_the_raw_bytes(scenario: str) -> None:
    capture, receiver = CAPTURES[scenario], HeliconeReceiver()
    assert receiver.verify(capture.raw, [capture.signature], [secret()])
    assert receiver.verify(capture.raw, [capture.signature.upper()], [b"another", secret()])
    for at in (0, len(capture.raw) // 2, len(capture.raw) - 1):
        flipped = bytearray(capture.raw)
        flipped[at] ^= 1
        assert not receiver.verify(bytes(flipped), [capture.signature], [secret()])
    assert not receiver.verify(capture.raw + b"\n", [capture.signature], [secret()])


@pytest.mark.parametrize("broken", ["none", "empty", "short", "not hex", "not ascii", "two", "prefixed", "newline"])
def test_a_signature_of_another_form_is_never_right(broken: str) -> None:
    raw, right = CAPTURES["no_user_id"].raw, CAPTURES["no_user_id"].signature
    headers = {
        "none": [],
        "empty": [b""],
        "short": [right[:-1]],
        "not hex": [b"g" * 64],
        "not ascii": ["é".encode() * 32],
        "two": [right, right],
        "prefixed": [b"sha256=" + right],
        "newline": [right + b"\n"],
    }
    assert not HeliconeReceiver().verify(raw, headers[broken], [secret()])


def test_an_empty_secret_opens_nothing() -> None:
    raw = b"{}"
    by_empty_key = hmac.new(b"", raw, "sha256").hexdigest().encode()
    receiver = HeliconeReceiver()
    assert not receiver.verify(raw, [by_empty_key], [])
    assert not receiver.verify(raw, [by_empty_key], [b""])
    assert not receiver.verify(raw, [by_empty_key], [b"", b"a secret"])


def test_replaced_secrets_count_at_once() -> None:
    receiver, raw = HeliconeReceiver(), b"{}"
    old = hmac.new(b"old", raw, "sha256").hexdigest().encode()
    assert receiver.verify(raw, [old], [b"old"])
    assert not receiver.verify(raw, [old], [b"new"])


@pytest.mark.parametrize("raw", [b"", b" ", b"{", b"{} x", b"\xff", b'{"request_id":"r"', b'{"request_id":r}'])
def test_what_is_no_json_is_told_apart(raw: bytes) -> None:
    with pytest.raises(NotJson):
        parse(raw)


def test_half_a_character_is_repaired_also_in_json_inside_a_text() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    inner = json.dumps({"messages": ["\ud83d", "\U0001f600"], "usage": usage})
    raw = json.dumps({"request_id": "r", "request_body": inner, "response_body": inner}).encode()
    found = parse(raw)
    assert isinstance(found, Request)
    assert json.loads(found.request_body or b"")["messages"] == ["\ufffd", "\U0001f600"]
    assert found.usage == Usage(prompt=1, completion=2)


def test_an_event_that_was_repaired_keeps_the_identity_of_what_was_sent() -> None:
    raw = rb'{"event":"request.created","data":{"model":"gpt-4o","user_id":"\ud83d"}}'
    found = parse(raw)
    assert isinstance(found, Request)
    assert (found.external_id, found.user_id) == (hashlib.sha256(raw).hexdigest(), "\ufffd")


def test_what_is_nested_too_deeply_is_kept_as_it_was_sent() -> None:
    raw = b'{"request_id":"r","request_body":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    found = parse(raw)
    assert isinstance(found, NotUnderstood) and found.raw == raw


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ([], "object"),
        ("text", "object"),
        (None, "object"),
        ({}, "request_id"),
        ({"request_id": ""}, "request_id"),
        ({"request_id": None}, "request_id"),
        ({"request_id": 7}, "request_id"),
        ({"request_id": "a b"}, "request_id"),
        ({"request_id": "a" * 129}, "request_id"),
        ({"request_id": "r", "metadata": "text"}, "metadata"),
        ({"request_id": "r", "metadata": {"cost": "free"}}, "metadata.cost"),
        ({"request_id": "r", "metadata": {"cost": True}}, "metadata.cost"),
        ({"request_id": "r", "metadata": {"cost": 1e30}}, "metadata.cost"),
        ({"request_id": "r", "metadata": {"promptTokens": "13"}}, "promptTokens"),
        ({"request_id": "r", "user_id": 7}, "user_id"),
        ({"request_id": "r", "model": ["gpt"]}, "model"),
        ({"event": "request.deleted", "data": {}}, "event"),
        ({"event": "request.created"}, "data"),
        ({"event": "request.created", "data": {"tokens": {"prompt": 1}}}, "tokens"),
    ],
)
def test_what_is_not_understood_names_the_field(event: object, named: str) -> None:
    parsed = parse(event)
    assert isinstance(parsed, NotUnderstood)
    assert named in parsed.reason
    assert parsed.raw == json.dumps(event).encode()


def test_unknown_fields_are_left_alone() -> None:
    assert request_of(version="2030-01-01", extra={"a": [1]}).external_id == "r-1"


def test_the_last_of_two_equal_keys_counts() -> None:
    assert parse(b'{"request_id":"a","request_id":"b"}').external_id == "b"


@pytest.mark.parametrize(
    ("number", "nano"),
    [("0.00020250000000000002", 202_500), ("1.5e-7", 150), ("5e-10", 0), ("1.5e-9", 2), ("12", 12 * 10**9)],
)
def test_costs_are_exact_decimals(number: str, nano: int) -> None:
    assert parse(b'{"request_id":"r","metadata":{"cost":%b}}' % number.encode()).cost == Cost(
        reported=Usd(nano), reported_by=Reporter.GATEWAY
    )


def test_a_cost_of_null_is_unknown() -> None:
    assert request_of(metadata={"cost": None}).cost == Cost()
    assert request_of(metadata=None).cost == Cost()


def test_a_cost_beside_negative_tokens_is_not_believed() -> None:
    request = request_of(metadata={"cost": 0.5, "promptTokens": -1, "completionTokens": 3})
    assert request.cost == Cost()
    assert request.usage == Usage(completion=3)


def test_usage_of_the_body_goes_before_the_gateways() -> None:
    usage = {"input_tokens": 1, "cache_read_input_tokens": 10, "output_tokens": 2}
    request = request_of(response_body={"usage": usage}, metadata={"promptTokens": 1, "completionTokens": 2})
    assert request.usage == Usage(prompt=11, completion=2, cache_read=10, cache_write=0)


@pytest.mark.parametrize(
    "response",
    [
        {"error": {"message": "no"}},
        {"error": "HTML response detected:", "html_response": "<html>"},
        {"helicone_error": "error parsing response"},
        {"html_response": "<html>"},
        {"type": "error", "error": {"type": "overloaded_error"}},
        [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}],
        {"object": "error", "message": "Invalid model", "type": "invalid_model", "code": "1500"},
        {"message": "Too many tokens, please wait before trying again."},
        {"id": "7", "message": "invalid api token"},
    ],
)
def test_failures_are_seen_in_the_response(response: object) -> None:
    assert request_of(response_body=response).status is Status.ERROR


@pytest.mark.parametrize(
    "response",
    [
        {"id": "chat-1", "message": {"role": "assistant", "content": "hello"}},
        {"model": "llama", "message": {"content": "hello"}, "eval_count": 1},
        [{"candidates": []}, {"usageMetadata": {"promptTokenCount": 1}}],
        [],
    ],
)
def test_answers_with_a_message_are_no_failures(response: object) -> None:
    assert request_of(response_body=response).status is Status.OK


def test_a_cost_may_be_said_as_text() -> None:
    assert request_of(metadata={"cost": "12.3"}).cost.reported == Usd.of("12.3")


def test_an_error_of_null_is_none() -> None:
    assert request_of(response_body={"id": "resp_1", "error": None}).status is Status.OK


@pytest.mark.parametrize(
    ("offset", "is_believed"),
    [(0, True), (-35 * DAY, True), (-35 * DAY - SECOND, False), (5 * MINUTE, True), (5 * MINUTE + SECOND, False)],
)
def test_the_providers_time_is_believed_within_bounds(offset: int, is_believed: bool) -> None:
    created = (CREATED + offset) // SECOND
    parsed = parse({"request_id": "r", "response_body": {"created": created, "id": "x"}}, CREATED)
    expected = (created * SECOND, TimeSource.PROVIDER, False) if is_believed else (CREATED, TimeSource.RECEIVED, True)
    assert (parsed.occurred_at, parsed.time_source, parsed.time_suspect) == expected


@pytest.mark.parametrize("created", [None, "1753142400", True, -1, 1e300, [1]])
def test_a_time_that_is_none_is_the_arrival(created: object) -> None:
    parsed = request_of(response_body={"created": created, "id": "x"})
    assert (parsed.occurred_at, parsed.time_suspect) == (ARRIVAL, True)


def test_the_model_comes_from_where_it_is_known() -> None:
    assert request_of(model="a", response_body={"model": "b"}, request_body={"model": "c"}).model == "a"
    assert request_of(response_body={"model": "b"}, request_body={"model": "c"}).model == "b"
    assert request_of(response_body={"model": ""}, request_body={"model": "c"}).model == "c"
    assert request_of(response_body={"model": 7}).model is None


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("OPENAI", "openai"), ("GOOGLE", "google"), ("BEDROCK", "aws"), ("X", "x-ai"), ("CUSTOM", None), ("", None)],
)
def test_providers_have_our_names(theirs: str, ours: str | None) -> None:
    assert request_of(provider=theirs).provider == ours


def test_names_are_recorded_as_stores_can_hold_them() -> None:
    preparer = Preparer(Pricer({}, None, lambda provider, model, terms, at: None), None, keep_bodies=False)
    prepared = preparer.prepare(request_of(user_id="a\0b", model="m" * 1000))
    assert isinstance(prepared, Prepared)
    request = prepared.request
    assert request.user_id == "a␀b"
    assert request.model == "m" * 256
    assert request_of(user_id="").user_id is None


def test_bodies_that_are_texts_of_json_are_opened_once() -> None:
    request = request_of(request_body='{"messages": 1}', response_body="plain words")
    assert request.request_body == b'{"messages": 1}'
    assert request.response_body == b'"plain words"'
    assert request.body_state is BodyState.STORED


def test_a_body_that_helicone_cut_is_no_prompt() -> None:
    sentence = "Body too large for webhook, use the request_response_url"
    request = request_of(request_body=sentence, response_body={"id": "x"})
    assert (request.request_body, request.body_state) == (None, BodyState.TRUNCATED)


@pytest.mark.parametrize(("latency", "expected"), [(930, 930), (930.4, 930), (-5, None), (None, None)])
def test_latency_is_whole_milliseconds(latency: float | None, expected: int | None) -> None:
    assert request_of(metadata={"latencyMs": latency}).latency_ms == expected


@pytest.mark.replaces("flow/event")
def test_the_older_flow_is_understood() -> None:
    data = {"model": "gpt-4", "cost": 0.03, "tokens": 450, "user_id": "u", "timestamp": to_iso(ARRIVAL - HOUR)}
    raw = json.dumps({"event": "request.created", "data": data}).encode()
    expected = Request(
        source=HELICONE,
        external_id=hashlib.sha256(raw).hexdigest(),
        received_at=ARRIVAL,
        occurred_at=ARRIVAL - HOUR,
        time_source=TimeSource.PROVIDER,
        model="gpt-4",
        usage=Usage(prompt=450),
        cost=Cost(reported=Usd(30_000_000), reported_by=Reporter.GATEWAY),
        user_id="u",
    )
    assert parse(raw) == expected


@pytest.mark.parametrize("timestamp", [None, "2020-01-01T00:00:00Z", "2025-07-22T00:00:00", "yesterday", 12])
def test_the_older_flows_time_has_the_same_bounds(timestamp: object) -> None:
    parsed = parse({"event": "request.created", "data": {"timestamp": timestamp}})
    assert (parsed.occurred_at, parsed.time_source, parsed.time_suspect) == (ARRIVAL, TimeSource.RECEIVED, True)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "request_id": st.text(max_size=4) | _JSON,
        "request_body": _JSON,
        "response_body": st.fixed_dictionaries({}, optional={"usage": _JSON, "created": _JSON, "error": _JSON}) | _JSON,
        "metadata": st.fixed_dictionaries({}, optional={"cost": _JSON, "promptTokens": _JSON, "latencyMs": _JSON})
        | _JSON,
        "user_id": _JSON,
        "model": _JSON,
        "provider": _JSON,
        "event": st.just("request.created") | _JSON,
        "data": st.fixed_dictionaries({}, optional={"cost": _JSON, "tokens": _JSON, "timestamp": _JSON}) | _JSON,
    },
)


@settings(max_examples=600, deadline=None)
@given(st.binary(max_size=200) | _EVENTS.map(lambda event: json.dumps(event).encode()))
def test_no_input_is_anything_but_understood_kept_or_refused(raw: bytes) -> None:
    try:
        parsed = HeliconeReceiver().parse(raw, ARRIVAL)
    except NotJson:
        return
    assert isinstance(parsed, Request | GatewayTest | NotUnderstood)


def test_the_answer_names_the_model_that_served() -> None:
    answer = {"model": "gpt-4o-2024-08-06", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    assert request_of(model="prod-chat-eu", response_body=answer).served_model == "gpt-4o-2024-08-06"
    assert request_of(model="gpt-4o", response_body=answer).served_model is None


def test_the_providers_own_cost_comes_before_helicones() -> None:
    answer = {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "cost": 0.5, "odd_units": 3}}
    found = request_of(response_body=answer, metadata={"cost": 0.7})
    assert found.cost == Cost(reported=Usd.of("0.5"), reported_by=Reporter.PROVIDER)
    assert found.unread_usage == ("odd_units",)


def test_a_stream_that_is_kept_as_text_or_chunks_tells_what_was_used() -> None:
    chunks = [{"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}]
    chunks += [{"type": "message_delta", "delta": {}, "usage": {"output_tokens": 15}}]
    text = "".join(f"event: x\ndata: {json.dumps(chunk)}\n\n" for chunk in chunks)
    for body in (text, chunks, {"streamed_data": chunks}, {"streamed_data": text}):
        assert request_of(response_body=body).usage == Usage(prompt=25, completion=15)
