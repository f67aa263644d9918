"""Names as documents of providers, gateways, instrumentations and users' reports write them, and whose price it is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice

from spendtop.domain.model_names import is_fine_tune
from spendtop.domain.pricing import price_entries
from spendtop.domain.pricing.price_entries import PriceEntries
from spendtop.domain.pricing.price_list import PriceList

ENTRIES = PriceEntries(get_snapshot().providers)
_LISTED_BY = {id(model): provider.id for provider in get_snapshot().providers for model in provider.models}


def entry(provider: str | None, model: str) -> str:
    known = ENTRIES.entry(provider, model)
    if known is None:
        return "unknown"
    found = known.model
    return f"{_LISTED_BY.get(id(found), 'openrouter' if found.id.endswith(':free') else '?')}/{found.id}"


AS_THEIR_MAKERS_WRITE_THEM = [
    ("openai", "gpt-4o", "openai/gpt-4o"),
    ("openai", "GPT-4o", "openai/gpt-4o"),
    ("openai", " gpt-4o ", "openai/gpt-4o"),
    ("openai", "gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13"),
    ("openai", "gpt-4o-2024-08-06", "openai/gpt-4o"),
    ("openai", "gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini"),
    ("openai", "gpt-4o-mini-realtime-preview-2024-12-17", "openai/gpt-4o-mini-realtime-preview"),
    ("openai", "gpt-4o-audio-preview-2024-12-17", "openai/gpt-4o-audio-preview"),
    ("openai", "gpt-5-nano-2025-08-07", "openai/gpt-5-nano"),
    ("openai", "gpt-5.2-20251211", "openai/gpt-5.2"),
    ("openai", "gpt-5.6-luna-2026-07-09", "openai/gpt-5.6-luna"),
    ("openai", "gpt-4-0613", "openai/gpt-4"),
    ("openai", "gpt-4-turbo-2024-04-09", "openai/gpt-4-turbo"),
    ("openai", "gpt-3.5-turbo-0125", "openai/gpt-3.5-turbo"),
    ("openai", "gpt-3.5-turbo-instruct", "openai/gpt-3.5-turbo-instruct"),
    ("openai", "o3-mini-2025-01-31", "openai/o3-mini"),
    ("openai", "o4-mini-deep-research-2025-06-26", "openai/o4-mini-deep-research"),
    ("openai", "computer-use-preview-2025-03-11", "openai/computer-use"),
    ("openai", "text-embedding-3-small", "openai/text-embedding-3-small"),
    ("openai", "gpt-image-1", "openai/gpt-image-1"),
    ("openai", "whisper-1", "openai/whisper-1"),
    ("openai", "gpt-4o-transcribe", "openai/gpt-4o-transcribe"),
    ("openai", "omni-moderation-latest", "openai/moderation"),
    ("anthropic", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
    ("anthropic", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
    ("anthropic", "claude-sonnet-4.5", "anthropic/claude-sonnet-4-5"),
    ("anthropic", "claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-0"),
    ("anthropic", "claude-sonnet-4-0", "anthropic/claude-sonnet-4-0"),
    ("anthropic", "claude-opus-4-20250514", "anthropic/claude-opus-4-0"),
    ("anthropic", "claude-opus-4-1-20250805", "anthropic/claude-opus-4-1"),
    ("anthropic", "claude-opus-4-6", "anthropic/claude-opus-4-6"),
    ("anthropic", "claude-opus-4-6[1m]", "anthropic/claude-opus-4-6"),
    ("anthropic", "claude-3-5-sonnet-latest", "anthropic/claude-3-5-sonnet"),
    ("anthropic", "claude-3-7-sonnet-latest", "anthropic/claude-3-7-sonnet-latest"),
    ("anthropic", "claude-3-haiku-20240307", "anthropic/claude-3-haiku"),
    ("anthropic", "claude-haiku-4-5-20251001", "anthropic/claude-haiku-4-5"),
    ("google", "gemini-2.5-pro", "google/gemini-2.5-pro"),
    ("google", "models/gemini-2.5-pro", "google/gemini-2.5-pro"),
    ("google", "gemini-2.5-pro-preview-05-06", "google/gemini-2.5-pro"),
    ("google", "gemini-2.5-flash-lite-preview-09-2025", "google/gemini-2.5-flash-lite"),
    ("google", "gemini-2.0-flash-001", "google/gemini-2.0-flash"),
    ("google", "gemini-1.5-pro-002", "google/gemini-1.5-pro"),
    ("google", "gemini-1.5-flash-latest", "google/gemini-1.5-flash"),
    ("google", "gemini-embedding-001", "google/gemini-embedding-001"),
    ("mistral", "mistral-large-2411", "mistral/mistral-large"),
    ("mistral", "magistral-medium-2509", "mistral/magistral-medium"),
    ("mistral", "codestral-2508", "mistral/codestral-2508"),
    ("cohere", "command-r-plus-08-2024", "cohere/command-r-plus"),
    ("cohere", "command-a-03-2025", "cohere/command-a"),
    ("deepseek", "deepseek-chat", "deepseek/deepseek-chat"),
    ("deepseek", "deepseek-reasoner", "deepseek/deepseek-reasoner"),
    ("x-ai", "grok-4-latest", "x-ai/grok-4-0709"),
    ("x-ai", "grok-3-mini-beta", "x-ai/grok-3-mini"),
    ("moonshotai", "kimi-k2.5", "moonshotai/kimi-k2.5"),
    ("minimax", "MiniMax-M2.5", "minimax/MiniMax-M2"),
    ("perplexity", "sonar-pro", "perplexity/sonar-pro"),
    ("voyageai", "voyage-3.5-lite", "voyageai/voyage-3.5-lite"),
    ("zai", "glm-4.6", "zai/GLM-4.6"),
    ("zhipuai", "glm-4.7", "zhipuai/GLM-4.7"),
    ("github-copilot", "claude-sonnet-4.6", "github-copilot/claude-sonnet-4.6"),
    ("cursor", "grok-4.5[fast=true]", "cursor/grok-4.5-fast"),
]
RELATIVES = [
    ("cohere", "command-a-plus-05-2026", "unknown"),
    ("cohere", "command-a-vision-07-2025", "unknown"),
    ("cohere", "command-light-nightly", "unknown"),
    ("openai", "gpt-4o-mini-tts-hd", "unknown"),
    ("openai", "gpt-4o-2025-12-31", "unknown"),
    ("openai", "gpt-4.1-turbo", "unknown"),
    ("openai", "gpt-5-nano-pro", "unknown"),
    ("openai", "gpt-4o-realtime-lite", "unknown"),
    ("openai", "llama-moderation-7b", "unknown"),
    ("openai", "gpt-oss-120b", "unknown"),
    ("anthropic", "claude-opus-4-6-fast", "unknown"),
    ("anthropic", "claude-opus-4-10", "unknown"),
    ("anthropic", "claude-sonnet-4-5-20250929-thinking", "unknown"),
    ("anthropic", "claude-3-5-sonnet-mini", "unknown"),
    ("anthropic", "claude-sonnet-5-pro", "unknown"),
    ("google", "gemini-1.5-flash-8b", "unknown"),
    ("google", "gemini-2.5-pro-exp-03-25", "unknown"),
    ("google", "gemini-2.0-flash-exp-image-generation", "unknown"),
    ("google", "gemini-3.6-flash-lite", "unknown"),
    ("google", "gemini-3.8-flash-cyber", "unknown"),
    ("google", "gemini-3.5-flash-8b", "unknown"),
    ("google", "gemini-2.5-computer-use-preview-10-2025", "unknown"),
    ("deepseek", "deepseek-chat-v3.1", "unknown"),
    ("deepseek", "deepseek-r1-distill-llama-70b", "unknown"),
    ("deepseek", "deepseek-v4-flash-vision-exp", "unknown"),
    ("mistral", "mixtral-8x7b-instruct-v0.1", "unknown"),
    ("mistral", "magistral-medium-latest", "unknown"),
    ("moonshotai", "kimi-k2.5-code", "unknown"),
    ("moonshotai", "kimi-k2-turbo-lite", "unknown"),
    ("minimax", "acme-m2.5-highspeed", "unknown"),
]
BY_THE_SELLERS_NAME = [
    ("OPENAI", "gpt-4o", "openai/gpt-4o"),
    ("openai.responses", "gpt-4o", "openai/gpt-4o"),
    ("OpenAI", "openai/gpt-4o", "openai/gpt-4o"),
    ("openai", "openai:gpt-4o", "openai/gpt-4o"),
    ("anthropic.messages", "claude-sonnet-4-0", "anthropic/claude-sonnet-4-0"),
    ("anthropic", "anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
    ("gcp.gemini", "gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("google.generative-ai", "gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("google-gla", "google-gla:gemini-2.0-flash", "google/gemini-2.0-flash"),
    ("gemini", "gemini/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("xai", "grok-3", "x-ai/grok-3"),
    ("xai", "x-ai/grok-4.3-20260430", "x-ai/grok-4.3"),
    ("mistral_ai", "mistral-embed", "mistral/mistral-embed"),
    ("mistralai", "mistral-large-2411", "mistral/mistral-large"),
    ("cohere_chat", "command-a-03-2025", "cohere/command-a"),
    ("moonshot", "moonshot/kimi-k2.5", "moonshotai/kimi-k2.5"),
    ("voyage", "voyage/voyage-3-lite", "voyageai/voyage-3-lite"),
    ("perplexity", "perplexity/sonar-pro", "perplexity/sonar-pro"),
    ("groq", "llama-3.3-70b-versatile", "groq/llama-3.3-70b-versatile"),
    ("groq", "openai/gpt-oss-20b", "groq/openai/gpt-oss-20b"),
    ("groq", "groq/openai/gpt-oss-20b", "groq/openai/gpt-oss-20b"),
    ("groq", "gpt-4o", "unknown"),
    ("together_ai", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "together/meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ("together_ai", "meta-llama/Llama-3.3-70B-Instruct", "unknown"),
    ("fireworks_ai", "accounts/fireworks/models/deepseek-v3p2", "fireworks/deepseek-v3p2"),
    ("fireworks", "deepseek-v3p2", "fireworks/deepseek-v3p2"),
    ("fireworks", "accounts/acme/models/deepseek-v3p2", "unknown"),
    ("cerebras", "gpt-oss-120b", "cerebras/gpt-oss-120b"),
    ("cloudflare", "@cf/meta/llama-3.2-1b-instruct", "cloudflare/@cf/meta/llama-3.2-1b-instruct"),
    ("databricks", "system.ai.gpt-oss-20b", "databricks/databricks-gpt-oss-20b"),
    ("huggingface_nebius", "openai/gpt-oss-120b", "huggingface_nebius/openai/gpt-oss-120b"),
    # Who is asked in a client of OpenAI's may be somebody else, whom the name says.
    ("openai", "anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4-5"),
    ("openai", "google/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("openai", "groq/llama-3.1-8b-instant", "groq/llama-3.1-8b-instant"),
    ("openai", "openrouter/openai/gpt-4o", "openrouter/openai/gpt-4o"),
    ("openai", "openrouter/deepseek/deepseek-r1:free", "openrouter/deepseek/deepseek-r1:free"),
    ("openai", "azure/prod-chat-eu", "unknown"),
    ("openai", "claude-sonnet-4-5", "unknown"),
    ("openai", "mistralai/Mistral-7B-Instruct-v0.2", "unknown"),
    ("openai", "moonshotai/Kimi-K2-Thinking", "unknown"),
    ("openai", "deepseek-ai/DeepSeek-V3", "unknown"),
    ("anthropic", "kimi-k2.5", "unknown"),
    # Not even the maker's list prices what somebody else sells.
    ("deepinfra", "deepseek-ai/DeepSeek-V3", "unknown"),
    ("nebius", "gpt-4o", "unknown"),
    ("nosuch", "gpt-4o", "unknown"),
    ("nosuch", "openai/gpt-4o", "unknown"),
    ("openai-compatible", "gpt-4o", "openai/gpt-4o"),
    ("litellm_proxy", "gpt-4o", "openai/gpt-4o"),
    ("langchain", "claude-haiku-4-5", "anthropic/claude-haiku-4-5"),
    ("acme openai gateway", "gpt-4o", "unknown"),
]
AT_OPENROUTER = [
    ("openrouter", "openai/gpt-4o", "openrouter/openai/gpt-4o"),
    ("openrouter", "openrouter/openai/gpt-4o", "openrouter/openai/gpt-4o"),
    ("openrouter", "anthropic/claude-sonnet-4.5", "openrouter/anthropic/claude-sonnet-4.5"),
    ("openrouter", "anthropic/claude-4.5-sonnet-20250929", "openrouter/anthropic/claude-sonnet-4.5"),
    ("openrouter", "anthropic/claude-3.5-sonnet:beta", "openrouter/anthropic/claude-3.5-sonnet"),
    ("openrouter", "anthropic/claude-3.7-sonnet:thinking", "openrouter/anthropic/claude-3.7-sonnet"),
    ("openrouter", "openai/gpt-4o:extended", "openrouter/openai/gpt-4o:extended"),
    ("openrouter", "openai/gpt-4o:batch", "openrouter/openai/gpt-4o:batch"),
    ("openrouter", "deepseek/deepseek-chat-v3.1", "openrouter/deepseek/deepseek-chat-v3.1"),
    ("openrouter", "deepseek/deepseek-chat-v3.1:free", "openrouter/deepseek/deepseek-chat-v3.1:free"),
    ("openrouter", "openrouter/acme/brand-new:free", "openrouter/acme/brand-new:free"),
    ("openrouter", "deepseek/deepseek-chat-v3.1:nitro", "unknown"),
    ("openrouter", "deepseek/deepseek-chat-v3.1:floor", "unknown"),
    ("openrouter", "deepseek/deepseek-chat-v3.1:exacto", "unknown"),
    ("openrouter", "openai/gpt-4o:online", "unknown"),
    ("openrouter", "openai/gpt-4o:thinking", "unknown"),
    ("openrouter", "anthropic/claude-sonnet-4-5", "unknown"),
    ("openrouter", "acme/brand-new", "unknown"),
    ("openrouter", "gpt-4o", "unknown"),
    ("google", "gemini-2.0-flash-exp:free", "unknown"),
    (None, "openrouter/anthropic/claude-sonnet-4.5", "openrouter/anthropic/claude-sonnet-4.5"),
    (None, "openrouter/deepseek/deepseek-r1:free", "openrouter/deepseek/deepseek-r1:free"),
    (None, "deepseek/deepseek-chat-v3.1:free", "unknown"),
]
LOCAL = [
    (None, "deepseek-r1:7b", "unknown"),
    (None, "deepseek-r1:latest", "unknown"),
    ("ollama", "deepseek-r1:7b", "unknown"),
    ("ollama", "deepseek-chat", "unknown"),
    ("deepseek", "deepseek-r1:7b", "unknown"),
    ("ollama", "llama3.1:8b-instruct-q4_K_M", "unknown"),
    (None, "ollama/mistral-nemo", "unknown"),
    (None, "ollama_chat/gpt-oss:20b", "unknown"),
    (None, "mistral:latest", "unknown"),
    (None, "mistral:7b", "unknown"),
    ("mistral", "mistral:7b", "unknown"),
    (None, "codestral:22b", "unknown"),
    (None, "command-r:35b", "unknown"),
    (None, "kimi-k2:1t-cloud", "unknown"),
    (None, "hf.co/bartowski/gemma-2-9b-it-GGUF:Q4_K_M", "unknown"),
    ("hosted_vllm", "/models/llama", "unknown"),
    ("hosted_vllm", "meta-llama/Llama-3-8B", "unknown"),
    ("vllm", "openai/gpt-oss-120b", "unknown"),
    (None, "hosted_vllm/mistralai/mistral-nemo", "unknown"),
    (None, "meta-llama/Meta-Llama-3.1-8B-Instruct", "unknown"),
    (None, "openai/gpt-oss-20b", "unknown"),
    (None, "moonshotai/Kimi-K2-Thinking", "unknown"),
    (None, "Qwen/Qwen3-32B", "unknown"),
    (None, "deepseek-r1-distill-qwen-7b.Q4_K_M.gguf", "unknown"),
    (None, "./models/mistral-7b", "unknown"),
    (None, "/data/deepseek-chat", "unknown"),
    ("lm_studio", "gpt-oss-20b", "unknown"),
    ("llamafile", "mistral-7b", "unknown"),
    ("openai", "gpt-oss:20b", "unknown"),
    ("local", "gpt-4o", "unknown"),
]
FINE_TUNED = [
    ("openai", "ft:gpt-4o-mini-2024-07-18:acme-org:support:AbCd123", "openai/ft:gpt-4o-mini"),
    ("openai", "ft:gpt-4o-mini-2024-07-18:acme::AbCd123:ckpt-step-88", "openai/ft:gpt-4o-mini"),
    ("openai", "ft:gpt-4o-mini-2024-07-18", "openai/ft:gpt-4o-mini"),
    ("openai", "ft:gpt-4o-2024-08-06:acme::A1", "openai/ft:gpt-4o"),
    ("openai", "ft:gpt-3.5-turbo-0125:acme::A1", "openai/ft:gpt-3.5-turbo-"),
    ("openai", "openai/ft:gpt-4o-2024-08-06:acme::A1", "openai/ft:gpt-4o"),
    (None, "ft:gpt-4o-2024-08-06:acme::A1", "openai/ft:gpt-4o"),
    (None, "openai/ft:gpt-4o-2024-08-06:acme::A1", "openai/ft:gpt-4o"),
    ("openai", "gpt-4o-mini-2024-07-18.ft-0a1b2c", "openai/gpt-4o-mini-2024-07-18.ft-"),
    ("openai", "ft:gpt-4-0613:acme::A1", "unknown"),
    ("openai", "ft:gpt-4.1-mini-2025-04-14:acme::A1", "unknown"),
    ("openai", "ft:gpt-4o:acme::A1", "unknown"),
    ("openai", "ft:gpt-3.5-turbo-instruct:acme::A1", "unknown"),
    ("openai", "ft:davinci-002:acme::A1", "unknown"),
    ("azure", "ft:gpt-4o-2024-08-06:acme::A1", "unknown"),
    ("azure", "gpt-4o-mini-2024-07-18.ft-0a1b2c", "unknown"),
    ("mistral", "ft:open-mistral-7b:587a6b29:20240514:7e773925", "unknown"),
    ("google", "tunedModels/my-gemini-abc123", "unknown"),
    ("google", "tunedModels/gemini-2.5-pro", "unknown"),
    ("google", "acme/models/gemini-2.5-pro", "unknown"),
    ("google", "projects/p/locations/us-central1/endpoints/456", "unknown"),
    ("google", "projects/p/locations/us-central1/models/123@1", "unknown"),
    ("together", "acme/Meta-Llama-3.1-8B-Instruct-Turbo-ft-1a2b", "unknown"),
    ("cohere", "6a2d-4f1e-ft", "unknown"),
]
AT_BEDROCK = [
    (
        "bedrock",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("aws", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    (
        "aws",
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "aws/global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    (
        None,
        "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    (None, "us.anthropic.claude-sonnet-4-20250514-v1:0", "aws/regional.anthropic.claude-sonnet-4-20250514-v1:0"),
    (
        "bedrock_converse",
        "bedrock/converse/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
        "aws/regional.anthropic.claude-3-7-sonnet-20250219-v1:0",
    ),
    (
        "anthropic",
        "us.anthropic.claude-sonnet-4-20250514-v1:0",
        "aws/regional.anthropic.claude-sonnet-4-20250514-v1:0",
    ),
    (
        "aws.bedrock",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-5-haiku-20241022-v1:0",
        "aws/regional.anthropic.claude-3-5-haiku-20241022-v1:0",
    ),
    (
        "aws.bedrock",
        "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.claude-opus-4-6-v1",
        "aws/regional.anthropic.claude-opus-4-6-v1:0",
    ),
    (
        None,
        "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/global.anthropic.claude-haiku-4-5-20251001-v1:0",
        "aws/global.anthropic.claude-haiku-4-5-20251001-v1:0",
    ),
    (
        "aws",
        "apac.anthropic.claude-3-5-sonnet-20241022-v2:0",
        "aws/regional.anthropic.claude-3-5-sonnet-20241022-v2:0",
    ),
    (
        "aws",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0[1m]",
        "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    ("aws", "amazon.nova-pro-v1:0", "aws/amazon.nova-pro-v1:0"),
    ("aws", "us.amazon.nova-lite-v1:0", "aws/amazon.nova-lite-v1:0"),
    ("aws", "us.meta.llama4-maverick-17b-instruct-v1:0", "aws/meta.llama4-maverick-17b-instruct-v1:0"),
    ("aws", "bedrock/us-east-1/meta.llama3-70b-instruct-v1:0", "aws/meta.llama3-70b-instruct-v1:0"),
    ("aws", "amazon.titan-embed-text-v2:0", "aws/amazon.titan-embed-text-v2:0"),
    ("aws", "openai.gpt-oss-120b-1:0", "aws/openai.gpt-oss-120b-1:0"),
    ("aws", "mistral.mistral-7b-instruct-v0:2", "aws/mistral.mistral-7b-instruct-v0:2"),
    # The owner's list, where Bedrock takes the owner's price.
    ("aws", "anthropic.claude-v2:1", "anthropic/claude-2"),
    ("aws", "mistral.mistral-large-2407-v1:0", "mistral/mistral-large"),
    ("aws", "global.openai.gpt-5.4", "openai/gpt-5.4"),
    ("aws", "minimax.minimax-m2.5", "minimax/MiniMax-M2"),
    # Dearer than any list says, by where it runs, or at another price than its owner's.
    ("aws", "us.openai.gpt-5.4", "unknown"),
    ("aws", "eu.amazon.nova-lite-v1:0", "unknown"),
    ("aws", "eu.meta.llama3-2-1b-instruct-v1:0", "unknown"),
    ("aws", "bedrock/sa-east-1/meta.llama3-70b-instruct-v1:0", "unknown"),
    ("aws", "bedrock/us-gov-west-1/anthropic.claude-3-7-sonnet-20250219-v1:0", "unknown"),
    ("aws", "cohere.command-r-plus-v1:0", "unknown"),
    ("aws", "deepseek.v3-v1:0", "unknown"),
    ("aws", "meta.llama3-1-405b-instruct-v1:0", "unknown"),
    # Provisioned throughput and what customers made is not billed by the token, or not at this price.
    ("aws", "anthropic.claude-3-sonnet-20240229-v1:0:28k", "unknown"),
    ("aws", "amazon.nova-lite-v1:0:300k", "unknown"),
    ("aws", "bedrock/us-east-1/1-month-commitment/anthropic.claude-v2:1", "unknown"),
    ("aws", "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc123", "unknown"),
    ("aws", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", "unknown"),
    ("aws", "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0/abc", "unknown"),
    ("aws", "arn:aws:bedrock:us-east-1:123456789012:imported-model/r4c4kewx2s0n", "unknown"),
    ("aws", "gpt-4o", "unknown"),
]
AT_VERTEX = [
    ("google-vertex", "publishers/google/models/gemini-2.5-pro", "google/gemini-2.5-pro"),
    (
        "vertex_ai",
        "projects/p-1/locations/us-central1/publishers/google/models/gemini-2.0-flash-001",
        "google/gemini-2.0-flash",
    ),
    (None, "projects/p-1/locations/global/publishers/google/models/gemini-2.5-flash", "google/gemini-2.5-flash"),
    (None, "vertex_ai/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("google", "google/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "google/claude-sonnet-4-5"),
    ("vertex_ai", "claude-sonnet-4@20250514", "google/claude-4-sonnet"),
    ("vertex_ai", "claude-3-5-sonnet-v2@20241022", "google/claude-3-5-sonnet"),
    ("vertex_ai", "publishers/anthropic/models/claude-opus-4-6", "google/claude-opus-4-6"),
    ("vertex_ai", "claude-opus-4-6@default", "google/claude-opus-4-6"),
    ("vertex_ai", "claude-sonnet-5@20260630", "anthropic/claude-sonnet-5"),
    ("vertex_ai", "vertex_ai/claude-haiku-4-5@20251001", "google/claude-haiku-4-5"),
    ("vertex_ai", "mistral-large-2411@001", "unknown"),
    ("vertex_ai", "meta/llama-3.1-405b-instruct-maas", "unknown"),
    ("vertex_ai", "deepseek-ai/deepseek-r1-0528-maas", "unknown"),
    ("vertex_ai", "gpt-4o", "unknown"),
]
AT_AZURE = [
    ("azure", "gpt-4o-2024-08-06", "openai/gpt-4o"),
    ("azure.ai.openai", "gpt-4.1-mini-2025-04-14", "openai/gpt-4.1-mini"),
    ("azure", "azure/gpt-4o-mini", "openai/gpt-4o-mini"),
    ("azure", "azure/global-standard/gpt-4o-2024-08-06", "openai/gpt-4o"),
    ("azure", "o3-mini", "azure/o3-mini"),
    ("azure", "o4-mini-2025-04-16", "azure/o4-mini"),
    ("azure", "gpt-35-turbo", "openai/gpt-3.5-turbo"),
    ("azure", "gpt-35-turbo-1106", "openai/gpt-3.5-turbo-1106"),
    ("azure", "text-embedding-ada-002", "azure/ada"),
    ("azure_ai", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
    ("azure_ai", "grok-3", "x-ai/grok-3"),
    ("azure_ai", "Phi-4", "azure/phi-4"),
    (None, "azure/gpt-4o", "openai/gpt-4o"),
    ("azure", "azure/eu/gpt-4o-2024-08-06", "unknown"),
    ("azure", "prod-chat-eu", "unknown"),
    ("azure", "acme-o4-mini", "unknown"),
    ("azure", "my-gpt-4o", "unknown"),
    ("azure_ai", "grok-3-mini", "unknown"),
    ("azure_ai", "DeepSeek-R1-0528", "unknown"),
    ("azure_ai", "gpt-oss-120b", "unknown"),
    ("azure_ai", "Cohere-command-r-plus-08-2024", "unknown"),
    ("azure_ai", "claude-opus-5-5-fast", "unknown"),
    (None, "azure/prod-chat-eu", "unknown"),
]
WITHOUT_A_PROVIDER = [
    (None, "gpt-4o", "openai/gpt-4o"),
    (None, "openai/gpt-4o", "openai/gpt-4o"),
    (None, "openai:gpt-4o", "openai/gpt-4o"),
    (None, "text-embedding-3-large", "openai/text-embedding-3-large"),
    (None, "claude-opus-4-6", "anthropic/claude-opus-4-6"),
    (None, "anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4-5"),
    (None, "anthropic:claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
    (None, "anthropic/claude-sonnet-4", "anthropic/claude-sonnet-4-0"),
    (None, "claude-2.1", "anthropic/claude-2"),
    (None, "google/gemma-4-31b-it", "unknown"),
    (None, "perplexity/sonar", "perplexity/perplexity/sonar"),
    (None, "gemini-2.5-flash", "google/gemini-2.5-flash"),
    (None, "gemini/gemini-2.5-flash", "google/gemini-2.5-flash"),
    (None, "mistral/mistral-large-2411", "mistral/mistral-large"),
    (None, "deepseek/deepseek-chat", "deepseek/deepseek-chat"),
    (None, "xai/grok-3", "x-ai/grok-3"),
    (None, "groq/llama-3.1-8b-instant", "groq/llama-3.1-8b-instant"),
    (None, "litellm_proxy/gpt-4o", "openai/gpt-4o"),
    (None, "litellm_proxy/azure/gpt-4o", "openai/gpt-4o"),
    (None, "together_ai/openai/gpt-oss-120b", "together/openai/gpt-oss-120b"),
    (None, "accounts/fireworks/models/gpt-oss-20b", "fireworks/gpt-oss-20b"),
    (None, "@cf/qwen/qwq-32b", "cloudflare/@cf/qwen/qwq-32b"),
    (None, "sonar-pro", "perplexity/sonar-pro"),
    (None, "command-a-plus-05-2026", "unknown"),
    (None, "claude-opus-9", "unknown"),
    (None, "openai/my-gateways-model", "unknown"),
    (None, "llama-3.3-70b-versatile", "unknown"),
    (None, "amazon/nova-lite-v1", "unknown"),
    (None, "glm-4.7", "unknown"),
    (None, "zai/glm-4.7", "zai/GLM-4.7"),
    (None, "github-copilot/claude-sonnet-4.6", "github-copilot/claude-sonnet-4.6"),
    (None, "composer-2.5", "unknown"),
    (None, "grok-4.5-fast", "unknown"),
    (None, "prod-chat-eu", "unknown"),
    (None, "", "unknown"),
    (None, "/", "unknown"),
    ("openai", "", "unknown"),
    ("openai", "/", "unknown"),
    ("openai", "openai/", "unknown"),
    ("openai", "gpt-4o" + "-" * 100_000, "unknown"),
]
ALL = [
    *AS_THEIR_MAKERS_WRITE_THEM, *RELATIVES, *BY_THE_SELLERS_NAME, *AT_OPENROUTER, *LOCAL, *FINE_TUNED, *AT_BEDROCK,
    *AT_VERTEX, *AT_AZURE, *WITHOUT_A_PROVIDER,
]  # fmt: skip


@pytest.mark.parametrize(("provider", "model", "expected"), ALL)
def test_whose_price_a_name_has(provider: str | None, model: str, expected: str) -> None:
    assert entry(provider, model) == expected


def test_what_is_free_at_openrouter_has_the_price_0() -> None:
    for model in ("deepseek/deepseek-r1:free", "acme/brand-new:free"):
        found = ENTRIES.entry("openrouter", model)
        assert found is not None
        assert found.model.prices == ModelPrice(input_mtok=Decimal(0), output_mtok=Decimal(0))


def test_every_name_of_a_list_has_the_price_that_the_package_finds() -> None:
    """But for open weights that their makers do not sell, and for names that the package does not find at all."""
    snapshot = get_snapshot()
    differing = []
    for provider in snapshot.providers:
        for model in provider.models:
            theirs = provider.find_model(model.id, all_providers=snapshot.providers)
            ours = ENTRIES.entry(provider.id, model.id)
            if (
                theirs is not None
                and not model.id.endswith(":free")
                and (ours is None or ours.model.prices != theirs.prices)
            ):
                differing.append((provider.id, model.id))
    assert {(provider, model) for provider, model in differing} == {
        ("google", "gemma-2-27b-it"),
        ("google", "gemma-3"),
        ("google", "gemma-3n"),
        ("google", "gemma-4-26b-a4b-it"),
        ("google", "gemma-4-31b-it"),
        ("openai", "gpt-oss-120b"),
        ("openai", "gpt-oss-20b"),
        ("openai", "gpt-oss-safeguard-20b"),
    }


def test_no_relative_has_the_price_of_one_that_is_listed() -> None:
    mistaken = []
    for provider in get_snapshot().providers:
        for model in provider.models:
            if is_fine_tune(model.id):
                continue  # its id is no whole name
            for more in (
                "-plus",
                "-mini",
                "-lite",
                "-turbo",
                "-vision",
                "-thinking",
                "-fast",
                "-tts",
                ":7b",
                "-8b",
                "2",
            ):
                name = f"{model.id.lower()}{more}"
                known = ENTRIES.entry(provider.id, name)
                if known is not None and known.model is model and f"'{name}'" not in repr(model.match).lower():
                    mistaken.append((provider.id, name))
    assert mistaken == []


@pytest.mark.parametrize(
    ("model", "default", "biller"),
    [
        ("gpt-4o", "openai", "openai"),
        ("gpt-4o", "azure", "azure"),
        ("gpt-4o", "azure_openai", "azure"),
        ("openai/gpt-4o", "openai", "openai"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", "aws"),
        ("claude-sonnet-4-5@20250929", "vertex_ai", "google"),
        ("openai/gpt-4o", "openrouter", "openrouter"),
        ("anthropic/claude-3.5-sonnet:beta", "openrouter", "openrouter"),
        ("llama-3.3-70b-versatile", "groq", "groq"),
        # Nobody lists it: the default's own.
        ("acme-private-7b", "openai", "openai"),
        ("prod-chat-eu", "azure", "azure"),
        ("gpt-9", "openai", "openai"),
        ("ft:gpt-4.1-mini-2025-04-14:acme::A1", "openai", "openai"),
        ("acme-private-7b", "acme cloud", "acme cloud"),
        # The name says who, or whose list has it.
        ("claude-sonnet-4-5", "openai", "anthropic"),
        ("anthropic/claude-sonnet-4.5", "openai", "anthropic"),
        ("anthropic/claude-sonnet-4", "openai", "anthropic"),
        ("anthropic:claude-sonnet-4-5", "openai", "anthropic"),
        ("gemini-2.5-flash", "openai", "google"),
        ("gpt-4o", "acme cloud", "openai"),
        ("bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "openai", "aws"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "openai", "aws"),
        ("amazon.nova-unheard-of-v1:0", "openai", "aws"),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", "openai", "aws"),
        ("bedrock/acme", "openai", "aws"),
        ("azure/prod-chat-eu", "openai", "azure"),
        ("litellm_proxy/azure/prod-chat-eu", "openai", "azure"),
        ("vertex_ai/claude-sonnet-4-5@20250929", "openai", "google"),
        ("publishers/google/models/gemini-2.5-pro", "openai", "google"),
        ("models/gemini-2.5-flash", "openai", "google"),
        ("models/llama-3", "openai", None),
        ("projects/p/locations/global/endpoints/456", "openai", "google"),
        ("tunedModels/my-gemini-abc", "openai", "google"),
        ("openrouter/acme/brand-new", "openai", "openrouter"),
        ("groq/acme", "openai", "groq"),
        ("accounts/fireworks/models/gpt-oss-20b", "openai", "fireworks"),
        # Somebody's, but whose is not known.
        ("llama-3.3-70b-versatile", "openai", None),
        ("openai/gpt-oss-20b", "openai", None),
        ("openai/my-gateways-model", "openai", None),
        ("anthropic/claude-3.5-sonnet:beta", "openai", None),
        ("meta-llama/Llama-3-8B", "openai", None),
        ("moonshotai/Kimi-K2-Thinking", "openai", None),
        ("google/gemma-4-31b-it", "openai", None),
        ("amazon/nova-lite-v1", "openai", None),
        ("deepseek/deepseek-chat-v3.1:free", "openai", None),
        ("glm-4.7", "openai", None),
        # A copy that somebody runs.
        ("deepseek-r1:7b", "openai", None),
        ("llama3.1:8b-instruct-q4_K_M", "openai", None),
        ("mistral:7b", "openai", None),
        ("codestral:22b", "openai", None),
        ("gpt-oss:20b", "openai", None),
        ("ollama/llama3", "openai", None),
        ("hosted_vllm/mistral-nemo", "openai", None),
        ("/models/llama", "openai", None),
        ("./llama", "openai", None),
        ("C:\\models\\llama", "openai", None),
        ("llama-3-8b.Q4_K_M.gguf", "openai", None),
        ("hf.co/bartowski/gemma-2-9b-it-GGUF", "openai", None),
    ],
)
def test_who_bills_what_was_pushed_without_a_provider(model: str, default: str, biller: str | None) -> None:
    assert ENTRIES.biller(model, default) == biller


def test_however_many_names_are_asked_for_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_entries, "_MOST_NAMES", 3)
    entries = PriceEntries(get_snapshot().providers)
    looked_up: list[str] = []
    monkeypatch.setattr(PriceList, "entry", lambda prices, name: looked_up.append(name))
    assert [entries.entry("openai", f"unknown-{number % 3}") for number in range(9)] == [None] * 9
    assert looked_up == ["unknown-0", "unknown-1", "unknown-2"]
    entries.entry("openai", "unknown-3")
    entries.entry("openai", "unknown-0")
    assert looked_up[3:] == ["unknown-3", "unknown-0"]
