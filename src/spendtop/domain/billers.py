"""Who bills a request, by one name: that of its list in genai-prices (`aws` for Bedrock, `google` for Vertex)."""

from __future__ import annotations

import re
from functools import lru_cache

_ALIASES: dict[str, str | None] = {
    "amazon": "aws",
    "amazon_bedrock": "aws",
    "amazon_bedrock_anthropic": "aws",
    "anthropic_text": "anthropic",
    "arcee_ai": "arcee",
    "aws_bedrock": "aws",
    "aws_sagemaker": "aws",
    "az_ai_inference": "azure",
    "az_ai_openai": "azure",
    "azure_ai": "azure",
    "azure_ai_inference": "azure",
    "azure_ai_openai": "azure",
    "azure_openai": "azure",
    "azure_text": "azure",
    "bedrock": "aws",
    "bedrock_anthropic": "aws",
    "bedrock_converse": "aws",
    "bedrock_mantle": "aws",
    "cloudflare_workers_ai": "cloudflare",
    "codestral": "mistral",
    "cohere_ai": "cohere",
    "copilot": "github-copilot",
    "deepseek_ai": "deepseek",
    "fireworks_ai": "fireworks",
    "gcp": "google",
    "gcp_gemini": "google",
    "gcp_gen_ai": "google",
    "gcp_vertex_agent": "google",
    "gcp_vertex_ai": "google",
    "gemini": "google",
    "generativeai": "google",
    "github_copilot": "github-copilot",
    "google_ai": "google",
    "google_ai_studio": "google",
    "google_anthropic_vertex": "google",
    "google_gemini": "google",
    "google_genai": "google",
    "google_generative_ai": "google",
    "google_generativeai": "google",
    "google_gla": "google",
    "google_vertex": "google",
    "google_vertex_ai": "google",
    "google_vertex_anthropic": "google",
    "google_vertexai": "google",
    "meta_llama": "meta",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "novita_ai": "novita",
    "open_ai": "openai",
    "open_router": "openrouter",
    "openai_text": "openai",
    "perplexity_ai": "perplexity",
    "perplexityai": "perplexity",
    "sagemaker": "aws",
    "sagemaker_chat": "aws",
    "text_completion_codestral": "mistral",
    "text_completion_openai": "openai",
    "together_ai": "together",
    "togetherai": "together",
    "vertex": "google",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "vertex_anthropic": "google",
    "vertexai": "google",
    "voyage": "voyageai",
    "voyage_ai": "voyageai",
    "x": "x-ai",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "z_ai": "zai",
    "zai_org": "zai",
    "zhipu": "zhipuai",
    "zhipu_ai": "zhipuai",
    # A framework, a proxy or a protocol bills nothing, so the model has to say whose it is.
    "agno": None,
    "autogen": None,
    "crewai": None,
    "custom": None,
    "custom_openai": None,
    "dspy": None,
    "haystack": None,
    "langchain": None,
    "langgraph": None,
    "litellm": None,
    "litellm_proxy": None,
    "llama_index": None,
    "llamaindex": None,
    "microsoft_agent_framework": None,
    "openai_compatible": None,
    "openai_like": None,
    "pydantic_ai": None,
    "semantic_kernel": None,
    "strands_agents": None,
}
"""Names in lower case and with `_`, as clients, instrumentations and gateways write them."""

_LISTED = frozenset(
    {"anthropic", "arcee", "avian", "aws", "azure", "baseten", "cerebras", "cloudflare", "cohere", "cursor",
     "databricks", "deepseek", "doubleword", "elevenlabs", "fireworks", "google", "groq", "meta", "minimax", "mistral",
     "modal", "moonshotai", "novita", "openai", "openrouter", "ovhcloud", "perplexity", "quicksilverpro", "together",
     "typesafe", "voyageai", "zai", "zhipuai"}
)  # fmt: skip
_OPERATION = re.compile(r"_(?:chat|completions?|embeddings?|image|messages|responses|speech|transcription)$")
"""What is called there, behind the provider's name: `openai.responses`, `cohere_chat`."""


@lru_cache(1024)
def biller_named(name: str | None) -> str | None:
    """Our name of whoever a source names, in lower case where it is none that we know; None for nobody."""
    lowered = (name or "").strip().lower()
    spelled = re.sub(r"[.\s-]+", "_", lowered)
    for each in (spelled, _OPERATION.sub("", spelled)):
        if each in _ALIASES:
            return _ALIASES[each]
        if each in _LISTED:
            return each
    return lowered or None
