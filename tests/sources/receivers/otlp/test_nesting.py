"""Several spans of one call are one request, in whichever order and posts they come."""

from __future__ import annotations

import time
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import BodyState, Request, Status, Usage
from spendtop.sources.receivers import Invalid
from spendtop.sources.receivers.otlp import nesting
from spendtop.sources.receivers.otlp.receiver import PROTOBUF, OtlpReceiver
from tests.otlp_posts import ARRIVAL, END, START, by, call, captured, export, in_protobuf, span
from tests.otlp_receiving import ids, items_of, request_of, requests_of

AGENT = {"gen_ai.operation.name": "invoke_agent"}


def test_a_parent_that_repeats_what_its_call_says_is_left_out() -> None:
    for spans in permutations([call(1), call(2, parent=1), call(3, parent=1)]):
        assert sorted(ids(items_of(*spans))) == [2, 3]


def test_ancestors_are_found_through_other_spans() -> None:
    chain = [call(1), span(2, AGENT, parent=1), span(3, parent=2), call(4, parent=3)]
    for spans in permutations(chain):
        assert ids(items_of(*spans)) == [4]


def test_a_parent_that_ends_in_a_later_post_reports_the_same_request() -> None:
    receiver = OtlpReceiver()
    assert ids(items_of(call(4, parent=3), receiver=receiver)) == [4]
    assert items_of(span(3, parent=2), receiver=receiver) == ()
    assert ids(items_of(span(2, AGENT, parent=1), call(1), receiver=receiver)) == [4]


def test_a_post_that_is_sent_again_gives_the_same() -> None:
    receiver = OtlpReceiver()
    spans = [call(2, parent=1), call(1)]
    assert ids(items_of(*spans, receiver=receiver)) == ids(items_of(*spans, receiver=receiver)) == [2]


def test_spans_of_other_traces_have_other_parents() -> None:
    other = call(1, traceId="ab" * 16)
    assert len(items_of(call(2, parent=1), other)) == 2


def test_only_calls_that_were_taken_stand_for_their_parents() -> None:
    items = items_of(call(1), call(2, {"gen_ai.usage.input_tokens": -1}, parent=1))
    assert [type(item) for item in items] == [Request, Invalid]
    assert ids(items_of(call(1), span(2, AGENT, parent=1))) == [1]


def test_a_broken_call_around_a_good_one_is_no_failure() -> None:
    assert ids(items_of(call(1, {"gen_ai.usage.input_tokens": -1}), call(2, parent=1))) == [2]


def test_a_span_that_is_its_own_parent_is_taken() -> None:
    assert ids(items_of(call(1, parent=1))) == [1]


def test_circles_of_parents_end() -> None:
    assert ids(items_of(call(1, parent=2), span(2, parent=3), span(3, parent=2))) == [1]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nesting, "MOST_REMEMBERED", 10)
    receiver = OtlpReceiver()
    items_of(*(call(number, parent=100 + number) for number in range(1, 31)), receiver=receiver)
    outer = items_of(*(call(100 + number) for number in range(1, 31)), receiver=receiver)
    assert ids(outer) == [*range(101, 121), *range(21, 31)]


def test_two_instrumentations_of_one_call_give_one_id() -> None:
    same = {"gen_ai.response.id": "r-1"}
    siblings = items_of(call(1, same), call(2, same))
    assert [item.external_id for item in siblings if isinstance(item, Request)] == ["r-1", "r-1"]
    assert len(items_of(call(1, same), call(2, same, parent=1))) == 1


SDK, FRAMEWORK, OUTERMOST = "com.anthropic.sdk.python", "openinference.instrumentation.anthropic", "pydantic-ai"
WHO = {"user.id": "alice", "session.id": "s1", "traceloop.association.properties.team": "search"}
BODIES = {"input.value": '{"messages":[]}', "output.value": '{"choices":[]}'}
INNER = by(SDK, call(3, {"gen_ai.response.id": "r-1", "gen_ai.usage.cache_read.input_tokens": 400}, parent=2))
OUTER = by(FRAMEWORK, call(2, {**WHO, **BODIES, "gen_ai.usage.cost": 0.25}, parent=1))


def is_whole(request: Request) -> bool:
    return (
        (request.external_id, request.response_id, request.user_id, request.session_id) == ("r-1", "r-1", "alice", "s1")
        and request.usage == Usage(prompt=1000, completion=100, cache_read=400)
        and request.cost.reported == Usd.of("0.25")
        and (request.properties or {})["team"] == "search"
        and (request.request_body, request.response_body) == (b'{"messages":[]}', b'{"choices":[]}')
        and request.body_state is BodyState.STORED
    )


def test_the_outer_span_adds_what_the_inner_one_does_not_know() -> None:
    for spans in permutations([INNER, OUTER]):
        assert is_whole(request_of(*spans))


def test_a_chain_of_three_is_one_request() -> None:
    outermost = by(OUTERMOST, call(1, {"llm.user": "somebody else", "traceloop.association.properties.x": "y"}))
    for spans in permutations([INNER, OUTER, outermost]):
        request = request_of(*spans)
        assert is_whole(request)
        assert (request.properties or {})["x"] == "y"


def test_spans_between_do_not_matter() -> None:
    between = span(5, {"http.route": "/"}, parent=2)
    far = by(SDK, call(3, {"gen_ai.response.id": "r-1", "gen_ai.usage.cache_read.input_tokens": 400}, parent=5))
    for spans in permutations([far, between, OUTER]):
        assert is_whole(request_of(*spans))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0), (2, 1, 0)])
def test_every_order_of_posts_in_which_spans_know_each_other_reports_one_id(order: tuple[int, ...]) -> None:
    chain = [INNER, OUTER, by(OUTERMOST, call(1))]
    receiver = OtlpReceiver()
    found = [request_of(chain[place], receiver=receiver) for place in order]
    again = requests_of(*chain, receiver=receiver)
    assert {each.external_id for each in [*found, *again]} == {found[0].external_id}


def test_a_later_report_says_only_what_does_not_contradict() -> None:
    receiver = OtlpReceiver()
    request_of(INNER, receiver=receiver)
    sums = {**WHO, "gen_ai.usage.input_tokens": 7, "gen_ai.usage.cost": 9.0}
    later = request_of(by(FRAMEWORK, call(2, sums)), receiver=receiver)
    assert (later.external_id, later.response_id, later.user_id) == ("r-1", "r-1", "alice")
    assert (later.usage, later.cost.reported) == (Usage(), None)


def test_contradicting_counts_of_the_outer_span_are_not_believed() -> None:
    outer = by(FRAMEWORK, call(2, {**WHO, "gen_ai.usage.input_tokens": 7, "gen_ai.usage.reasoning_tokens": 1}))
    request = request_of(INNER, outer)
    assert (request.usage, request.user_id) == (Usage(prompt=1000, completion=100, cache_read=400), "alice")


def test_counts_that_the_inner_span_lacks_are_the_outer_ones() -> None:
    bare = by(SDK, call(3, {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}, parent=2))
    assert request_of(bare, OUTER).usage == Usage(prompt=1000, completion=100)


def test_the_response_id_becomes_the_id_where_nothing_was_reported_before() -> None:
    inner, outer = by(SDK, call(3, parent=2)), by(FRAMEWORK, call(2, {"gen_ai.response.id": "r-1"}))
    assert request_of(inner, outer).external_id == "r-1"
    receiver = OtlpReceiver()
    first = request_of(inner, receiver=receiver)
    for spans in ([outer], [inner, outer]):
        later = request_of(*spans, receiver=receiver)
        assert (later.external_id, later.response_id) == (first.external_id, "r-1")


def test_a_parent_of_another_model_is_a_call_of_its_own() -> None:
    outer = call(1, {"gen_ai.response.model": "gpt-4o", "gen_ai.usage.input_tokens": 50})
    inner = call(2, {"gen_ai.operation.name": "embeddings", "gen_ai.response.model": "text-embedding-3"}, parent=1)
    for spans in permutations([outer, inner]):
        assert sorted(ids(items_of(*spans))) == [1, 2]
        receiver = OtlpReceiver()
        assert [ids(items_of(each, receiver=receiver)) for each in spans] in ([[1], [2]], [[2], [1]])


def test_a_parent_with_a_name_of_its_own_for_the_model_is_the_same_call() -> None:
    outer = call(1, {"gen_ai.response.model": "our-assistant"})
    assert request_of(outer, call(2, parent=1)).model == "gpt-4o-mini-2024-07-18"


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4-20250514"),
        ("claude-sonnet-4@20250514", "anthropic.claude-sonnet-4-20250514-v1:0"),
        ("models/gemini-2.5-flash", "gemini-2.5-flash"),
    ],
)
def test_models_are_compared_by_family(inner: str, outer: str) -> None:
    spans = [
        call(1, {"gen_ai.response.model": outer, "gen_ai.usage.input_tokens": 7}),
        call(2, {"gen_ai.response.model": inner}, parent=1),
    ]
    assert request_of(*spans).model == inner


def test_a_parent_that_sums_up_several_calls_is_left_out_in_any_posts() -> None:
    sums = call(1, {"gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 200, **WHO})
    first, second = call(2, parent=1), call(3, parent=1)
    for spans in permutations([first, second]):
        receiver = OtlpReceiver()
        assert [ids(items_of(each, receiver=receiver)) for each in spans] in ([[2], [3]], [[3], [2]])
        assert items_of(sums, receiver=receiver) == ()
    receiver = OtlpReceiver()
    assert ids(items_of(sums, receiver=receiver)) == [1]
    assert items_of(first, receiver=receiver) == items_of(second, receiver=receiver) == ()


def test_attempts_that_failed_stay_beside_the_one_that_succeeded() -> None:
    nothing = {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}
    failed = by(SDK, call(4, nothing, parent=2, status={"code": 2}))
    attempt, request = requests_of(failed, INNER, OUTER)
    assert (attempt.status, attempt.usage) == (Status.ERROR, Usage())
    assert is_whole(request)


def test_an_outer_span_that_is_sent_again_with_what_is_inside_it() -> None:
    receiver = OtlpReceiver()
    first = request_of(OUTER, receiver=receiver)
    assert {each.external_id for each in requests_of(INNER, OUTER, receiver=receiver)} == {first.external_id}


def test_a_later_second_call_inside_is_a_call_of_its_own() -> None:
    receiver = OtlpReceiver()
    request_of(INNER, OUTER, receiver=receiver)
    assert ids(items_of(call(6, parent=2), receiver=receiver)) == [6]


FAILED: dict[str, Any] = {"status": {"code": 2}, "parent": 1}
NOTHING = {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None, "gen_ai.response.model": None}


def failed(number: int, scope: str, attributes: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    given = {**NOTHING, "gen_ai.request.model": "claude-sonnet-4-20250514", **(attributes or {})}
    return by(scope, call(number, given, **{**FAILED, **more}))


def test_what_two_instrumentations_say_of_one_failed_call_is_one_request() -> None:
    spans = [failed(2, SDK, {"http.response.status_code": 401}), failed(3, "opentelemetry.instrumentation", WHO)]
    for each in permutations(spans):
        request = request_of(*each)
        assert (request.status, request.http_status, request.user_id) == (Status.ERROR, 401, "alice")
        receiver = OtlpReceiver()
        assert len({request_of(one, receiver=receiver).external_id for one in [*each, *each]}) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(failed(3, SDK), id="the same scope: another attempt"),
        pytest.param(failed(3, "other", {"gen_ai.request.model": "claude-haiku-4-5"}), id="another model"),
        pytest.param(failed(3, "other", parent=9), id="another parent"),
        pytest.param(failed(3, "other", traceId="ab" * 16), id="another trace"),
        pytest.param(failed(3, "other", {"gen_ai.response.id": "r-1"}), id="an id of the response"),
        pytest.param(
            failed(3, "other", startTimeUnixNano=str(END + 1), endTimeUnixNano=str(END + 9)), id="another time"
        ),
        pytest.param(failed(3, "other", status={}), id="not failed"),
    ],
)
def test_other_siblings_are_requests_of_their_own(other: dict[str, Any]) -> None:
    assert START < END
    assert len({each.external_id for each in requests_of(failed(2, SDK), other)}) == 2


def test_siblings_that_succeeded_are_apart() -> None:
    assert sorted(ids(items_of(by(SDK, call(2, parent=1)), by("other", call(3, parent=1))))) == [2, 3]


def test_circles_of_calls_end() -> None:
    circle = [call(1, parent=2), call(2, parent=1)]
    for spans in permutations(circle):
        assert len(items_of(*spans)) == 1


def test_a_deep_trace_is_read() -> None:
    depth = 3_000
    chain = [span(number, parent=number - 1 or None) for number in range(1, depth)]
    assert ids(items_of(*chain, call(depth, parent=depth - 1))) == [depth]


def test_wide_and_deep_traces_are_read_quickly() -> None:
    chain = [span(number, parent=number - 1 or None) for number in range(1, 1_000)]
    wide = [call(number, parent=999) for number in range(1_000, 3_000)]
    lost = [failed(number, SDK, parent=999) for number in range(3_000, 5_000)]
    post = in_protobuf(export(*chain, *wide, *lost))
    started = time.process_time()
    assert len(OtlpReceiver().parse(post, PROTOBUF, ARRIVAL).items) == 4_000
    assert time.process_time() - started < 6


PARENTS = st.integers(0, 9)
ROLES = st.sampled_from(["call", "failed", "other", "wrong", "named"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(ROLES, PARENTS, st.sampled_from([7, 1000]), st.booleans()), min_size=1, max_size=10))
def test_any_tree_in_any_posts_is_read_and_gives_the_same_ids_again(nodes: list[tuple[str, int, int, bool]]) -> None:
    posts: list[list[dict[str, Any]]] = [[]]
    for number, (role, parent, tokens, ends_post) in enumerate(nodes, start=1):
        told: dict[str, object] = {"gen_ai.usage.input_tokens": tokens}
        match role:
            case "failed":
                posts[-1].append(failed(number, f"scope {number}", parent=parent))
            case "other":
                posts[-1].append(span(number, parent=parent))
            case "wrong":
                posts[-1].append(call(number, {"gen_ai.usage.input_tokens": -1}, parent=parent))
            case "named":
                posts[-1].append(call(number, {**told, "gen_ai.response.id": f"r-{parent}"}, parent=parent))
            case _:
                posts[-1].append(call(number, told, parent=parent))
        if ends_post:
            posts.append([])
    receiver = OtlpReceiver()

    def reported() -> list[str]:
        items = [item for spans in posts for item in items_of(*spans, receiver=receiver)]
        return [item.external_id for item in items if isinstance(item, Request)]

    first = reported()
    assert set(reported()) <= set(first)
    assert bool(first) == any(role in ("call", "failed", "named") for role, *_ in nodes)


@pytest.mark.parametrize(
    ("name", "cost", "user", "session"),
    [
        ("anthropic_sdk_in_openinference", None, "alice", "s1"),
        ("anthropic_sdk_in_pydantic_ai", "0.0026775", None, "01a22742-72c4-731a-ba0f-355685774362"),
    ],
)
def test_what_real_clients_export(name: str, cost: str | None, user: str | None, session: str) -> None:
    post = OtlpReceiver().parse(captured(name), PROTOBUF, ARRIVAL)
    (request,) = post.items
    assert isinstance(request, Request)
    assert request.usage == Usage(
        prompt=1000,
        completion=100,
        cache_read=800,
        cache_write=150,
        units={"cache_write_5m_tokens": 50, "cache_write_1h_tokens": 100},
    )
    assert request.cost.reported == (Usd.of(cost) if cost else None)
    assert (request.user_id, request.session_id, request.http_status) == (user, session, 200)
    assert b"hi" in (request.request_body or b"")
    assert b"ho" in (request.response_body or b"")
    assert post.remarks == ()
