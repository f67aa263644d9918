"""LiteLLM's batches: what they say, and what becomes of items that say it wrongly."""

from __future__ import annotations

import json
from base64 import b64encode
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendtop.domain.bodies.conversation import parse_conversation, prompt_text, response_text
from spendtop.domain.clock import DAY, SECOND
from spendtop.domain.money import Usd
from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import (
    Basis,
    BodyState,
    Cost,
    Reporter,
    Request,
    ServiceLevel,
    Status,
    TimeSource,
    Usage,
)
from spendtop.domain.sources.records import LITELLM
from spendtop.domain.sources.remarks import RemarkKind
from spendtop.sources.receivers import Invalid, Item, NotJson, Unreadable
from spendtop.sources.receivers.litellm import MOST_ITEMS, LitellmReceiver

FIXTURES = Path(__file__).parents[2] / "fixtures"
SDK = (FIXTURES / "litellm_sdk_batch.json").read_bytes()
PROXY = (FIXTURES / "litellm_proxy_batch.json").read_bytes()
ARRIVAL = 1_795_197_060 * SECOND
CALL = "3b241101-e2bb-4255-8caf-4136c566a962"
TRACE = "6c6af595-1ece-4626-b5eb-f0f913f6e53b"


def parse(raw: bytes) -> tuple[Item, ...]:
    return LitellmReceiver().parse(raw, ARRIVAL).items


def requests(raw: bytes) -> list[Request]:
    items = parse(raw)
    found = [item for item in items if isinstance(item, Request)]
    assert len(found) == len(items)
    return found


def item(**fields: Any) -> Item:
    (found,) = parse(
        json.dumps([{"id": "chatcmpl-1", "litellm_call_id": CALL, "status": "success", **fields}]).encode()
    )
    return found


def request_of(**fields: Any) -> Request:
    found = item(**fields)
    assert isinstance(found, Request)
    return found


def invalid(**fields: Any) -> dict[str, str]:
    found = item(**fields)
    assert isinstance(found, Invalid)
    return found.fields


def test_a_call_of_the_sdk() -> None:
    first, second, _ = requests(SDK)
    assert first.source is LITELLM
    assert first.external_id == "a29fd92d-780c-4c40-8daf-9070d186145d" != second.external_id
    assert (first.response_id, second.response_id) == ("chatcmpl-1", "chatcmpl-1")
    assert (first.provider, first.model) == ("openai", "gpt-4o-mini-2024-07-18")
    assert (first.status, first.http_status, first.cached) == (Status.OK, None, False)
    assert first.usage == Usage(prompt=1000, completion=100, cache_read=400, reasoning=20)
    assert first.cost == Cost(reported=Usd(180_000), reported_by=Reporter.GATEWAY)
    assert (first.user_id, first.session_id, first.properties) == ("alice", "sess-1", {"tags": "t1"})
    assert (first.occurred_at, first.time_source, first.time_suspect) == (1795196879422827, TimeSource.CLIENT, False)
    assert (first.latency_ms, first.ttft_ms) == (997, None)


def test_its_prompt_and_response_can_be_read_as_a_conversation() -> None:
    first = requests(SDK)[0]
    conversation = parse_conversation(first.request_body, first.response_body)
    assert (prompt_text(conversation), response_text(conversation)) == ("hello", "hi there")
    assert first.body_state is BodyState.STORED


def test_a_call_that_failed() -> None:
    failed = requests(SDK)[2]
    assert failed.external_id == "520ba95c-e889-4d1a-9ae4-19d1ee3f4d69:failed"
    assert (failed.status, failed.http_status, failed.response_id) == (Status.ERROR, 500, None)
    assert (failed.usage, failed.cost.reported) == (Usage(prompt=0, completion=0), Usd(0))
    assert failed.session_id is None
    assert "Connection error" in (parse_conversation(None, failed.response_body).error or "")


def test_a_call_through_the_proxy() -> None:
    (request,) = requests(PROXY)
    assert (request.external_id, request.model) == ("6902b035-82bc-4d0a-8782-43a3db4e9e74", "gpt-4o-mini-2024-07-18")
    assert (request.user_id, request.session_id, request.properties) == ("alice", "sess-9", {"tags": "t1"})


@pytest.mark.parametrize("raw", [SDK, PROXY])
def test_each_success_costs_what_litellm_reports_exactly(raw: bytes) -> None:
    pricer = Pricer({}, None, PublishedPrices())
    costs = [pricer.cost(request) for request in requests(raw) if request.status is Status.OK]
    assert {cost.amount.dollars for cost in costs if cost.amount} == {Decimal("0.00018")}
    assert {cost.basis for cost in costs} == {Basis.REPORTED}
    assert {cost.computed for cost in costs} == {Usd(180_000)}


def test_a_free_call_with_tokens_is_priced_again() -> None:
    free = request_of(
        response_cost=0.0, prompt_tokens=1000, completion_tokens=100, model="gpt-4o-mini", custom_llm_provider="openai"
    )
    cost = Pricer({}, None, PublishedPrices()).cost(free)
    assert (cost.reported, cost.amount, cost.basis) == (Usd(0), Usd(210_000), Basis.COMPUTED)


def test_an_array_an_object_and_lines_say_the_same() -> None:
    array = json.loads(SDK)
    lines = b"\n".join(json.dumps(each).encode() for each in array)
    assert [each.external_id for each in requests(lines)] == [each.external_id for each in requests(SDK)]
    alone = LitellmReceiver().parse(json.dumps(array[0], indent=2).encode(), ARRIVAL)
    assert [each.external_id for each in alone.items if isinstance(each, Request)] == [array[0]["litellm_call_id"]]


@pytest.mark.parametrize("raw", [b"[null]", b"null", b"[]", b"[null, null]"])
def test_elements_that_are_null_are_no_items(raw: bytes) -> None:
    assert parse(raw) == ()


@pytest.mark.parametrize(
    ("call_type", "is_call"),
    [
        *((kind, True) for kind in ("acompletion", "aresponses", "aembedding", "arerank", "atranscription", "aspeech")),
        *((kind, True) for kind in ("aimage_generation", "pass_through_endpoint", "anthropic_messages", None, 5)),
        *((kind, False) for kind in ("aget_responses", "get_responses", "alist_input_items", "adelete_responses")),
        *((kind, False) for kind in ("aretrieve_batch", "acreate_batch", "afile_content", "acreate_file")),
    ],
)
def test_looking_up_an_answer_is_no_call(call_type: object, is_call: bool) -> None:
    payload = {"id": "resp_1", "litellm_call_id": "c", "call_type": call_type, "response_cost": 0.0023}
    pushed = LitellmReceiver().parse(json.dumps([payload]).encode(), ARRIVAL)
    remarked = {each.name: each.count for each in pushed.remarks}
    assert (len(pushed.items), remarked) == ((1, {}) if is_call else (0, {call_type: 1}))


USAGE = {"prompt_tokens": 10_000, "completion_tokens": 1000, "total_tokens": 11_000}


def test_the_model_that_served_is_the_responses() -> None:
    response = {"model": "gpt-4o-2024-08-06", "service_tier": "flex", "usage": USAGE}
    found = request_of(model="prod-chat-eu", custom_llm_provider="azure", response=response)
    assert (found.model, found.served_model) == ("prod-chat-eu", "gpt-4o-2024-08-06")
    assert (found.usage, found.service_level) == (Usage(prompt=10_000, completion=1000), ServiceLevel.FLEX)
    assert request_of(model="gpt-4o", response=response).served_model is None


def test_calls_of_tools_are_in_the_response_beside_litellms_usage() -> None:
    response = {"output": [{"type": "web_search_call"}], "usage": {"input_tokens": 1, "output_tokens": 1}}
    found = request_of(response=response, metadata={"usage_object": USAGE})
    assert found.usage == Usage(prompt=10_000, completion=1000, units={"web_searches": 1})


def test_what_litellm_counts_no_tokens_of_is_in_the_response() -> None:
    response = {"results": [], "meta": {"billed_units": {"search_units": 3}}}
    none = dict.fromkeys(USAGE, 0)
    found = request_of(response=response, metadata={"usage_object": none}, prompt_tokens=0, completion_tokens=0)
    assert found.usage == Usage(units={"rerank_searches": 3})
    assert request_of(metadata={"usage_object": none}).usage == Usage(prompt=0, completion=0)


def test_the_providers_own_object_tells_the_terms_that_litellms_leaves_out() -> None:
    own = {"input_tokens": 1, "service_tier": "batch", "inference_geo": "us", "cost": 0.5}
    found = request_of(response={"usage": own}, metadata={"usage_object": USAGE})
    assert (found.usage.prompt, found.service_level, found.inference_geo) == (10_000, ServiceLevel.BATCH, "us")
    assert found.cost.reported == Usd.of("0.5")


@pytest.mark.parametrize(
    ("fields", "cost"),
    [
        ({"response_cost": 0.5}, Cost(reported=Usd.of("0.5"), reported_by=Reporter.GATEWAY)),
        ({"response_cost": "0.5"}, Cost(reported=Usd.of("0.5"), reported_by=Reporter.GATEWAY)),
        (
            {"response_cost": 0, "cost_breakdown": {"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3}},
            Cost(reported=Usd.of("0.3"), reported_by=Reporter.GATEWAY),
        ),
        (
            {"response_cost": 0.5, "cost_breakdown": {"total_cost": None}},
            Cost(reported=Usd.of("0.5"), reported_by=Reporter.GATEWAY),
        ),
        (
            {"response_cost": 0.5, "cost_breakdown": {"total_cost": 1e30}},
            Cost(reported=Usd.of("0.5"), reported_by=Reporter.GATEWAY),
        ),
        (
            {"response_cost": 0.5, "response": {"usage": {**USAGE, "cost": 0.7}}},
            Cost(reported=Usd.of("0.7"), reported_by=Reporter.PROVIDER),
        ),
        ({}, Cost()),
    ],
)
def test_who_says_the_cost(fields: dict[str, Any], cost: Cost) -> None:
    assert request_of(**fields).cost == cost


@pytest.mark.parametrize("raw", [b"", b" ", b"[", b"hello", b"[{}", b'{"id":', b"\xff", b"[" * 100_000, b"{} x"])
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(NotJson):
        parse(raw)


def test_too_many_items_are_refused() -> None:
    with pytest.raises(Unreadable) as refused:
        parse(b"[" + b"null," * MOST_ITEMS + b"null]")
    assert refused.value.code == "too_many_items"


def test_bad_items_leave_the_good_ones() -> None:
    good = json.dumps({"id": "a"}).encode()
    bad = [b"5", b'"x"', b"[]", b'{"id":["a"]}', b"{}", b'{"id":""}', b'{"id":"b","startTime":1e400}']
    items = parse(b"[" + b",".join([*bad, good]) + b"]")
    assert [isinstance(each, Request) for each in items] == [False] * len(bad) + [True]


def test_a_bad_line_leaves_the_good_ones() -> None:
    assert [isinstance(each, Request) for each in parse(b'{"id":"a"}\n{"id":\n\n{"id":"b"}\n')] == [True, False, True]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("litellm_call_id", 5),
        ("model", ["gpt"]),
        ("startTime", "yesterday"),
        ("startTime", True),
        ("prompt_tokens", -1),
        ("prompt_tokens", 2**63),
        ("completion_tokens", "12"),
        ("completion_tokens", 0.5),
        ("response_cost", "free"),
        ("response_cost", True),
        ("response_cost", 1e300),
        ("metadata", []),
        ("request_tags", "t1"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named_without_its_value(field: str, value: object) -> None:
    fields = invalid(**{field: value})
    assert list(fields) == [field]
    assert "yesterday" not in fields[field] and "gpt" not in fields[field]


def test_an_amount_beyond_all_numbers_is_named_too() -> None:
    (found,) = parse(b'[{"id":"a","response_cost":1e999999999}]')
    assert isinstance(found, Invalid) and list(found.fields) == ["response_cost"]


def test_an_item_needs_an_id() -> None:
    assert invalid(id=None, litellm_call_id=None) == {"litellm_call_id": "is missing"}
    assert request_of(litellm_call_id=None).external_id == "chatcmpl-1"


def test_a_failed_try_is_another_record_than_the_call_that_succeeded() -> None:
    assert request_of().external_id != request_of(status="failure").external_id


def test_a_stream_that_was_broken_off_costs_what_was_sent() -> None:
    broken_off = request_of(error_information={"error_code": "499"}, response_cost=3.6e-06, prompt_tokens=8)
    assert (broken_off.status, broken_off.http_status) == (Status.CANCELLED, 499)
    assert Pricer({}, None, PublishedPrices()).cost(broken_off).amount == Usd(3600)


@pytest.mark.parametrize(("code", "status"), [("429", 429), (503, 503), ("", None), ("none", None), ("99", None)])
def test_an_http_status_is_a_number(code: object, status: int | None) -> None:
    assert request_of(status="failure", error_information={"error_code": code}).http_status == status


def test_a_number_that_is_none_costs_no_batch() -> None:
    raw = b'[{"id":"a","response_cost": NaN,"end_user":"\\": NaN, "},{"id":"b","response_time":-Infinity}]'
    first, second = requests(raw)
    assert (first.cost, first.user_id, second.external_id) == (Cost(), '": NaN, ', "b")


def test_what_a_provider_refused_used_nothing_whatever_litellm_counted() -> None:
    assert request_of(status="failure", prompt_tokens=1000, completion_tokens=0).usage == Usage(prompt=0, completion=0)
    broken_off = request_of(status="failure", prompt_tokens=1000, completion_tokens=3)
    assert broken_off.usage == Usage(prompt=1000, completion=3)
    refused = request_of(status="failure", prompt_tokens=1000, response={"usage": {"prompt_tokens": 9}})
    assert refused.usage.prompt == 9


def test_half_a_character_in_an_answer_costs_no_batch() -> None:
    raw = rb'[{"id":"a","response":{"id":"a\\ud83d \ud83d\ude00 \ud83d"}}]'
    (request,) = requests(raw)
    assert json.loads(request.response_body or b"") == {"id": "a\\ud83d 😀 �"}


@pytest.mark.parametrize("detail", [rb'"\ud83d"', b"1e999", b"NaN", b'"\xff"', b"9" * 5_000])
@pytest.mark.parametrize("place", [b"response", b"messages", b"metadata", b"other"])
def test_a_detail_costs_no_item(place: bytes, detail: bytes) -> None:
    found = requests(b'[{"id":"a","%b":{"detail":%b}},{"id":"b"}]' % (place, detail))
    assert [each.external_id for each in found] == ["a", "b"]


def test_the_providers_id_is_read_out_of_litellms_own() -> None:
    hidden = "litellm:custom_llm_provider:openai;model_id:1;response_id:resp_68a1"
    request = request_of(id=f"resp_{b64encode(hidden.encode()).decode()}")
    assert (request.external_id, request.response_id) == (CALL, "resp_68a1")


def test_a_hit_in_the_cache_may_be_said_as_text() -> None:
    assert request_of(cache_hit="True").cached
    assert not request_of(cache_hit="False").cached


def test_a_hit_in_litellms_cache_costs_nothing_and_has_no_response_id() -> None:
    hit = request_of(cache_hit=True, id="chatcmpl-1_cache_hit1795.1", response_cost=0.0, prompt_tokens=9)
    assert (hit.cached, hit.response_id) == (True, None)
    assert Pricer({}, None, PublishedPrices()).cost(hit).amount == Usd(0)


@pytest.mark.parametrize(
    ("litellm", "ours"),
    [
        ("vertex_ai", "google"),
        ("bedrock", "aws"),
        ("xai", "x-ai"),
        ("groq", "groq"),
        ("litellm_proxy", None),
        ("", None),
    ],
)
def test_providers_are_named_as_in_the_price_list(litellm: str, ours: str | None) -> None:
    request = request_of(custom_llm_provider=litellm, model=f"{litellm}/m")
    assert (request.provider, request.model) == (ours, "m")


@pytest.mark.parametrize(
    ("fields", "user"),
    [
        ({"end_user": "a", "model_parameters": {"user": "b"}}, "a"),
        ({"end_user": 17}, "17"),
        ({"metadata": {"user_api_key_end_user_id": "c"}, "model_parameters": {"user": "b"}}, "c"),
        ({"model_parameters": {"user": "b"}, "metadata": {"user_api_key_user_id": "d"}}, "b"),
        ({"metadata": {"user_api_key_user_id": "d"}}, "d"),
        ({"metadata": {"user_api_key_user_id": "default_user_id"}}, None),
        ({"end_user": {"id": 1}}, None),
    ],
)
def test_the_user_is_the_one_nearest_to_the_application(fields: dict[str, Any], user: str | None) -> None:
    assert request_of(**fields).user_id == user


@pytest.mark.parametrize(
    ("fields", "session"),
    [
        ({"session_id": TRACE, "trace_id": "t"}, TRACE),
        ({"session_id": "", "trace_id": "chat 5"}, "chat 5"),
        ({"session_id": "", "trace_id": TRACE}, None),
        ({"trace_id": CALL}, None),
        ({"trace_id": TRACE, "metadata": {"requester_metadata": {"session_id": TRACE}}}, TRACE),
        ({"trace_id": TRACE, "metadata": {"requester_metadata": {"session_id": []}}}, None),
    ],
)
def test_a_generated_trace_id_is_no_session(fields: dict[str, Any], session: str | None) -> None:
    assert request_of(**fields).session_id == session


def test_keys_and_teams_are_properties() -> None:
    metadata = {"user_api_key_alias": "ci", "user_api_key_team_alias": "search"}
    tags = ["a", "User-Agent: curl", 5, "b"]
    request = request_of(metadata=metadata, request_tags=tags)
    assert request.properties == {"tags": "a, b", "key_alias": "ci", "team_alias": "search"}


def test_a_stream_has_a_time_to_its_first_token() -> None:
    times = {"startTime": 1795197000.0, "completionStartTime": 1795197000.25, "endTime": 1795197002.0}
    stream = request_of(stream=True, response_time=0.25, **times)
    assert (stream.latency_ms, stream.ttft_ms) == (2000, 250)
    assert request_of(response_time=1.5).latency_ms == 1500


def test_usage_is_taken_from_the_response_or_the_counts_where_the_metadata_has_none() -> None:
    usage = {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 3}
    assert request_of(response={"usage": usage}, prompt_tokens=99).usage.prompt == 8
    assert request_of(prompt_tokens=4, completion_tokens=1, metadata={"usage_object": {}}).usage.total == 5


def test_a_very_old_event_is_taken_with_its_arrival() -> None:
    request = request_of(startTime=(ARRIVAL - 40 * DAY) / SECOND)
    assert (request.occurred_at, request.time_source, request.time_suspect) == (ARRIVAL, TimeSource.RECEIVED, True)


@pytest.mark.parametrize(
    ("messages", "kept"),
    [
        ("tell me", {"input": "tell me"}),
        (["a", "b"], {"input": ["a", "b"]}),
        ({"input": "x"}, {"input": "x"}),
        (None, None),
        ([], None),
    ],
)
def test_prompts_of_other_kinds(messages: object, kept: object) -> None:
    body = request_of(messages=messages).request_body
    assert (json.loads(body) if body else None) == kept


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none()


@given(st.dictionaries(st.sampled_from(["startTime", "endTime", "completionStartTime", "response_time"]), NUMBERS))
def test_no_instant_is_too_strange(times: dict[str, Any]) -> None:
    assert isinstance(item(stream=True, **times), Request)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_no_amount_is_too_strange(cost: Any, prompt: Any, completion: Any) -> None:
    found = item(response_cost=cost, prompt_tokens=prompt, completion_tokens=completion)
    if isinstance(found, Request):
        Pricer({}, None, lambda *_: None).cost(found)


def test_the_level_may_be_among_parameters_that_are_passed_through() -> None:
    asked = {"extra_body": {"service_tier": "flex"}}
    assert request_of(model_parameters=asked).service_level == "flex"
    assert request_of(model_parameters={**asked, "service_tier": "priority"}).service_level == "priority"


def test_speech_is_counted_by_the_characters_that_were_to_be_spoken() -> None:
    spoken = request_of(model_parameters={"voice": "alloy"}, messages="hello world", prompt_tokens=0)
    assert spoken.usage.units == {"input_characters": 11}
    assert request_of(model_parameters={}, messages="hello world", prompt_tokens=0).usage.units is None


CALLS = [*json.loads(SDK), *json.loads(PROXY)]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**64) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)
CHANGED = st.builds(
    lambda call, fields: {**call, **fields},
    st.sampled_from(CALLS),
    st.dictionaries(st.sampled_from(sorted(CALLS[0])), ANYTHING, max_size=2),
)


@settings(max_examples=40)
@given(st.lists(CHANGED, min_size=1, max_size=3), st.booleans())
def test_calls_are_read_at_once_as_one_by_one(calls: list[dict[str, Any]], in_ascii: bool) -> None:
    texts = [json.dumps(call, ensure_ascii=in_ascii).encode("utf-8", "surrogatepass") for call in calls]
    assert parse(b"[%b]" % b",".join(texts)) == tuple(found for text in texts for found in parse(text))


def test_fields_that_nobody_knows_are_counted_in_one_post_of_ten_seconds() -> None:
    receiver = LitellmReceiver()

    def unknown(raw: bytes, at: int) -> dict[str, int]:
        remarks = receiver.parse(raw, at).remarks
        return {each.name: each.count for each in remarks if each.kind is RemarkKind.UNKNOWN}

    new = {"id": "a", "brand_new": {"secret": 1}, "metadata": {"newer": 1, "requester_metadata": {"theirs": 1}}}
    raw = json.dumps([new, None, {**new, "id": "b", "messages": [{"role": "user"}]}]).encode()
    assert unknown(raw, ARRIVAL) == {"brand_new": 2, "metadata.newer": 2}
    assert unknown(raw, ARRIVAL + 9 * SECOND) == {}
    for seconds, known in ((10, SDK), (20, PROXY)):
        assert unknown(known, ARRIVAL + seconds * SECOND) == {}
    assert unknown(b'{"id": "c", "other": 1}', ARRIVAL + 30 * SECOND) == {"other": 1}
