"""Which spans are calls of models."""

from __future__ import annotations

from typing import Any

import pytest

from tests.otlp_posts import by, span
from tests.otlp_receiving import requests_of

TOLD: dict[str, Any] = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5}


@pytest.mark.parametrize(
    "attributes",
    [
        *({"gen_ai.operation.name": name} for name in ("chat", "text_completion", "generate_content", "embeddings")),
        *({"gen_ai.operation.name": name} for name in ("Chat", "rerank", "image_generation", "chat.completions")),
        *({"openinference.span.kind": kind} for kind in ("LLM", "EMBEDDING", "RERANKER", "llm")),
        *({"langfuse.observation.type": kind} for kind in ("generation", "embedding")),
        *({"mlflow.spanType": kind} for kind in ('"CHAT_MODEL"', "LLM", '"EMBEDDING"')),
        {"langsmith.span.kind": "llm", "gen_ai.operation.name": "chat"},
        {"llm.request.type": "chat"},
        {"ai.operationId": "ai.generateText.doGenerate"},
        {"ai.operationId": "ai.streamText.doStream", "operation.name": "ai.streamText.doStream my-function"},
        {"operation.name": "ai.embedMany.doEmbed my-function"},
        {"openinference.span.kind": "CHAIN", "gen_ai.operation.name": "chat"},
    ],
)
def test_calls(attributes: dict[str, Any]) -> None:
    assert len(requests_of(span(1, {**TOLD, **attributes}))) == 1


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        *({"gen_ai.operation.name": name} for name in ("invoke_agent", "agent_step", "execute_tool", "fetch_response")),
        *({"openinference.span.kind": kind} for kind in ("CHAIN", "AGENT", "TOOL", "RETRIEVER", "UNKNOWN")),
        {"langsmith.span.kind": "prompt", "gen_ai.operation.name": "chat"},
        {"langsmith.span.kind": "retriever", "gen_ai.operation.name": "embeddings"},
        {"langfuse.observation.type": "span"},
        {"mlflow.spanType": '"CHAIN"'},
        {"traceloop.span.kind": "workflow"},
        {"ai.operationId": "ai.generateText"},
        {"ai.operationId": "ai.toolCall"},
        {"operation.name": "my.doGenerate"},
        {"operation.name": "ai.generateText my.doGenerate"},
        {"llm.request.type": ""},
        {"gen_ai.operation.name": 5, "openinference.span.kind": ["LLM"]},
    ],
)
def test_other_spans(attributes: dict[str, Any]) -> None:
    assert requests_of(span(1, {**TOLD, **attributes})) == []


def test_googles_adk_has_a_span_of_its_own() -> None:
    assert len(requests_of(by("gcp.vertex.agent", span(1, TOLD, name="call_llm")))) == 1
    assert requests_of(span(1, TOLD, name="call_llm")) == []


def test_calls_of_coding_agents_are_not_taken() -> None:
    asked = {**TOLD, "gen_ai.operation.name": "chat"}
    assert requests_of(span(1, asked, name="claude_code.llm_request")) == []
