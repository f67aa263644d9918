"""What OpenRouter broadcasts: each call once, with what it charged; tests are none."""

from __future__ import annotations

import copy
import json
from itertools import permutations
from typing import Any

import pytest

from spendtop.config.settings import Settings
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import BodyState, Reporter, Status, Usage
from spendtop.domain.requests.request import TestEvent as ProviderTest
from spendtop.domain.sources.records import OPENROUTER_PUSH
from spendtop.sources.receivers import Post
from spendtop.sources.receivers.otlp.receiver import JSON, OtlpReceiver
from tests.provider_pushes import ARRIVAL, as_expected, fits, items, push, requests, split


def root(name: str = "generation") -> dict[str, Any]:
    """The first span of a post, to be changed."""
    span: dict[str, Any] = name_of(copy.deepcopy(push(name)))
    return span


def name_of(content: dict[str, Any]) -> dict[str, Any]:
    span: dict[str, Any] = content["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    return span


@pytest.mark.parametrize("name", ["generation", "privacy_mode", "error"])
def test_a_push_is_recorded_as_it_should_be(name: str) -> None:
    (request,) = requests(OtlpReceiver(), push(name))
    (record,) = as_expected(name)
    assert fits(request, record), (request, record)
    assert request.source is OPENROUTER_PUSH
    assert (request.body_state is BodyState.STORED) == (name != "privacy_mode")


def test_properties_are_the_callers_own_and_what_tells_who_served() -> None:
    (request,) = requests(OtlpReceiver(), push("generation"))
    (record,) = as_expected("generation")
    assert request.properties == record["properties"]


def test_the_charge_is_exact_and_the_providers() -> None:
    (request,) = requests(OtlpReceiver(), push("generation"))
    assert (request.cost.reported, request.cost.reported_by) == (Usd.of("0.004412"), Reporter.PROVIDER)


def test_every_split_and_order_is_one_request_and_nothing_is_refused() -> None:
    for order in permutations(split(push("generation"))):
        receiver = OtlpReceiver()
        found = [each for post in order for each in requests(receiver, post)]
        assert [each.external_id for each in found] == ["gen-1795860030-InventedAbCdEfGhIjKl"]


@pytest.mark.parametrize("name", ["test_generation", "connection"])
def test_tests_are_no_requests(name: str) -> None:
    content = push("connection_test")["body_b"] if name == "connection" else push(name)
    (event,) = items(OtlpReceiver(), content)
    assert isinstance(event, ProviderTest)
    assert event.source is OPENROUTER_PUSH


@pytest.mark.parametrize("raw", [b"", b"{}", json.dumps(push("connection_test")["body_a"]).encode()])
def test_a_try_of_the_connection_is_answered_whatever_it_holds(raw: bytes) -> None:
    post = Post(raw, ARRIVAL, Settings(), {b"x-test-connection": [b"true"]}, "/v1/traces")
    pushed = OtlpReceiver().read(post)
    (event,) = pushed.items
    assert isinstance(event, ProviderTest)
    assert pushed.reply is not None
    assert pushed.reply([]).body == b"{}"


def test_names_that_the_caller_chose_change_nothing() -> None:
    content = copy.deepcopy(push("generation"))
    for number, each in enumerate(content["resourceSpans"]):
        each["scopeSpans"][0]["spans"][0]["name"] = f"Checkout step {number}"
    span = name_of(content)
    span["parentSpanId"] = "00f067aa0ba902b7"
    next(each for each in span["attributes"] if each["key"] == "trace.name")["value"] = {"stringValue": "checkout"}
    (request,) = requests(OtlpReceiver(), content)
    assert (request.response_id, request.session_path) == ("gen-1795860030-InventedAbCdEfGhIjKl", "/checkout")


def test_a_free_call_cost_nothing_and_older_names_of_the_charge_are_read() -> None:
    content = copy.deepcopy(push("generation"))
    span = name_of(content)
    span["attributes"] = [each for each in span["attributes"] if not each["key"].endswith("_cost")]
    (unsaid,) = requests(OtlpReceiver(), content)
    assert unsaid.cost.reported is None
    span["attributes"].append({"key": "gen_ai.usage.cost", "value": {"doubleValue": 0}})
    (free,) = requests(OtlpReceiver(), content)
    assert (free.cost.reported, free.cost.reported_by) == (Usd(0), Reporter.PROVIDER)


@pytest.mark.parametrize("words", ["The client has disconnected", "Client disconnected before the end"])
def test_who_hung_up_is_cancelled_and_used_nobody_knows_what(words: str) -> None:
    content = copy.deepcopy(push("error"))
    span = name_of(content)
    span["status"]["message"] = words
    span["attributes"] = [each for each in span["attributes"] if each["key"] != "span.status_message"]
    (request,) = requests(OtlpReceiver(), content)
    assert (request.status, request.usage, request.cost.reported) == (Status.CANCELLED, Usage(), None)


@pytest.mark.parametrize("name", ["generation", "privacy_mode", "error"])
def test_of_what_is_known_nothing_is_remarked(name: str) -> None:
    assert OtlpReceiver().parse(json.dumps(push(name)).encode(), JSON, ARRIVAL).remarks == ()
