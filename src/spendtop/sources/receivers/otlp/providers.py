"""Who bills a call, by the names that instrumentations have for providers."""

from __future__ import annotations

import re
from functools import lru_cache

from spendtop.domain.untrusted import NAME_LIMIT, storable_name
from spendtop.sources.receivers.otlp.attributes import text
from spendtop.sources.receivers.otlp.names import NAMES, AttributeNames
from spendtop.sources.receivers.otlp.spans import Attributes

_APIS = frozenset(
    {
        "chat",
        "completion",
        "embedding",
        "generative_ai",
        "image",
        "messages",
        "reranking",
        "responses",
        "speech",
        "textembedding",
        "text_embedding",
        "transcription",
    }
)
"""What the AI SDK adds to a provider's name: `openai.responses`."""
_PROVIDERS = {
    "amazon_bedrock": "aws",
    "aws_bedrock": "aws",
    "aws_sagemaker": "aws",
    "bedrock": "aws",
    "bedrock_anthropic": "aws",
    "amazon_bedrock_anthropic": "aws",
    "bedrock_converse": "aws",
    "az_ai_inference": "azure",
    "az_ai_openai": "azure",
    "azure_ai": "azure",
    "azure_ai_inference": "azure",
    "azure_ai_openai": "azure",
    "azure_openai": "azure",
    "fireworks_ai": "fireworks",
    "gcp": "google",
    "gcp_gemini": "google",
    "gcp_gen_ai": "google",
    "gcp_vertex_agent": "google",
    "gcp_vertex_ai": "google",
    "gemini": "google",
    "generativeai": "google",
    "google_ai_studio": "google",
    "google_anthropic_vertex": "google",
    "google_generativeai": "google",
    "google_genai": "google",
    "google_gla": "google",
    "google_vertex": "google",
    "google_vertex_ai": "google",
    "google_vertex_anthropic": "google",
    "google_vertexai": "google",
    "vertex": "google",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "vertex_anthropic": "google",
    "vertexai": "google",
    "cohere_ai": "cohere",
    "deepseek_ai": "deepseek",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "perplexity_ai": "perplexity",
    "together_ai": "together",
    "togetherai": "together",
    "voyage": "voyageai",
    "voyage_ai": "voyageai",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "agno": None,
    "autogen": None,
    "crewai": None,
    "dspy": None,
    "haystack": None,
    "langchain": None,
    "langgraph": None,
    "litellm": None,
    "llama_index": None,
    "llamaindex": None,
    "microsoft_agent_framework": None,
    "pydantic_ai": None,
    "semantic_kernel": None,
    "strands_agents": None,
}
"""Names that are not ours, in lower case and with `_`. A framework is no provider, so the model has to name it."""


_HOSTS = {
    "api.anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.moonshot.ai": "moonshotai",
    "api.moonshot.cn": "moonshotai",
    "api.novita.ai": "novita",
    "api.openai.com": "openai",
    "api.perplexity.ai": "perplexity",
    "api.together.xyz": "together",
    "api.x.ai": "x-ai",
    "cognitiveservices.azure.com": "azure",
    "generativelanguage.googleapis.com": "google",
    "aiplatform.googleapis.com": "google",
    "openai.azure.com": "azure",
    "openrouter.ai": "openrouter",
    "services.ai.azure.com": "azure",
}
"""A client of OpenAI's or Anthropic's is pointed at many hosts, and its instrumentation names the client's provider."""
_LONGEST_HOST = 253
_AROUND_HOST = re.compile(r"^[a-z]+://|[:/].*$")
_BEDROCK = re.compile(r"bedrock[a-z-]*\.[a-z0-9-]+\.amazonaws\.com")


def provider(attributes: Attributes, names: AttributeNames = NAMES) -> str | None:
    """Who ran the model and bills it, by the name that price lists use."""
    host = _host(attributes, names)
    if host is not None:
        return host
    for each in names.provider:
        named = attributes.get(each)
        if isinstance(named, str) and named and (ours := _ours(named[:NAME_LIMIT])):
            return storable_name(ours)
    return None


def _host(attributes: Attributes, names: AttributeNames) -> str | None:
    address = text(attributes, names.address)
    if address is None:
        return None
    return _served_at(_AROUND_HOST.sub("", address.lower())[-_LONGEST_HOST:])


@lru_cache(maxsize=256)
def _served_at(host: str) -> str | None:
    if _BEDROCK.fullmatch(host):
        return "aws"
    names = (suffix for suffix in _HOSTS if host == suffix or host.endswith((f".{suffix}", f"-{suffix}")))
    return next((_HOSTS[suffix] for suffix in names), None)


@lru_cache(maxsize=256)
def _ours(named: str) -> str | None:
    lowered = named.lower()
    whole = _spelled(lowered)
    if whole in _PROVIDERS:
        return _PROVIDERS[whole]
    short = lowered
    while (parts := short.rpartition("."))[0] and _spelled(parts[2]) in _APIS:
        short = parts[0]
    return _PROVIDERS.get(_spelled(short), short)


def _spelled(name: str) -> str:
    return name.replace(".", "_").replace("-", "_").replace(" ", "_")
