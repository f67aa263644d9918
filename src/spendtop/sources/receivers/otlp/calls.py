"""Which spans are calls of models, and which are around such calls or something else."""

from __future__ import annotations

from spendtop.sources.receivers.otlp.attributes import text
from spendtop.sources.receivers.otlp.spans import Attributes, TraceSpan

_OPERATIONS = frozenset(
    {
        "audio",
        "chat",
        "chat.completions",
        "completion",
        "embedding",
        "embeddings",
        "generate_content",
        "image",
        "image_edit",
        "image_generation",
        "model_request",
        "rerank",
        "speech_to_text",
        "speech_to_text_translate",
        "text.completions",
        "text_completion",
        "text_to_speech",
        "transcription",
    }
)
"""Of `gen_ai.operation.name`: the conventions' own, and those of Semantic Kernel, Spring AI, OpenLIT, pydantic-ai."""
_KINDS = {
    "openinference.span.kind": frozenset({"llm", "embedding", "reranker"}),
    "langfuse.observation.type": frozenset({"generation", "embedding"}),
    "mlflow.spanType": frozenset({"llm", "chat_model", "embedding", "reranker"}),
}
"""Attributes that say what kind of work a span is, with the kinds that are calls of models."""
_LANGSMITH = "langsmith.span.kind"
_LANGSMITH_CALLS = frozenset({"llm", "embedding"})
_AI_SDK = ("ai.operationId", "operation.name")
_AI_SDK_CALLS = (".doGenerate", ".doStream", ".doEmbed", ".doRerank")
_AGENTS_OWN = frozenset({"claude_code.llm_request"})
"""Calls of coding agents, which are no source yet: a subscription pays for many of them."""
_ADK = ("gcp.vertex.agent", "call_llm")
"""Scope and span of Google's ADK before it named its operations."""
_KIND_NAMES = (
    "openinference.span.kind",
    _LANGSMITH,
    "langfuse.observation.type",
    "mlflow.spanType",
    "gen_ai.operation.name",
    "traceloop.span.kind",
    "ai.operationId",
)


def is_of_agent(span: TraceSpan) -> bool:
    """Whether a coding agent wrote it of a call of its own."""
    return span.name in _AGENTS_OWN


def is_call(span: TraceSpan, attributes: Attributes) -> bool:
    """Whether a span is a call of a model, and not one around such calls."""
    if is_of_agent(span):
        return False
    langsmith = _word(attributes, _LANGSMITH)
    if langsmith is not None:
        # Its operation names say `chat` of prompt templates and `embeddings` of retrievers.
        return langsmith in _LANGSMITH_CALLS
    return (
        _word(attributes, "gen_ai.operation.name") in _OPERATIONS
        or any(_word(attributes, name) in kinds for name, kinds in _KINDS.items())
        or text(attributes, ("llm.request.type",)) is not None
        or _is_of_ai_sdk(attributes)
        or (span.scope_name, span.name) == _ADK
    )


def kind(attributes: Attributes) -> str:
    """What the span says it is, for people."""
    return text(attributes, _KIND_NAMES) or "unknown"


def _is_of_ai_sdk(attributes: Attributes) -> bool:
    # `operation.name` goes on with the application's name for the function.
    named = text(attributes, _AI_SDK)
    return named is not None and named.startswith("ai.") and named.split(" ", 1)[0].endswith(_AI_SDK_CALLS)


def _word(attributes: Attributes, name: str) -> str | None:
    value = attributes.get(name)
    return value.lower() if isinstance(value, str) else None
