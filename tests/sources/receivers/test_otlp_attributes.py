"""One thing under its several names, and whose word counts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from spendtop.domain.catalogue import PublishedPrices
from spendtop.domain.money import Usd
from spendtop.domain.pricing import Terms
from spendtop.domain.request import Usage
from spendtop.sources.receivers import otlp_attributes as read
from tests.otlp_posts import ARRIVAL


@pytest.mark.parametrize(
    "names",
    [
        [
            "gen_ai.response.model",
            "gen_ai.request.model",
            "llm.response.model_name",
            "llm.model_name",
            "llm.request.model_name",
        ],
    ],
)
def test_models_in_their_order(names: list[str]) -> None:
    for better, worse in pairwise(names):
        assert read.name({worse: "second", better: "first"}, read.MODEL) == "first"
        assert read.name({worse: "second", better: ""}, read.MODEL) == "second"


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (
            read.USER,
            ["user.id", "enduser.id", "gen_ai.user", "llm.user", "traceloop.association.properties.user_id"],
        ),
        (read.SESSION, ["gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id"]),
    ],
)
def test_users_and_sessions_in_their_order(names: tuple[str, ...], order: list[str]) -> None:
    for better, worse in pairwise(order):
        assert read.name({worse: "second", better: "first"}, names) == "first"
    assert read.name({order[0]: 42}, names) == "42"
    assert read.name({order[0]: True, order[1]: ["a"]}, names) is None
    assert read.name({order[0]: "a\0" + "b" * 300}, names) == "a␀" + "b" * 254


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
        assert getattr(read.usage({worse: 7, better: 3}), field) == 3
        assert getattr(read.usage({worse: 7, better: None}), field) == 7
        with pytest.raises(read.CannotTake) as raised:
            read.usage({worse: 7, better: -3})
        assert list(raised.value.fields) == [better]


@pytest.mark.parametrize(
    ("prompt", "cache_read", "cache_write", "expected"),
    [
        (1000, 400, 0, 1000),
        (1000, 1000, 0, 1000),
        (10, 400, 0, 410),
        (10, 400, 200, 610),
        (10, 0, 5000, 5010),
    ],
)
def test_input_that_leaves_the_cache_out_is_completed(
    prompt: int, cache_read: int, cache_write: int, expected: int
) -> None:
    usage = read.usage(
        {
            "gen_ai.usage.input_tokens": prompt,
            "gen_ai.usage.cache_read.input_tokens": cache_read,
            "gen_ai.usage.cache_creation.input_tokens": cache_write,
        }
    )
    assert usage == Usage(prompt=expected, cache_read=cache_read, cache_write=cache_write)


@pytest.mark.parametrize(
    ("given", "ours", "model"),
    [
        ("openai", "openai", "gpt-4o-mini"),
        ("OpenAI", "openai", "gpt-4o-mini"),
        ("anthropic", "anthropic", "claude-sonnet-4-20250514"),
        ("gcp.gemini", "google", "gemini-2.0-flash"),
        ("gcp.vertex_ai", "google", "gemini-2.0-flash"),
        ("vertex_ai", "google", "gemini-2.0-flash"),
        ("gemini", "google", "gemini-2.0-flash"),
        ("aws.bedrock", "aws", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("azure.ai.openai", "azure", "gpt-4o-mini"),
        ("az.ai.inference", "azure", "gpt-4o-mini"),
        ("x_ai", "x-ai", "grok-3"),
        ("xai", "x-ai", "grok-3"),
        ("mistral_ai", "mistral", "mistral-large-latest"),
        ("deepseek", "deepseek", "deepseek-chat"),
        ("groq", "groq", "llama-3.3-70b-versatile"),
        ("Langchain", None, "gpt-4o-mini"),
    ],
)
def test_providers_have_the_names_of_the_price_list(given: str, ours: str | None, model: str) -> None:
    assert read.provider({"gen_ai.provider.name": given}) == ours
    assert PublishedPrices()(ours, model, Terms(), ARRIVAL) is not None


def test_providers_in_their_order() -> None:
    for better, worse in pairwise(["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"]):
        assert read.provider({worse: "groq", better: "openai"}) == "openai"
    assert read.provider({"llm.system": "Some Host"}) == "some host"
    assert read.provider({}) is None


def test_costs_in_their_order() -> None:
    order = ["litellm.cost.total", "gen_ai.cost.total_cost", "gen_ai.usage.cost", "llm.cost.total"]
    for better, worse in pairwise(order):
        assert read.reported_cost({worse: 2.0, better: 0.00018}) == Usd.of("0.00018")
        assert read.reported_cost({worse: 2, better: float("nan")}) == Usd.of(2)
    assert read.reported_cost({"llm.cost.total": "0.5"}) == Usd.of("0.5")
    for useless in (float("inf"), 1e300, True, "free", [1], None):
        assert read.reported_cost({"llm.cost.total": useless}) is None


def test_a_negative_cost_is_kept_as_reported_so_that_nobody_trusts_it() -> None:
    assert read.reported_cost({"llm.cost.total": -0.5}) == Usd.of("-0.5")
