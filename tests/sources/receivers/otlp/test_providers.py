"""Who bills a call."""

from __future__ import annotations

from itertools import pairwise

import pytest

from spendtop.domain.pricing.catalogue import PublishedPrices
from spendtop.domain.pricing.pricer import Terms
from spendtop.sources.receivers.otlp.attributes import readable
from spendtop.sources.receivers.otlp.providers import provider
from tests.otlp_posts import ARRIVAL


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
    assert provider({"gen_ai.provider.name": given}) == ours
    assert PublishedPrices()(ours, model, Terms(), ARRIVAL) is not None


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("openai.embedding", "openai"),
        ("anthropic.messages", "anthropic"),
        ("google.generative-ai", "google"),
        ("google.vertex.chat", "google"),
        ("google.vertex.anthropic.messages", "google"),
        ("vertex.anthropic.messages", "google"),
        ("amazon-bedrock", "aws"),
        ("bedrock.anthropic.messages", "aws"),
        ("azure-openai.chat", "azure"),
        ("azure.responses", "azure"),
        ("xai.chat", "x-ai"),
        ("mistral.chat", "mistral"),
        ("togetherai.chat", "together"),
        ("cohere.textEmbedding", "cohere"),
        ("gcp.gen_ai", "google"),
        ("gcp.vertex.agent", "google"),
        ("google_genai", "google"),
        ("google-gla", "google"),
        ("amazon_bedrock", "aws"),
        ("bedrock_converse", "aws"),
        ("ibm.watsonx.ai", "ibm.watsonx.ai"),
        ("Some Host", "some host"),
        ("chat", "chat"),
        ("strands-agents", None),
        ("semantic_kernel", None),
        ("", None),
    ],
)
def test_names_of_instrumentations(given: str, ours: str | None) -> None:
    assert provider({"gen_ai.system": given}) == ours


def test_providers_in_their_order() -> None:
    order = ["gen_ai.provider.name", "gen_ai.system", "llm.provider", "ai.model.provider", "llm.system"]
    for better, worse in pairwise(order):
        assert provider({worse: "groq", better: "openai"}) == "openai"
        assert provider({worse: "groq", better: "langchain"}) == "groq"
    assert provider({}) is None


def test_what_langchain_knows_is_better_than_what_langsmith_guesses() -> None:
    assert provider({"gen_ai.system": "anthropic", "langsmith.metadata.ls_provider": "amazon_bedrock"}) == "aws"
    assert provider(readable({"metadata": '{"ls_provider":"azure"}', "llm.system": "openai"})) == "azure"


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("api.openai.com", "openai"),
        ("our-resource.openai.azure.com", "azure"),
        ("https://our-resource.services.ai.azure.com/models", "azure"),
        ("openrouter.ai", "openrouter"),
        ("https://openrouter.ai/api/v1/", "openrouter"),
        ("api.groq.com:443", "groq"),
        ("bedrock-runtime.us-east-1.amazonaws.com", "aws"),
        ("us-east5-aiplatform.googleapis.com", "google"),
        ("API.DeepSeek.com", "deepseek"),
        ("127.0.0.1", "openai"),
        ("http://localhost:4000", "openai"),
        ("notopenrouter.ai", "openai"),
        ("openrouter.ai.example.com", "openai"),
        ("", "openai"),
    ],
)
def test_who_is_called_bills_whatever_client_is_used(address: str, ours: str) -> None:
    assert provider({"gen_ai.provider.name": "openai", "server.address": address}) == ours
