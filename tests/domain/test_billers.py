from __future__ import annotations

import pytest
from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

from spendtop.domain.billers import biller_named


@pytest.mark.parametrize("provider", [each.id for each in get_snapshot().providers])
def test_every_price_list_has_its_own_name(provider: str) -> None:
    assert biller_named(provider) == provider


@pytest.mark.parametrize(
    ("name", "biller"),
    [
        ("OPENAI", "openai"),
        (" openai ", "openai"),
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("text-completion-openai", "openai"),
        ("anthropic.messages", "anthropic"),
        ("aws.bedrock", "aws"),
        ("amazon-bedrock", "aws"),
        ("AWS Bedrock", "aws"),
        ("bedrock_converse", "aws"),
        ("azure.ai.openai", "azure"),
        ("az.ai.inference", "azure"),
        ("azure_ai", "azure"),
        ("azure-openai.responses", "azure"),
        ("gcp.vertex_ai", "google"),
        ("gcp.vertex.agent", "google"),
        ("google.generative-ai", "google"),
        ("google.vertex.chat", "google"),
        ("google-gla", "google"),
        ("vertex_ai_beta", "google"),
        ("GOOGLE_AI_STUDIO", "google"),
        ("xai.chat", "x-ai"),
        ("X", "x-ai"),
        ("mistral.chat", "mistral"),
        ("mistral_ai", "mistral"),
        ("cohere_chat", "cohere"),
        ("TOGETHER", "together"),
        ("together_ai", "together"),
        ("fireworks_ai", "fireworks"),
        ("moonshot", "moonshotai"),
        ("voyage", "voyageai"),
        ("z.ai", "zai"),
        ("github_copilot", "github-copilot"),
        ("meta_llama", "meta"),
        ("CUSTOM", None),
        ("litellm_proxy", None),
        ("openai-compatible", None),
        ("langchain", None),
        ("", None),
        (None, None),
        ("Ollama", "ollama"),
        ("hosted_vllm", "hosted_vllm"),
        ("local", "local"),
        ("my.chat", "my.chat"),
        ("openai-gateway", "openai-gateway"),
    ],
)
def test_who_is_meant(name: str | None, biller: str | None) -> None:
    assert biller_named(name) == biller


def test_no_name_means_another_than_the_package_takes_it_for() -> None:
    for name in ("amazon", "bedrock", "google-vertex", "gemini", "together_ai", "xai", "mistral_ai", "moonshot_ai"):
        theirs = find_provider_by_id(get_snapshot().providers, name)
        assert theirs is not None
        assert biller_named(name) == theirs.id
