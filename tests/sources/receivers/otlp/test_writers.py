"""What wrote a span decides whether its input includes the cache."""

from __future__ import annotations

from typing import Any

import pytest

from spendtop.domain.requests.request import Usage
from tests.otlp_posts import by, call
from tests.otlp_receiving import request_of

CLAUDE = {"gen_ai.provider.name": "anthropic", "gen_ai.response.model": "claude-sonnet-4-20250514"}
BEDROCK = {"gen_ai.provider.name": "aws.bedrock", "gen_ai.response.model": "us.anthropic.claude-sonnet-4-20250514-v1:0"}
AI_SDK = {"ai.operationId": "ai.generateText.doGenerate", "gen_ai.operation.name": None}
CACHED = "gen_ai.usage.cache_read.input_tokens"


def prompt(scope: str, cached: int, attributes: dict[str, Any], version: str = "", name: str = "x") -> int | None:
    """The whole input of a call with 900 tokens of input, where so many came from the cache."""
    told = {"gen_ai.usage.input_tokens": 900, CACHED: cached, **attributes}
    usage = request_of(by(scope, call(1, told, name=name), version)).usage
    assert usage.cache_read == cached
    return usage.prompt


def apart(scope: str, attributes: dict[str, Any], version: str = "", name: str = "x") -> bool:
    """Whether the cache is counted beside the input, however much it is."""
    found = {cached: prompt(scope, cached, attributes, version, name) for cached in (800, 1000)}
    assert found in ({800: 900, 1000: 900}, {800: 1700, 1000: 1900})
    return found[800] == 1700


@pytest.mark.parametrize(
    ("scope", "attributes"),
    [
        ("", {}),
        ("", CLAUDE),
        ("somebody.else", CLAUDE),
        ("com.anthropic.sdk.python", CLAUDE),
        ("com.anthropic.sdk.typescript.bedrock", BEDROCK),
        ("pydantic-ai", CLAUDE),
        ("logfire.anthropic", CLAUDE),
        ("opentelemetry.instrumentation.anthropic", CLAUDE),
        ("opentelemetry.instrumentation.langchain", CLAUDE),
        ("opentelemetry.instrumentation.openai.v1", {}),
        ("opentelemetry.instrumentation.llamaindex", {}),
        ("openinference.instrumentation.anthropic", CLAUDE),
        ("openinference.instrumentation.langchain", CLAUDE),
        ("@traceloop/instrumentation-bedrock", BEDROCK),
        ("strands.telemetry.tracer", BEDROCK),
        ("openlit.otel.tracing", {}),
        ("litellm", CLAUDE),
        ("gen_ai", CLAUDE),
        ("ai", AI_SDK),
        ("ai", {**AI_SDK, **CLAUDE, "ai.usage.inputTokenDetails.cacheReadTokens": 1}),
    ],
)
def test_input_includes_the_cache(scope: str, attributes: dict[str, Any]) -> None:
    assert not apart(scope, attributes)


@pytest.mark.parametrize(
    ("scope", "attributes"),
    [
        ("opentelemetry.instrumentation.bedrock", BEDROCK),
        ("opentelemetry.instrumentation.llamaindex", CLAUDE),
        ("@arizeai/openinference-instrumentation-bedrock", BEDROCK),
        ("openlit.otel.tracing", CLAUDE),
        ("openlit.otel.tracing", BEDROCK),
        ("ai", {**AI_SDK, **CLAUDE}),
        ("ai", {**AI_SDK, **BEDROCK}),
        ("ai", {**AI_SDK, **CLAUDE, "gen_ai.provider.name": "vertex.anthropic.messages"}),
        ("my tracer", {**AI_SDK, **CLAUDE}),
    ],
)
def test_input_leaves_the_cache_out(scope: str, attributes: dict[str, Any]) -> None:
    assert apart(scope, attributes)


@pytest.mark.parametrize(
    ("version", "name", "expected"),
    [
        ("0.1.45", "bedrock.converse", True),
        ("0.1.59", "bedrock.converse_stream", True),
        ("0.1.60", "bedrock.converse", False),
        ("0.2", "bedrock.converse", False),
        ("0.1.45", "bedrock.invoke_model", False),
        ("", "bedrock.converse", False),
        ("next", "bedrock.converse", False),
    ],
)
def test_openinferences_bedrock_changed(version: str, name: str, expected: bool) -> None:
    assert apart("openinference.instrumentation.bedrock", BEDROCK, version, name) is expected


def test_strands_is_known_by_its_names() -> None:
    older = {**BEDROCK, CACHED: None, "gen_ai.usage.input_tokens": 900, "gen_ai.usage.cache_read_input_tokens": 800}
    assert request_of(by("strands.telemetry.tracer", call(1, older))).usage.prompt == 1700
    openai = {**older, "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o"}
    assert request_of(by("strands.telemetry.tracer", call(1, openai))).usage.prompt == 900


def test_langfuse_counts_everything_apart() -> None:
    details = '{"input": 550, "output": 80, "input_cached_tokens": 450, "output_reasoning_tokens": 20, "total": 1100}'
    nothing = {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}
    told = {**nothing, "langfuse.observation.type": "generation", "langfuse.observation.usage_details": details}
    assert request_of(call(1, told)).usage == Usage(prompt=1000, completion=100, cache_read=450, reasoning=20)
    both = {"langfuse.observation.usage_details": details}
    assert request_of(call(1, both)).usage.prompt == 1000


def test_an_unknown_input_stays_unknown() -> None:
    told = {**BEDROCK, "gen_ai.usage.input_tokens": None, CACHED: 800}
    assert request_of(by("opentelemetry.instrumentation.bedrock", call(1, told))).usage.prompt is None
