"""What the attributes of a span say about an LLM call, whichever instrumentation wrote them.

GenAI semantic conventions of several years, OpenInference and OpenLLMetry name one thing differently: each field has
its names in the order in which they are believed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from spendtop.domain.money import Usd
from spendtop.domain.request import Usage
from spendtop.domain.untrusted import storable_name
from spendtop.domain.usage import MOST_TOKENS, count
from spendtop.sources.receivers.otlp_spans import Attributes

RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
MODEL = (
    RESPONSE_MODEL,
    "gen_ai.request.model",
    "llm.response.model_name",
    "llm.model_name",
    "llm.request.model_name",
)
USER = ("user.id", "enduser.id", "gen_ai.user", "llm.user", "traceloop.association.properties.user_id")
SESSION = ("gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id")
ERROR_TYPE = "error.type"
_HTTP_STATUS = ("http.response.status_code", "http.status_code")
FIRST_TOKEN = (
    "gen_ai.server.time_to_first_token",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.latency.time_to_first_token",
)
"""Seconds."""
INPUT_TOKENS = "gen_ai.usage.input_tokens"

_OPERATIONS = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
_KINDS = frozenset({"llm", "embedding"})
_PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
_COST = ("litellm.cost.total", "gen_ai.cost.total_cost", "gen_ai.usage.cost", "llm.cost.total")
_TOKENS = {
    "prompt": (INPUT_TOKENS, "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "completion": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    "cache_read": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    "cache_write": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
        "gen_ai.usage.cache_write.input_tokens",
    ),
    "reasoning": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
}
_STATUS = re.compile(r"[1-5][0-9]{2}")
_NO_COUNT = f"has to be a whole number of tokens from 0 to {MOST_TOKENS:,}"
_PROVIDERS = {
    "amazon_bedrock": "aws",
    "aws_bedrock": "aws",
    "aws_sagemaker": "aws",
    "bedrock": "aws",
    "az_ai_inference": "azure",
    "az_ai_openai": "azure",
    "azure_ai_inference": "azure",
    "azure_ai_openai": "azure",
    "azure_openai": "azure",
    "fireworks_ai": "fireworks",
    "gcp_gemini": "google",
    "gcp_gen_ai": "google",
    "gcp_vertex_ai": "google",
    "gemini": "google",
    "generativeai": "google",
    "google_generativeai": "google",
    "google_genai": "google",
    "google_vertexai": "google",
    "vertex": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot_ai": "moonshotai",
    "together_ai": "together",
    "togetherai": "together",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "langchain": None,
    "llama_index": None,
    "llamaindex": None,
}
"""Names that are not ours, in lower case and with `_`. A framework is no provider, so the model has to name it."""
_ASSOCIATED = "traceloop.association.properties."
_NO_PROPERTIES = frozenset({*USER, *SESSION})


class CannotTake(Exception):
    """A call whose attributes cannot be used: attribute to what it has to be. Never holds a value."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(*fields)
        self.fields = fields


def is_llm_call(attributes: Attributes) -> bool:
    """Whether a span is a call of a model, and not one around such calls."""
    operation, kind = attributes.get("gen_ai.operation.name"), attributes.get("openinference.span.kind")
    return (
        (isinstance(operation, str) and operation.lower() in _OPERATIONS)
        or (isinstance(kind, str) and kind.lower() in _KINDS)
        or text(attributes, ("llm.request.type",)) is not None
    )


def text(attributes: Attributes, names: Sequence[str]) -> str | None:
    """The first of these attributes that says something; a number, as ids sometimes are, in digits."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value
        if type(value) is int:
            return str(value)
    return None


def name(attributes: Attributes, names: Sequence[str]) -> str | None:
    """The same as it is stored."""
    value = text(attributes, names)
    return storable_name(value) if value is not None else None


def number(attributes: Attributes, names: Sequence[str]) -> float | None:
    """The first of these attributes that is a number."""
    for each in names:
        value = attributes.get(each)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    return None


def http_status(attributes: Attributes) -> int | None:
    """The status of the answer; conventions allow it to stand where the kind of the error does."""
    status = text(attributes, (*_HTTP_STATUS, ERROR_TYPE))
    return int(status) if status is not None and _STATUS.fullmatch(status) else None


def usage(attributes: Attributes) -> Usage:
    """The tokens; input includes what the cache gave and took, output includes reasoning. Raises CannotTake."""
    counts: dict[str, int | None] = {}
    wrong: dict[str, str] = {}
    for field, names in _TOKENS.items():
        present = next((each for each in names if attributes.get(each) is not None), None)
        counts[field] = None if present is None else count(attributes[present])
        if present is not None and counts[field] is None:
            wrong[present] = _NO_COUNT
    if wrong:
        raise CannotTake(wrong)
    cached = (counts["cache_read"] or 0) + (counts["cache_write"] or 0)
    if counts["prompt"] is not None and cached > counts["prompt"]:
        counts["prompt"] += cached  # a part cannot be larger than its whole: Anthropic's count of uncached input
    return Usage(
        prompt=counts["prompt"],
        completion=counts["completion"],
        cache_read=counts["cache_read"],
        cache_write=counts["cache_write"],
        reasoning=counts["reasoning"],
    )


def provider(attributes: Attributes) -> str | None:
    """Who ran the model, by the name that price lists use."""
    named = text(attributes, _PROVIDER)
    if named is None:
        return None
    lowered = named.lower()
    spelled = lowered.replace(".", "_").replace("-", "_").replace(" ", "_")
    ours = _PROVIDERS.get(spelled, lowered)
    return storable_name(ours) if ours else None


def reported_cost(attributes: Attributes) -> Usd | None:
    """What a gateway or instrumentation says the call cost, where that is an amount of money."""
    for each in _COST:
        value = attributes.get(each)
        if type(value) in (int, float, str):
            try:
                return Usd.of(str(value))
            except ValueError:
                continue
    return None


def properties(attributes: Attributes, resource: Attributes) -> dict[str, str] | None:
    """The service, its environment, and what the application associated with the call."""
    texts = {
        "service.name": _service(resource),
        "deployment.environment": text(resource, ("deployment.environment.name", "deployment.environment")),
    }
    for key, value in attributes.items():
        if key.startswith(_ASSOCIATED) and key not in _NO_PROPERTIES and value is not None:
            texts[key.removeprefix(_ASSOCIATED)] = value if isinstance(value, str) else _json_text(value)
    return {each: value for each, value in texts.items() if each and value} or None


def _service(resource: Attributes) -> str | None:
    """The service's name, unless it is the one that SDKs give to those without."""
    name = text(resource, ("service.name",))
    return None if name is None or name.startswith("unknown_service") else name


def _json_text(value: object) -> str:
    return msgspec.json.encode(value).decode()
