"""Who bills a call, by the names that instrumentations have for providers."""

from __future__ import annotations

import re
from functools import lru_cache

from spendtop.domain.billers import biller_named
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
    short = lowered
    while (parts := short.rpartition("."))[0] and _spelled(parts[2]) in _APIS:
        short = parts[0]
    whole = biller_named(lowered)
    return biller_named(short) if whole == lowered else whole


def _spelled(name: str) -> str:
    return name.replace(".", "_").replace("-", "_").replace(" ", "_")
