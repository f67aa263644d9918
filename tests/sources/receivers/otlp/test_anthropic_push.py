"""What Anthropic's API pushes: each request once, in whichever order and posts its spans come."""

from __future__ import annotations

import copy
import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendtop.domain.requests.request import Request, Status, Usage
from spendtop.domain.requests.request import TestEvent as ProviderTest
from spendtop.domain.sources.records import ANTHROPIC_PUSH, OTLP
from spendtop.domain.sources.remarks import RemarkKind
from spendtop.sources.receivers.otlp.anthropic_push import HELD_FOR
from spendtop.sources.receivers.otlp.receiver import JSON, OtlpReceiver
from tests.provider_pushes import ARRIVAL, as_expected, fits, in_protobuf, items, of_protobuf, push, requests, split
from tests.provider_pushes import together as one_post

MESSAGES, SESSION = push("messages"), push("session")


def spans_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [span for each in split(content) for span in each["resourceSpans"][0]["scopeSpans"][0]["spans"]]


def named(content: dict[str, Any], name: str, index: int = 0) -> dict[str, Any]:
    """One span of the name as a post; to be changed."""
    posts = [each for each in split(copy.deepcopy(content)) if spans_of(each)[0]["name"] == name]
    return posts[index]


def without(content: dict[str, Any], *prefixes: str) -> dict[str, Any]:
    """Attributes that begin so taken away."""
    for span in spans_of(content):
        span["attributes"] = [each for each in span["attributes"] if not each["key"].startswith(prefixes)]
    return content


@pytest.mark.parametrize("name", ["messages", "session"])
def test_a_push_is_recorded_as_it_should_be(name: str) -> None:
    found = requests(OtlpReceiver(), push(name))
    wanted = as_expected(name)
    assert len(found) == len(wanted)
    for record in wanted:
        (request,) = [each for each in found if each.response_id == record["response_id"]]
        assert fits(request, record), (request, record)
        assert request.source is ANTHROPIC_PUSH
    assert tuple(found) == of_protobuf(name)


def test_a_test_span_is_no_request() -> None:
    for told in (items(OtlpReceiver(), push("test")), of_protobuf("test")):
        (event,) = told
        assert isinstance(event, ProviderTest)
        assert event.source is ANTHROPIC_PUSH
    assert in_protobuf("test")


def last_words(found: list[Request]) -> dict[str, tuple[Usage, Status, str | None]]:
    return {each.external_id: (each.usage, each.status, each.session_id) for each in found}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["messages", "session"]), st.data())
def test_every_split_and_order_of_spans_says_the_same(name: str, data: st.DataObject) -> None:
    whole = last_words(requests(OtlpReceiver(), push(name)))
    posts = split(push(name))
    order = data.draw(st.permutations(range(len(posts))))
    again = data.draw(st.lists(st.sampled_from(order), max_size=3))
    sequence = [posts[each] for each in (*order, *again)]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sequence) - 1))))
    receiver = OtlpReceiver()
    found: list[Request] = []
    for begin, end in zip([0, *cuts], [*cuts, len(sequence)], strict=True):
        found += requests(receiver, one_post(sequence[begin:end]))
    assert last_words(found) == whole


def test_a_run_waits_for_the_request_around_it() -> None:
    receiver = OtlpReceiver()
    run, around = named(MESSAGES, "anthropic.messages.model_run"), named(MESSAGES, "anthropic.messages.create")
    assert requests(receiver, run) == []
    (request,) = requests(receiver, around, ARRIVAL + HELD_FOR // 2)
    assert request.external_id == "msg_01A"
    assert requests(receiver, run, ARRIVAL + HELD_FOR * 3) == []


def test_a_run_counts_once_nothing_comes_around_it_and_its_late_request_joins_it() -> None:
    receiver = OtlpReceiver()
    run, around = named(MESSAGES, "anthropic.messages.model_run"), named(MESSAGES, "anthropic.messages.create")
    assert requests(receiver, run) == []
    (alone,) = requests(receiver, named(MESSAGES, "anthropic.tool_use web_search"), ARRIVAL + HELD_FOR)
    assert (alone.usage.prompt, alone.usage.completion) == (3200, 250)
    (late,) = requests(receiver, around, ARRIVAL + HELD_FOR + 1)
    assert set(alone.other_ids) & set(late.other_ids)


def test_a_run_that_nothing_is_around_counts_at_once() -> None:
    run = named(MESSAGES, "anthropic.messages.model_run")
    del spans_of(run)[0]["parentSpanId"]
    (request,) = requests(OtlpReceiver(), run)
    assert request.usage.prompt == 3200


def test_a_turn_does_not_count_and_its_model_requests_do_before_it_ends() -> None:
    receiver = OtlpReceiver()
    posts = split(SESSION)
    runs = [requests(receiver, each) for each in posts if spans_of(each)[0]["name"] == "anthropic.model_request"]
    assert [each.usage.prompt for found in runs for each in found] == [4500, 5260]
    assert [requests(receiver, each) for each in posts if spans_of(each)[0]["name"] == "anthropic.session.turn"] == [[]]


def test_a_request_without_usage_has_that_of_its_runs_in_any_order() -> None:
    bare = without(named(MESSAGES, "anthropic.messages.create"), "gen_ai.usage.", "anthropic.usage.")
    runs = []
    for number in (1, 2):
        run = named(MESSAGES, "anthropic.messages.model_run")
        spans_of(run)[0]["spanId"] = f"b{number:015}"
        runs.append(run)
    for order in permutations([bare, *runs]):
        receiver = OtlpReceiver()
        found = [each for post in order for each in requests(receiver, post)]
        assert {each.external_id for each in found} == {"msg_01A"}
        largest = max(found, key=lambda each: each.usage.total or 0)
        assert (largest.usage.prompt, largest.usage.completion, largest.usage.cache_read) == (6400, 500, 3600)


def test_searches_of_the_web_are_counted_where_the_answer_is_sent() -> None:
    content = named(MESSAGES, "anthropic.messages.create")
    calls = [{"type": "tool_call", "id": f"srvtoolu_{number}", "name": "web_search"} for number in (1, 2, 2)]
    others = [{"type": "tool_call", "id": "toolu_1", "name": "web_search"}, {"type": "text", "content": "web_search"}]
    results = [{"type": "tool_call_response", "id": "srvtoolu_1", "response": "found"}, "x", None]
    for parts, searches in (([*calls, *others, *results], 2), (others, 0), ("srvtoolu_1", 0)):
        (span,) = spans_of(content)
        value = {"stringValue": json.dumps([{"role": "assistant", "parts": parts}, 7])}
        span["attributes"] = [each for each in span["attributes"] if each["key"] != "gen_ai.output.messages"]
        span["attributes"].append({"key": "gen_ai.output.messages", "value": value})
        (request,) = requests(OtlpReceiver(), content)
        assert (request.usage.units or {}).get("web_searches", 0) == searches
        assert request.response_body is not None


def test_lifetimes_of_the_last_run_alone_are_left_out() -> None:
    content = named(MESSAGES, "anthropic.messages.create")
    for each in spans_of(content)[0]["attributes"]:
        if each["key"] == "gen_ai.usage.cache_write.input_tokens":
            each["value"] = {"intValue": "900"}
    (request,) = requests(OtlpReceiver(), content)
    assert (request.usage.cache_write, request.usage.units) == (900, None)


def test_older_and_further_names_of_attributes_are_read() -> None:
    content = named(MESSAGES, "anthropic.messages.create")
    for each in spans_of(content)[0]["attributes"]:
        if each["key"] == "gen_ai.usage.cache_write.input_tokens":
            each["key"] = "gen_ai.usage.cache_creation.input_tokens"
    spans_of(content)[0]["attributes"].append({"key": "anthropic.brand.new", "value": {"boolValue": True}})
    spans_of(content)[0]["kind"] = "SPAN_KIND_SERVER"
    (request,) = requests(OtlpReceiver(), content)
    assert request.usage.cache_write == 400


def test_a_failure_without_any_model_is_recorded() -> None:
    failed = without(named(MESSAGES, "anthropic.messages.create", 1), "gen_ai.request.model")
    (request,) = requests(OtlpReceiver(), failed)
    assert (request.status, request.http_status, request.model) == (Status.ERROR, 429, None)


def test_the_client_library_is_known_by_its_own_source_and_by_the_request() -> None:
    (by_client,) = requests(OtlpReceiver(), push("sdk_span_of_same_request"))
    assert (by_client.source, by_client.session_id) == (OTLP, "conv-42")
    by_api = next(each for each in requests(OtlpReceiver(), MESSAGES) if each.response_id == "msg_01A")
    assert (ANTHROPIC_PUSH, "request:req_011A") in set(by_client.other_ids) & set(by_api.other_ids)


def test_a_count_that_nobody_knows_is_said_and_changes_nothing() -> None:
    content = named(MESSAGES, "anthropic.messages.create")
    spans_of(content)[0]["attributes"].append(
        {"key": "anthropic.usage.brand_new_tokens", "value": {"intValue": "7"}},
    )
    spans_of(content)[0]["attributes"].append({"key": "anthropic.brand_new", "value": {"stringValue": "x"}})
    pushed = OtlpReceiver().parse(json.dumps(content).encode(), JSON, ARRIVAL)
    assert pushed.remarks == ()
    assert [(each.kind, each.name) for each in pushed.provider_remarks[ANTHROPIC_PUSH]] == [
        (RemarkKind.UNREAD, "anthropic.usage.brand_new_tokens"),
        (RemarkKind.UNKNOWN, "anthropic.brand_new"),
    ]
    (request,) = requests(OtlpReceiver(), content)
    assert request.usage.total == 3450


@pytest.mark.parametrize("name", ["messages", "session", "generation", "privacy_mode", "error"])
def test_of_what_is_known_nothing_is_remarked(name: str) -> None:
    pushed = OtlpReceiver().parse(json.dumps(push(name)).encode(), JSON, ARRIVAL)
    assert not pushed.remarks and not any(pushed.provider_remarks.values())
