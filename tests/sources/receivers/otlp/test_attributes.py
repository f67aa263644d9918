"""One thing under its several names, and whose word counts."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from spendtop.sources.receivers.otlp import attributes as read
from spendtop.sources.receivers.otlp.forms import form_of
from spendtop.sources.receivers.otlp.names import NAMES


def model(attributes: dict[str, object]) -> str | None:
    """The first name of the model."""
    return next(iter(read.models(read.readable(attributes), {}, {})), None)


def test_models_in_their_order() -> None:
    names = [
        "gen_ai.response.model",
        "ai.response.model",
        "gen_ai.request.model",
        "llm.response.model_name",
        "llm.model_name",
        "llm.request.model_name",
        "embedding.model_name",
        "reranker.model_name",
        "ai.model.id",
        "langfuse.observation.model.name",
    ]
    for better, worse in pairwise(names):
        assert model({worse: "second", better: "first"}) == "first"
        assert model({worse: "second", better: ""}) == "second"


@pytest.mark.parametrize(
    "attributes",
    [
        {"llm.invocation_parameters": '{"model": "m", "tools": [1], "max_tokens": 5}'},
        {"llm.invocation_parameters": {"model_name": "m"}},
        {"embedding.invocation_parameters": '{"model":"m","encoding_format":"base64"}'},
        {"mlflow.llm.model": '"m"'},
        {"metadata": '{"ls_model_name": "m"}'},
        {"langsmith.metadata.ls_model_name": "m"},
    ],
)
def test_the_model_is_read_inside_json(attributes: dict[str, object]) -> None:
    assert model(attributes) == "m"


@pytest.mark.parametrize("useless", ["", "{", '{"model":5', '{"model":{}}', '"', "[1]", "{'a'", "{'a': b}", 5, None])
def test_what_is_no_json_says_nothing(useless: object) -> None:
    assert model({"llm.invocation_parameters": useless, "mlflow.llm.model": None}) is None


def test_the_bodies_are_asked_last() -> None:
    assert read.models({}, {"model": "answered"}, {"model": "asked"}) == ["answered", "asked"]
    assert read.models({"gen_ai.request.model": "told"}, {"modelVersion": "answered"}, {}) == ["told", "answered"]


def test_what_is_opened_goes_on_with_dots() -> None:
    metadata = {"anthropic": {"usage": {"cache_creation": {"ephemeral_1h_input_tokens": 7}, "list": [1]}}}
    opened = read.readable({"ai.response.providerMetadata": json.dumps(metadata), "a": 1})
    assert opened["ai.response.providerMetadata.anthropic.usage.cache_creation.ephemeral_1h_input_tokens"] == 7
    assert opened["a"] == 1
    in_python = read.readable({"gen_ai.usage.input_token_details": "{'audio': 0, 'cache_read': 400}"})
    assert in_python["gen_ai.usage.input_token_details.cache_read"] == 400


def test_deep_json_has_an_end() -> None:
    deep = "{" + '"a":{' * 50_000
    assert read.readable({"metadata": deep})["metadata"] == deep
    nested: object = 1
    for _ in range(50):
        nested = {"a": nested}
    assert len(read.readable({"metadata": json.dumps(nested)})) == 1


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (
            NAMES.user,
            ["user.id", "enduser.id", "gen_ai.user", "llm.user", "traceloop.association.properties.user_id"],
        ),
        (NAMES.session, ["gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id"]),
    ],
)
def test_users_and_sessions_in_their_order(names: tuple[str, ...], order: list[str]) -> None:
    for better, worse in pairwise(order):
        assert read.name({worse: "second", better: "first"}, names) == "first"
    assert read.name({order[0]: 42}, names) == "42"
    assert read.name({order[0]: True, order[1]: ["a"]}, names) is None
    assert read.name({order[0]: "a\0" + "b" * 300}, names) == "a␀" + "b" * 254


@pytest.mark.parametrize(
    "name",
    ["langfuse.user.id", "ai.telemetry.metadata.userId", "langsmith.metadata.user_id", "gen_ai.request.user"],
)
def test_users_of_other_instrumentations(name: str) -> None:
    assert read.name({name: "alice"}, NAMES.user) == "alice"


def test_what_ai_sdk_calls_are_labelled_with_are_properties() -> None:
    labels = {"ai.telemetry.metadata.team": "search", "ai.telemetry.metadata.userId": "u", "ai.telemetry.metadata.": 1}
    assert read.properties(labels, form_of(labels), {}) == {"team": "search"}
