"""Tokens out of what providers call usage."""

from __future__ import annotations

from typing import Any

import pytest

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Status, Usage
from spendtop.domain.usage import MOST_TOKENS, count, counted, read_response, read_usage, usage_of_response

OPENAI_CHAT = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
    "completion_tokens_details": {"reasoning_tokens": 60},
}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (OPENAI_CHAT, Usage(prompt=1000, completion=100, cache_read=400, reasoning=60)),
        ({"prompt_tokens": 8, "total_tokens": 8}, Usage(prompt=8, completion=0)),
        (
            {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10},
            Usage(prompt=10, completion=0),
        ),
        (
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(prompt=32, completion=103, reasoning=94),
        ),
        (
            {"prompt_tokens": 50, "completion_tokens": 5, "prompt_cache_hit_tokens": 30},
            Usage(prompt=50, completion=5, cache_read=30),
        ),
        (
            {
                "prompt_tokens": 50,
                "completion_tokens": 5,
                "cache_read_input_tokens": 20,
                "cache_creation_input_tokens": 7,
            },
            Usage(prompt=50, completion=5, cache_read=20, cache_write=7),
        ),
        (
            {
                "input_tokens": 1000,
                "input_tokens_details": {"cached_tokens": 300},
                "output_tokens": 80,
                "output_tokens_details": {"reasoning_tokens": 40},
            },
            Usage(prompt=1000, completion=80, cache_read=300, reasoning=40),
        ),
        (
            {
                "input_tokens": 25,
                "cache_creation_input_tokens": 6,
                "cache_read_input_tokens": 1024,
                "output_tokens": 12,
            },
            Usage(prompt=1055, completion=12, cache_read=1024, cache_write=6),
        ),
        (
            {"input_tokens": 25, "cache_creation_input_tokens": None, "output_tokens": 12},
            Usage(prompt=25, completion=12),
        ),
        (
            {
                "input_tokens": 1,
                "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
                "output_tokens": 4,
            },
            Usage(
                prompt=6,
                completion=4,
                cache_read=0,
                cache_write=5,
                units={"cache_write_5m_tokens": 2, "cache_write_1h_tokens": 3},
            ),
        ),
        (
            {"inputTokens": 5, "outputTokens": 2, "cacheReadInputTokens": 3},
            Usage(prompt=8, completion=2, cache_read=3, cache_write=0),
        ),
    ],
)
def test_each_providers_usage_is_read(usage: dict[str, Any], expected: Usage) -> None:
    assert read_usage(usage).usage == expected
    assert usage_of_response({"usage": usage}) == expected


def test_gemini_counts_thoughts_as_completion() -> None:
    metadata = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 155,
    }
    expected = Usage(prompt=105, completion=50, cache_read=40, reasoning=30, units={"input_tool_tokens": 5})
    assert usage_of_response({"usageMetadata": metadata}) == expected
    assert read_usage(metadata).usage == expected


@pytest.mark.parametrize("response", [None, "text", [], {}, {"usage": None}, {"usage": "12"}, {"usage": {"other": 1}}])
def test_what_names_no_tokens_is_unknown(response: object) -> None:
    assert usage_of_response(response) == Usage()


@pytest.mark.parametrize("value", [-1, True, "12", 1.5, float("nan"), float("inf"), MOST_TOKENS + 1, 2**63, None, [1]])
def test_what_is_no_count_is_unknown(value: object) -> None:
    assert count(value) is None


@pytest.mark.parametrize("value", [0, 13, 13.0, MOST_TOKENS])
def test_whole_numbers_are_counts(value: object) -> None:
    assert count(value) == value


def test_a_part_that_is_no_count_makes_the_sum_unknown() -> None:
    usage = read_usage({"input_tokens": 25, "cache_read_input_tokens": -4, "output_tokens": 12}).usage
    assert (usage.prompt, usage.cache_read, usage.completion) == (None, None, 12)


def test_negative_tokens_are_unknown() -> None:
    assert read_usage({"prompt_tokens": -1, "completion_tokens": -1, "total_tokens": -2}).usage == Usage()


def test_litellm_leaves_what_bedrock_wrote_to_the_cache_out_of_the_prompt() -> None:
    usage = {
        "prompt_tokens": 1100,
        "completion_tokens": 50,
        "total_tokens": 1650,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 500,
    }
    assert read_usage(usage).usage.prompt == 1600
    assert read_usage({**usage, "prompt_tokens": 1600}).usage.prompt == 1600


@pytest.mark.parametrize(
    ("provider", "model", "prompt"),
    [
        ("anthropic", "claude-sonnet-4-5", 1600),
        (None, "claude-sonnet-4-5", 1600),
        ("aws", "us.amazon.nova-pro-v1:0", 1600),
        ("openrouter", "anthropic/claude-sonnet-4.5", 1000),
        ("openai", "gpt-4o", 1000),
    ],
)
def test_gateways_make_sums_of_what_the_ai_sdk_counts_apart(provider: str | None, model: str, prompt: int) -> None:
    answer = {"usage": {"inputTokens": 1000, "outputTokens": 9, "totalTokens": 1009, "cachedInputTokens": 600}}
    assert read_response(answer, None, provider, model).usage.prompt == prompt


def test_moonshot_streams_its_usage_in_the_choice() -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "cached_tokens": 400}
    chunks = [{"model": "kimi", "choices": [{"delta": {}}]}, {"model": "kimi", "choices": [{"usage": usage}]}]
    reading = read_response(chunks)
    assert (reading.usage.prompt, reading.usage.cache_read, reading.model) == (1000, 400, "kimi")


def test_vertex_tells_clients_of_openais_the_level_beside_the_counts() -> None:
    usage = {"prompt_tokens": 9, "extra_properties": {"google": {"traffic_type": "ON_DEMAND_FLEX"}}}
    assert read_usage(usage).service_level == "flex"


def test_what_a_gateway_counted_of_a_refused_call_was_not_used() -> None:
    assert counted(Usage(prompt=1000), Status.ERROR) == Usage(prompt=0, completion=0)
    assert counted(Usage(prompt=1000, completion=3), Status.ERROR) == Usage(prompt=1000, completion=3)
    assert counted(Usage(prompt=1000), Status.OK) == Usage(prompt=1000)
    assert counted(Usage(), Status.ERROR) == Usage()


def test_langchains_result_holds_the_answers_usage() -> None:
    result = {"generations": [[{"text": "hello"}]], "llm_output": {"token_usage": {"prompt_tokens": 9}}}
    assert read_response(result).usage.prompt == 9


def test_what_the_ai_sdk_hands_on_of_anthropics_answer_is_whole() -> None:
    own = {"input_tokens": 100, "output_tokens": 50, "cache_creation_input_tokens": 500, "cache_read_input_tokens": 9}
    answer = {
        "usage": {"inputTokens": 100, "outputTokens": 50, "cachedInputTokens": 9},
        "providerMetadata": {"anthropic": {"usage": own}},
    }
    usage = read_response(answer, None, "anthropic", "claude-sonnet-4-5").usage
    assert (usage.prompt, usage.cache_read, usage.cache_write) == (609, 9, 500)


def test_genkit_counts_thoughts_beside_the_output() -> None:
    usage = read_usage(
        {
            "inputTokens": 1000,
            "outputTokens": 100,
            "thoughtsTokens": 50,
            "cachedContentTokens": 400,
            "totalTokens": 1150,
        }
    ).usage
    assert usage == Usage(prompt=1000, completion=150, cache_read=400, reasoning=50)


def test_a_providers_cost_may_be_said_as_text() -> None:
    assert read_usage({"prompt_tokens": 1, "cost": "0.00123"}).cost == Usd.of("0.00123")
    assert read_usage({"prompt_tokens": 1, "cost": "-1"}).cost is None
    assert read_usage({"prompt_tokens": 1, "cost": "free"}).cost is None
