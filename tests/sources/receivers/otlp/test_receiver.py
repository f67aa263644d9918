"""Traces: which spans are requests, what they say, and that each call is one."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.money import Usd
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Basis, BodyState, Request, Status, TimeSource, Usage
from spendtop.domain.sources.records import OTLP
from spendtop.domain.usage import MOST_TOKENS
from spendtop.sources.receivers import Invalid, NotJson, Unreadable
from spendtop.sources.receivers.otlp import receiver as module
from spendtop.sources.receivers.otlp.names import NAMES, OPENED, UNIT_PREFIXES
from spendtop.sources.receivers.otlp.receiver import JSON, PROTOBUF, OtlpReceiver
from tests.otlp_posts import ARRIVAL, END, START, TRACE, call, captured, export, in_json, in_protobuf, span
from tests.otlp_receiving import ids, items_of, request_of

CAPTURES = ("openllmetry_openai", "openinference_openai", "official_openai_v2")


def of(attributes: Mapping[str, object] | None = None, **more: Any) -> Request:
    return request_of(call(1, attributes, **more))


def refused(attributes: Mapping[str, object]) -> dict[str, str]:
    (item,) = items_of(call(1, attributes))
    assert isinstance(item, Invalid)
    return item.fields


@pytest.mark.parametrize(("name", "dollars"), list(zip(CAPTURES, ("0.00018", "0.00018", "0.00021"), strict=True)))
def test_captured_spans_cost_what_their_tokens_cost(name: str, dollars: str) -> None:
    (request,) = OtlpReceiver().parse(captured(name), PROTOBUF, ARRIVAL).items
    assert isinstance(request, Request)
    cost = Pricer({}, None, PublishedPrices()).cost(request)
    assert (cost.amount, cost.basis) == (Usd.of(dollars), Basis.COMPUTED)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openllmetry_openai", {"user_id": "alice", "session_id": None, "latency_ms": 11}),
        ("openinference_openai", {"user_id": "alice", "session_id": "s1", "latency_ms": 10}),
        ("official_openai_v2", {"user_id": None, "session_id": None, "latency_ms": 16}),
    ],
)
def test_captured_spans_say_who_and_what(name: str, expected: dict[str, object]) -> None:
    (request,) = OtlpReceiver().parse(captured(name), PROTOBUF, ARRIVAL + 10 * MINUTE).items
    assert isinstance(request, Request)
    is_official = name == "official_openai_v2"
    assert {field: getattr(request, field) for field in expected} == expected
    assert (request.source, request.provider, request.model) == (OTLP, "openai", "gpt-4o-mini-2024-07-18")
    assert (request.external_id, request.response_id) == ("chatcmpl-1", "chatcmpl-1")
    assert request.usage == Usage(
        prompt=1000,
        completion=100,
        cache_read=None if is_official else 400,
        reasoning=None if is_official else 20,
    )
    assert (request.time_source, request.time_suspect) == (TimeSource.CLIENT, False)
    assert request.body_state is (BodyState.NOT_SENT if is_official else BodyState.STORED)


def test_a_whole_span() -> None:
    request = of(
        {"user.id": "alice", "gen_ai.conversation.id": "s-1", "gen_ai.usage.cost": 0.25},
    )
    assert request == Request(
        source=OTLP,
        external_id=f"{TRACE}-0000000000000001",
        received_at=ARRIVAL,
        occurred_at=START // 1000,
        time_source=TimeSource.CLIENT,
        provider="openai",
        model="gpt-4o-mini-2024-07-18",
        usage=Usage(prompt=1000, completion=100),
        cost=request.cost,
        user_id="alice",
        session_id="s-1",
        properties={"service.name": "demo"},
        latency_ms=968,
    )
    assert request.cost.reported == Usd.of("0.25")


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "chat"},
        {"gen_ai.operation.name": "text_completion"},
        {"gen_ai.operation.name": "generate_content"},
        {"gen_ai.operation.name": "embeddings"},
        {"openinference.span.kind": "LLM"},
        {"openinference.span.kind": "EMBEDDING"},
        {"llm.request.type": "chat"},
    ],
)
def test_calls_of_models_are_requests(attributes: dict[str, object]) -> None:
    assert request_of(span(1, {**attributes, "gen_ai.usage.input_tokens": 5})).usage == Usage(prompt=5)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"http.request.method": "POST"},
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 5},
        {"gen_ai.operation.name": "execute_tool"},
        {"gen_ai.operation.name": 5},
        {"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 5},
        {"openinference.span.kind": "AGENT"},
        {"traceloop.span.kind": "workflow"},
        {"gen_ai.operation.name": "fetch_response", "gen_ai.usage.input_tokens": 5},
    ],
)
def test_other_spans_are_passed_over(attributes: dict[str, object]) -> None:
    assert items_of(span(1, attributes)) == ()


def test_a_post_without_spans_says_nothing() -> None:
    receiver = OtlpReceiver()
    assert receiver.parse(b"", PROTOBUF, ARRIVAL).items == ()
    for raw in (b"{}", b'{"resourceSpans":[]}', b'{"resourceSpans":null,"other":1}'):
        assert receiver.parse(raw, JSON, ARRIVAL).items == ()


def test_the_id_is_the_responses_else_that_of_the_span() -> None:
    body = {"output.value": json.dumps({"id": "chatcmpl-7", "choices": []})}
    assert of({"gen_ai.response.id": "r-1", **body}).external_id == "r-1"
    assert of(body).external_id == of(body).response_id == "chatcmpl-7"
    assert of({"gen_ai.output": {"id": "resp-2"}}).external_id == "resp-2"
    for unusable in ("plain text", "[1]", '{"id":{}}', "{", '{"id":""}'):
        request = of({"output.value": unusable})
        assert (request.external_id, request.response_id) == (f"{TRACE}-{1:016x}", None)


@pytest.mark.parametrize("wrong", ["", "zz" * 16, "00" * 16, "0a", "W47/95gDgQPSabYzgT/GDA==", "ab " * 16, "１" * 16])
def test_a_span_without_an_id_of_any_kind_cannot_be_taken(wrong: str) -> None:
    for field, length in (("traceId", 32), ("spanId", 16)):
        given = {**call(1), field: wrong[:length]}
        (item,) = OtlpReceiver().parse(in_json(export(given)), JSON, ARRIVAL).items
        assert isinstance(item, Invalid)
        assert list(item.fields) == [field]
        assert wrong == "" or wrong[:length] not in str(item)
    known = call(1, {"gen_ai.response.id": "r-1"}, traceId=wrong, spanId="")
    (item,) = OtlpReceiver().parse(in_json(export(known)), JSON, ARRIVAL).items
    assert isinstance(item, Request)


def test_ids_are_compared_in_lower_case() -> None:
    given = call(1, traceId=TRACE.upper(), spanId="ABCDEF0123456789")
    (item,) = OtlpReceiver().parse(in_json(export(given)), JSON, ARRIVAL).items
    assert isinstance(item, Request)
    assert item.external_id == f"{TRACE}-abcdef0123456789"


@pytest.mark.parametrize(
    ("start", "believed"),
    [
        (ARRIVAL - 34 * DAY, True),
        (ARRIVAL - 36 * DAY, False),
        (ARRIVAL + 4 * MINUTE, True),
        (ARRIVAL + 6 * MINUTE, False),
        (0, False),
    ],
)
def test_no_span_is_refused_for_its_time(start: int, believed: bool) -> None:
    request = of(startTimeUnixNano=str(start * 1000))
    assert request.time_suspect is not believed
    assert request.occurred_at == (start if believed else ARRIVAL)
    assert request.time_source is (TimeSource.CLIENT if believed else TimeSource.RECEIVED)


@pytest.mark.parametrize("end", [0, START - 1, START + 86_400_000_000_001])
def test_an_impossible_latency_is_unknown(end: int) -> None:
    assert of(endTimeUnixNano=str(end)).latency_ms is None


def test_the_time_to_the_first_token() -> None:
    assert of({"gen_ai.server.time_to_first_token": 0.25}).ttft_ms == 250
    assert of({"gen_ai.response.time_to_first_chunk": 1}).ttft_ms == 1000
    assert of(events={"First Token Stream Event": {}}).ttft_ms == 120
    assert of({"ai.response.msToFirstChunk": 90.5}).ttft_ms == 90
    assert of({"gen_ai.client.operation.time_to_first_chunk": 0.5}).ttft_ms == 500
    assert of(events={"ai.stream.firstChunk": {}}).ttft_ms == 120
    assert of(events={"llm.content.completion.chunk": {}}, startTimeUnixNano=str(END)).ttft_ms is None
    for impossible in (-1.0, float("nan"), float("inf"), "soon"):
        assert of({"gen_ai.server.time_to_first_token": impossible}).ttft_ms is None


@pytest.mark.parametrize(
    ("attributes", "status", "expected"),
    [
        ({}, {}, (Status.OK, None)),
        ({}, {"code": 1}, (Status.OK, None)),
        ({}, {"code": 2}, (Status.ERROR, None)),
        ({"error.type": "RateLimitError"}, {}, (Status.ERROR, None)),
        ({"error.type": "429"}, {}, (Status.ERROR, 429)),
        ({"http.response.status_code": 503}, {}, (Status.ERROR, 503)),
        ({"http.response.status_code": 200}, {}, (Status.OK, 200)),
        ({"http.response.status_code": 9999}, {}, (Status.OK, None)),
    ],
)
def test_how_a_call_ended(
    attributes: dict[str, object], status: dict[str, object], expected: tuple[Status, int | None]
) -> None:
    request = of(attributes, status=status)
    assert (request.status, request.http_status) == expected


def test_a_failed_call_needs_no_tokens() -> None:
    tokens = {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}
    request = of({**tokens, "error.type": "timeout"}, status={"code": 2, "message": "timed out"})
    assert (request.status, request.usage) == (Status.ERROR, Usage())
    assert json.loads(request.response_body or b"") == {"error": {"type": "timeout", "message": "timed out"}}


NOTHING: dict[str, object] = {
    "gen_ai.response.model": None,
    "gen_ai.usage.input_tokens": None,
    "gen_ai.usage.output_tokens": None,
}


def test_a_call_that_says_nothing_cannot_be_taken() -> None:
    assert refused(NOTHING).keys() == {"gen_ai.response.model", "gen_ai.usage.input_tokens"}
    assert of({**NOTHING, "llm.model_name": "gpt-4o"}).model == "gpt-4o"
    assert of({**NOTHING, "llm.token_count.prompt": 3}).usage == Usage(prompt=3)
    assert of({**NOTHING, "gen_ai.usage.cost": 0.5}).cost.reported == Usd.of("0.5")


@pytest.mark.parametrize(
    "value", [-1, MOST_TOKENS + 1, 2**63 - 1, 1.5, float("nan"), float("inf"), 1e300, True, "a thousand", [1], {"a": 1}]
)
def test_tokens_that_are_no_number_of_tokens_are_named_and_not_repeated(value: object) -> None:
    fields = refused({"gen_ai.usage.input_tokens": value})
    assert list(fields) == ["gen_ai.usage.input_tokens"]
    assert "from 0 to 10,000,000,000" in fields["gen_ai.usage.input_tokens"]


@pytest.mark.parametrize("number", [str(2**63), str(2**64), 2**70, "9" * 5000, "1e3", 1.5, "-5"])
def test_tokens_that_only_json_can_spell_are_named_too(number: object) -> None:
    given = call(1, {"gen_ai.usage.input_tokens": None})
    given["attributes"].append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": number}})
    (item,) = OtlpReceiver().parse(in_json(export(given)), JSON, ARRIVAL).items
    assert isinstance(item, Invalid)
    assert list(item.fields) == ["gen_ai.usage.input_tokens"]


def test_all_wrong_tokens_are_named_at_once_and_other_spans_are_taken() -> None:
    wrong = {"gen_ai.usage.input_tokens": -1, "gen_ai.usage.reasoning_tokens": 0.5}
    first, second = items_of(call(1, wrong), call(2))
    assert isinstance(first, Invalid)
    assert first.fields.keys() == wrong.keys()
    assert isinstance(second, Request)


def test_tokens_come_from_the_response_where_no_attribute_tells_them() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}
    inside = {**NOTHING, "output.value": json.dumps({"usage": usage})}
    assert of(inside).usage == Usage(prompt=9, completion=4, cache_read=2)
    assert of({"output.value": json.dumps({"usage": usage})}).usage.prompt == 1000


def test_failed_calls_have_the_model_of_what_was_asked_and_no_tokens() -> None:
    asked = {**NOTHING, "openinference.span.kind": "LLM", "gen_ai.operation.name": None, "gen_ai.provider.name": None}
    thrown = {"exception.message": "Error code: 401 - {'error': {'message': 'no'}}"}
    for where in ("llm.invocation_parameters", "input.value"):
        failed = of({**asked, where: '{"model": "gpt-4o"}'}, status={"code": 2}, events={"exception": thrown})
        assert (failed.model, failed.usage, failed.cost.reported) == ("gpt-4o", Usage(), None)
        assert (failed.status, failed.http_status) == (Status.ERROR, 401)


def test_calls_without_tokens_have_their_model() -> None:
    embedding = {**NOTHING, "gen_ai.operation.name": None, "openinference.span.kind": "EMBEDDING"}
    embedded = of({**embedding, "embedding.model_name": "text-embedding-3-small", "llm.token_count.prompt": 9})
    assert (embedded.model, embedded.usage) == ("text-embedding-3-small", Usage(prompt=9))
    reranker = {**embedding, "openinference.span.kind": "RERANKER", "reranker.model_name": "rerank-v3.5"}
    assert (of(reranker).model, of(reranker).usage) == ("rerank-v3.5", Usage())


def test_a_gateways_answer_from_its_cache() -> None:
    assert of({"litellm.cache_hit": True}).cached
    assert not of({"litellm.cache_hit": False}).cached


def test_properties_are_the_service_and_what_the_application_associates() -> None:
    associated = {
        "traceloop.association.properties.user_id": "u",
        "traceloop.association.properties.session_id": "s",
        "traceloop.association.properties.team": "search",
        "traceloop.association.properties.beta": True,
        "traceloop.association.properties.": "nameless",
    }
    resource = {"service.name": "shop", "deployment.environment.name": "prod"}
    request = request_of(call(1, associated), resource=resource)
    assert (request.user_id, request.session_id) == ("u", "s")
    assert request.properties == {
        "service.name": "shop",
        "deployment.environment": "prod",
        "team": "search",
        "beta": "true",
    }
    older = request_of(call(1), resource={"service.name": "unknown_service:python", "deployment.environment": "dev"})
    assert older.properties == {"deployment.environment": "dev"}
    assert request_of(call(1), resource={"a": "b"}).properties is None


@pytest.mark.parametrize("raw", [b"not protobuf", b"\xff", b"\x0a\x05ab", b"\x0a\x02\x12\x05", b'{"resourceSpans":[]}'])
def test_broken_protobuf_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable) as raised:
        OtlpReceiver().parse(raw, PROTOBUF, ARRIVAL)
    assert raised.value.code == "malformed"


@pytest.mark.parametrize("raw", [b"", b"no", b"{} {}", b'{"a":', b'{"a":' + b"[" * 100_000])
def test_what_is_no_json_is_told(raw: bytes) -> None:
    with pytest.raises(NotJson):
        OtlpReceiver().parse(raw, JSON, ARRIVAL)


@pytest.mark.parametrize("detail", [rb'"\ud83d"', b'"\xff"', b'"a\nb"'])
def test_a_detail_of_json_costs_no_batch(detail: bytes) -> None:
    posted = in_json(export(call(1, {"gen_ai.response.id": "r-1", "detail": "?"}))).replace(b'"?"', detail)
    (found,) = OtlpReceiver().parse(posted, JSON, ARRIVAL).items
    assert isinstance(found, Request) and found.response_id == "r-1"


@pytest.mark.parametrize(
    "content", [[], 5, "text", {"resourceSpans": 5}, {"resourceSpans": [{"scopeSpans": "secret"}]}]
)
def test_json_of_another_shape_is_unreadable_and_not_repeated(content: object) -> None:
    with pytest.raises(Unreadable) as raised:
        OtlpReceiver().parse(in_json(content), JSON, ARRIVAL)
    assert raised.value.code == "malformed"
    assert "secret" not in str(raised.value)


def test_a_batch_is_read_quickly() -> None:
    post = in_protobuf(export(*(call(number, {"gen_ai.response.id": f"r-{number}"}) for number in range(1, 513))))
    started = time.process_time()
    assert len(OtlpReceiver().parse(post, PROTOBUF, ARRIVAL).items) == 512
    assert time.process_time() - started < 2


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
EVERY_NAME = st.sampled_from(
    [
        *(name for names in msgspec.structs.astuple(NAMES) for name in names if isinstance(name, str)),
        *(name for names in NAMES.units.values() for name in names),
        *OPENED,
        "gen_ai.input.messages",
        "gen_ai.system_instructions",
        "llm.input_messages.0.message.contents.0.message_content.image",
        "llm.output_messages.1",
        "llm.output_messages.1.message.tool_calls.0.tool_call.function.name",
        "gen_ai.prompt.0.tool_calls.0.name",
        "gen_ai.completion.0",
        "traceloop.association.properties.x",
    ]
)
TOTALS = {
    name
    for unit, names in NAMES.units.items()
    if unit in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens")
    for name in (*names, *(f"{prefix}{unit}" for prefix in UNIT_PREFIXES))
}


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_told_unreadable(raw: bytes) -> None:
    for content_type in (PROTOBUF, JSON):
        try:
            OtlpReceiver().parse(raw, content_type, ARRIVAL)
        except (NotJson, Unreadable):
            continue


@settings(max_examples=150, deadline=None)
@given(JSON_VALUES)
def test_any_json_is_read_or_told_unreadable(content: object) -> None:
    for wrapped in (content, {"resourceSpans": content}, {"resourceSpans": [{"scopeSpans": [{"spans": content}]}]}):
        try:
            OtlpReceiver().parse(in_json(wrapped), JSON, ARRIVAL)
        except (NotJson, Unreadable):
            continue


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(EVERY_NAME, JSON_VALUES | JSON_VALUES.map(json.dumps), max_size=6),
    st.sampled_from(["gen_ai.user.message", "gen_ai.choice", "gen_ai.content.prompt", "exception"]),
    JSON_VALUES,
)
def test_attributes_of_any_kind_are_taken_or_named(attributes: dict[str, object], event: str, said: object) -> None:
    given_ = call(1, events={event: {"gen_ai.event.content": said, "content": said, "gen_ai.prompt": said}})
    given_["attributes"] += export(span(1, attributes))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]
    (item,) = OtlpReceiver().parse(in_json(export(given_)), JSON, ARRIVAL).items
    if isinstance(item, Invalid):
        assert set(item.fields) <= TOTALS
    else:
        assert isinstance(item, Request)
        assert json.loads(item.request_body or b"{}") is not None


def test_more_calls_than_any_exporter_sends_at_once_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CALLS", 2)
    around = span(9, {"http.route": "/"})
    assert ids(items_of(call(1), call(2), around)) == [1, 2]
    with pytest.raises(Unreadable, match="at most 2 calls") as failure:
        items_of(call(1), call(2), call(3))
    assert failure.value.code == "too_many_items"


def test_the_model_of_the_answer_prices_a_deployment() -> None:
    answer = {"id": "chatcmpl-1", "model": "gpt-4o-2024-08-06"}
    deployed = {"gen_ai.request.model": "prod-chat", "gen_ai.response.model": None}
    found = of({**deployed, "output.value": json.dumps(answer)})
    assert (found.model, found.served_model) == ("prod-chat", "gpt-4o-2024-08-06")
    assert of({"gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024-08-06"}).served_model is None
    renamed = of({"gen_ai.request.model": "anthropic/claude-sonnet-4.5", "gen_ai.response.model": "acme/other"})
    assert (renamed.model, renamed.served_model) == ("acme/other", "anthropic/claude-sonnet-4.5")


def test_what_was_asked_for_tells_the_level_where_the_answer_does_not() -> None:
    asked = json.dumps({"service_tier": "flex"})
    assert of({"input.value": asked}).service_level == "flex"
    assert of({"input.value": asked, "output.value": '{"id":"c","service_tier":"default"}'}).service_level == "standard"


def test_searches_of_the_whole_answer_count() -> None:
    answer = {"id": "resp_1", "output": [{"type": "web_search_call"}, {"type": "web_search_call"}]}
    assert of({"output.value": json.dumps(answer)}).usage.units == {"web_searches": 2}
