"""What spans say was used and what it cost, under all names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from genai_prices.data_units import unit_data

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Usage
from spendtop.sources.receivers.otlp.attributes import CannotTake, readable, with_answer
from spendtop.sources.receivers.otlp.forms import form_of
from spendtop.sources.receivers.otlp.names import NAMES
from spendtop.sources.receivers.otlp.usage import (
    completed,
    inference_geo,
    quantities,
    reported_cost,
    service_level,
    unread,
    usage,
)


def used(attributes: Mapping[str, Any]) -> dict[str, int | float]:
    stated = readable(attributes)
    return quantities(stated, form_of(stated))


def counted(attributes: dict[str, Any]) -> Usage:
    return usage(used(attributes))


def test_units_are_those_of_the_price_list() -> None:
    assert NAMES.units.keys() <= unit_data.keys()
    assert NAMES.besides.keys() <= NAMES.units.keys()


@pytest.mark.parametrize(
    ("field", "order"),
    [
        ("prompt", ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"]),
        (
            "completion",
            ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"],
        ),
        (
            "cache_read",
            [
                "gen_ai.usage.cache_read.input_tokens",
                "gen_ai.usage.cache_read_input_tokens",
                "llm.token_count.prompt_details.cache_read",
            ],
        ),
        (
            "cache_write",
            [
                "gen_ai.usage.cache_creation.input_tokens",
                "gen_ai.usage.cache_creation_input_tokens",
                "llm.token_count.prompt_details.cache_write",
            ],
        ),
        (
            "reasoning",
            [
                "gen_ai.usage.reasoning.output_tokens",
                "gen_ai.usage.reasoning_tokens",
                "llm.token_count.completion_details.reasoning",
            ],
        ),
    ],
)
def test_tokens_in_their_order(field: str, order: list[str]) -> None:
    for better, worse in pairwise(order):
        assert getattr(counted({worse: 7, better: 3}), field) == 3
        assert getattr(counted({worse: 7, better: None}), field) == 7
        with pytest.raises(CannotTake) as raised:
            counted({worse: 7, better: -3})
        assert list(raised.value.fields) == [better]


WHOLE = Usage(prompt=1000, completion=100, cache_read=400, cache_write=50, reasoning=20)
ANTHROPIC = {"cache_read_input_tokens": 400, "cache_creation_input_tokens": 50}


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(
            {
                "gen_ai.usage.input_tokens": 1000,
                "gen_ai.usage.output_tokens": 100,
                "gen_ai.usage.cache_read.input_tokens": 400,
                "gen_ai.usage.cache_write.input_tokens": 50,
                "gen_ai.usage.reasoning.output_tokens": 20,
            },
            id="conventions",
        ),
        pytest.param(
            {
                "gen_ai.usage.input_tokens": 1000,
                "gen_ai.usage.output_tokens": 100,
                "gen_ai.usage.details.cache_read_tokens": 400,
                "gen_ai.usage.details.cache_write_tokens": 50,
                "gen_ai.usage.details.cache_read_input_tokens": 400,
                "gen_ai.usage.details.input_tokens": 550,
                "gen_ai.usage.details.output_tokens": 99,
                "gen_ai.usage.details.reasoning_tokens": 20,
            },
            id="pydantic-ai",
        ),
        pytest.param(
            {
                "ai.usage.promptTokens": 1000,
                "ai.usage.completionTokens": 100,
                "ai.usage.cachedInputTokens": 400,
                "ai.usage.reasoningTokens": 20,
                "ai.response.providerMetadata": json.dumps({"anthropic": {"usage": ANTHROPIC}}),
            },
            id="AI SDK 4",
        ),
        pytest.param(
            {
                "ai.usage.inputTokens": 1000,
                "ai.usage.outputTokens": 100,
                "ai.usage.totalTokens": 1100,
                "ai.usage.inputTokenDetails.cacheReadTokens": 400,
                "ai.usage.inputTokenDetails.cacheWriteTokens": 50,
                "ai.usage.inputTokenDetails.noCacheTokens": 550,
                "ai.usage.outputTokenDetails.reasoningTokens": 20,
                "ai.usage.outputTokenDetails.textTokens": 80,
            },
            id="AI SDK 6",
        ),
        pytest.param(
            {
                "gen_ai.usage.input_tokens": 1000,
                "gen_ai.usage.output_tokens": 100,
                "gen_ai.usage.input_token_details": "{'cache_read': 400, 'cache_creation': 50}",
                "gen_ai.usage.output_token_details": '{"reasoning": 20}',
            },
            id="LangSmith",
        ),
        pytest.param(
            {
                "mlflow.chat.tokenUsage": json.dumps(
                    {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100, **ANTHROPIC}
                ),
                "gen_ai.usage.reasoning_tokens": 20,
            },
            id="MLflow",
        ),
        pytest.param(
            {
                "gen_ai.usage.input_tokens": 1000,
                "gen_ai.usage.output_tokens": 100,
                "gen_ai.usage.raw": {**ANTHROPIC, "output_tokens_details": {"reasoning_tokens": 20}},
            },
            id="logfire",
        ),
        pytest.param(
            {
                "gen_ai.usage.input_tokens": 1000,
                "gen_ai.usage.output_tokens": 100,
                "gen_ai.usage.prompt_tokens_details.cached_tokens": 400,
                "gen_ai.usage.prompt_tokens_details.cache_creation_tokens": 50,
                "gen_ai.usage.completion_tokens_details.reasoning_tokens": 20,
            },
            id="OpenLIT",
        ),
    ],
)
def test_every_familys_names(attributes: dict[str, Any]) -> None:
    stated = readable(attributes)
    assert counted(attributes) == WHOLE
    assert list(unread(stated, form_of(stated))) == []


@pytest.mark.parametrize(
    ("attributes", "unit", "quantity"),
    [
        ({"gen_ai.usage.audio.input_tokens": 9}, "input_audio_tokens", 9),
        ({"llm.token_count.completion_details.audio": 9}, "output_audio_tokens", 9),
        ({"gen_ai.usage.details.cache_audio_read_tokens": 9}, "cache_audio_read_tokens", 9),
        ({"gen_ai.usage.details.image_prompt_tokens": 9}, "input_image_tokens", 9),
        ({"gen_ai.usage.image.output_tokens": 9}, "output_image_tokens", 9),
        ({"gen_ai.usage.details.web_searches": 2}, "web_searches", 2),
        ({"gen_ai.usage.server_tool_use.web_search_requests": 2}, "web_searches", 2),
        ({"gen_ai.usage.rerank_searches": 1}, "rerank_searches", 1),
        ({"gen_ai.usage.input_audio_seconds": 12.5}, "input_audio_seconds", 12.5),
        ({"anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 5}, "cache_write_1h_tokens", 5),
        (
            {"ai.response.providerMetadata": '{"anthropic":{"usage":{"server_tool_use":{"web_search_requests":3}}}}'},
            "web_searches",
            3,
        ),
    ],
)
def test_other_units(attributes: dict[str, Any], unit: str, quantity: float) -> None:
    assert used(attributes)[unit] == quantity


@pytest.mark.parametrize("useless", [-1, "nine", True, float("nan"), float("inf"), [9], 1e300])
def test_other_units_that_are_wrong_are_passed_over(useless: object) -> None:
    assert used({"gen_ai.usage.audio.input_tokens": useless}) == {}


def test_what_the_cache_keeps_by_lifetime() -> None:
    by_lifetime = {
        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 30,
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 20,
    }
    assert counted(by_lifetime).cache_write == 50
    known = used({**by_lifetime, "gen_ai.usage.cache_write.input_tokens": 60})
    assert (known["cache_write_tokens"], known["cache_write_5m_tokens"], known["cache_write_1h_tokens"]) == (60, 30, 20)
    less = used({**by_lifetime, "gen_ai.usage.cache_write.input_tokens": 40})
    assert less == {"cache_write_tokens": 40}


def test_the_answer_tells_what_attributes_have_no_names_for() -> None:
    answer = {"usage": {"cache_creation": {"ephemeral_1h_input_tokens": 5}, "input_tokens": 1, "web": [1]}}
    told = {"llm.token_count.prompt": 100, "llm.token_count.prompt_details.cache_write": 5}
    assert used(with_answer(told, answer)) == {
        "input_tokens": 100,
        "cache_write_tokens": 5,
        "cache_write_1h_tokens": 5,
    }
    assert with_answer(told, {"usage": 5}) == told


def test_compaction_is_used_besides() -> None:
    compacted = {
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "anthropic.usage.compaction.input_tokens": 5000,
        "anthropic.usage.compaction.output_tokens": 700,
    }
    assert counted(compacted) == Usage(prompt=5100, completion=710)
    assert list(unread(compacted, form_of(compacted))) == []


def test_parts_larger_than_their_whole_stay_so() -> None:
    contradicting = {"gen_ai.usage.input_tokens": 900, "gen_ai.usage.cache_read.input_tokens": 1000}
    assert counted(contradicting) == Usage(prompt=900, cache_read=1000)


def test_counts_that_nobody_reads_are_named() -> None:
    attributes: dict[str, object] = {
        "gen_ai.usage.weird_units": 7,
        "llm.token_count.prompt_details.smell": 2.5,
        "gen_ai.usage.nothing_of_it": 0,
        "gen_ai.usage.flag": True,
        "gen_ai.usage.text": "7",
        "gen_ai.usage.raw.whatever": 7,
        "gen_ai.usage.total_tokens": 7,
        "gen_ai.usage.cache_read.input_cost": 7,
        "other": 7,
    }
    told = list(unread(attributes, form_of(attributes)))
    assert told == ["gen_ai.usage.weird_units", "llm.token_count.prompt_details.smell"]


def test_costs_in_their_order() -> None:
    order = [
        "litellm.cost.total",
        "gen_ai.cost.total_cost",
        "operation.cost",
        "gen_ai.usage.cost",
        "gen_ai.usage.total_cost",
        "llm.cost.total",
    ]
    for better, worse in pairwise(order):
        assert reported_cost({worse: 2.0, better: 0.00018}) == Usd.of("0.00018")
        assert reported_cost({worse: 2, better: float("nan")}) == Usd.of(2)
        assert reported_cost({worse: 2, better: -0.5}) == Usd.of(2)
        assert reported_cost({worse: 2, better: 0.0}) == Usd.of(2)
        assert reported_cost({better: "0.5"}) == Usd.of("0.5")
        assert reported_cost({better: 0}) == Usd(0)
    for useless in (float("inf"), 1e300, True, "free", [1], None, -0.5, "-1"):
        assert reported_cost({"llm.cost.total": useless}) is None


@pytest.mark.parametrize(
    "attributes",
    [
        {"langfuse.observation.cost_details": '{"total": 0.5}'},
        {"langfuse.observation.cost_details": '{"input": 0.2, "output": "0.3"}'},
        {"mlflow.llm.cost": '{"input_cost": 0.1, "output_cost": 0.4, "total_cost": 0.5}'},
        {"llm.cost.prompt": 0.2, "llm.cost.completion": 0.3},
        {"gen_ai.usage.input_cost": 0.2, "gen_ai.usage.output_cost": 0.3},
        {"ai.response.providerMetadata": '{"openrouter":{"usage":{"cost":0.5}}}'},
        {"ai.response.providerMetadata": '{"gateway":{"cost":"0.5"}}'},
    ],
)
def test_costs_of_other_instrumentations(attributes: dict[str, object]) -> None:
    assert reported_cost(readable(attributes)) == Usd.of("0.5")


def test_a_cost_of_one_side_is_no_cost() -> None:
    assert reported_cost({"llm.cost.prompt": 0.2}) is None


@pytest.mark.parametrize(
    ("attributes", "level"),
    [
        ({"openai.response.service_tier": "flex", "openai.request.service_tier": "auto"}, "flex"),
        ({"gen_ai.openai.response.service_tier": "default"}, "standard"),
        ({"gen_ai.openai.request.service_tier": "priority"}, "priority"),
        ({"openai.request.service_tier": "auto"}, None),
        ({"openai.response.service_tier": "auto", "openai.request.service_tier": "flex"}, "flex"),
        ({"anthropic.response.service_tier": "batch", "anthropic.request.service_tier": "auto"}, "batch"),
        ({"ai.response.providerMetadata": '{"openai":{"serviceTier":"flex"}}'}, "flex"),
        ({"llm.invocation_parameters": '{"service_tier":"PRIORITY"}'}, "priority"),
        ({"openai.response.service_tier": "never heard of"}, None),
        ({"anthropic.usage.service_tier": "batch", "anthropic.request.service_tier": "auto"}, "batch"),
        ({"anthropic.usage.speed": "fast", "anthropic.response.service_tier": "standard"}, "fast"),
        ({"ai.response.providerMetadata": '{"google":{"usageMetadata":{"trafficType":"ON_DEMAND_FLEX"}}}'}, "flex"),
        ({}, None),
    ],
)
def test_the_service_level_is_that_of_the_answer(attributes: dict[str, object], level: str | None) -> None:
    assert service_level(readable(attributes), {}) == level


def test_the_service_level_is_read_in_the_answers_body() -> None:
    assert service_level({"openai.request.service_tier": "priority"}, {"service_tier": "default"}) == "standard"
    assert service_level({}, {"usage": {"service_tier": "batch"}}) == "batch"
    assert service_level({}, {"usage": {"service_tier": "standard", "speed": "fast"}}) == "fast"


def test_the_place_is_that_of_the_answer() -> None:
    assert inference_geo({"anthropic.usage.inference_geo": "us", "anthropic.request.inference_geo": "eu"}) == "us"
    assert inference_geo({"anthropic.usage.inference_geo": "not_available"}) is None


def test_the_answer_completes_counts_of_the_same_sums_only() -> None:
    stated = Usage(prompt=10, completion=5, cache_read=1)
    answered = Usage(prompt=10, completion=5, cache_read=2, reasoning=3, units={"input_audio_tokens": 4})
    assert completed(stated, answered) == Usage(
        prompt=10, completion=5, cache_read=1, reasoning=3, units={"input_audio_tokens": 4}
    )
    other = Usage(prompt=9, completion=5, reasoning=3, units={"input_audio_tokens": 4, "web_searches": 2})
    assert completed(stated, other) == Usage(prompt=10, completion=5, cache_read=1, units={"web_searches": 2})
    assert completed(Usage(), other) == other


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"llm.token_count.total": 9}, {"input_tokens": 9}),
        ({"ai.usage.totalTokens": 9, "ai.usage.outputTokens": 4}, {"input_tokens": 5, "output_tokens": 4}),
        ({"gen_ai.usage.total_tokens": 9, "gen_ai.usage.input_tokens": 5}, {"input_tokens": 5, "output_tokens": 4}),
        ({"gen_ai.usage.total_tokens": 9, "gen_ai.usage.input_tokens": 9}, {"input_tokens": 9}),
        ({"gen_ai.usage.total_tokens": 3, "gen_ai.usage.input_tokens": 9}, {"input_tokens": 9}),
    ],
)
def test_the_total_tells_the_side_that_is_missing(attributes: dict[str, object], expected: dict[str, int]) -> None:
    assert used(attributes) == expected


def test_the_total_tells_whether_reasoning_is_beside_the_output() -> None:
    told = {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.reasoning_tokens": 3,
    }
    assert used({**told, "gen_ai.usage.total_tokens": 17})["output_tokens"] == 7
    assert used({**told, "gen_ai.usage.total_tokens": 14})["output_tokens"] == 4


def test_counts_may_be_said_as_text() -> None:
    assert used({"gen_ai.usage.input_tokens": "1000", "gen_ai.usage.audio.input_tokens": "9"}) == {
        "input_tokens": 1000,
        "input_audio_tokens": 9,
    }
