from __future__ import annotations

import pytest

from spendtop.domain.model_names import family, is_local


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("gpt-4o", "gpt-4o"),
        ("GPT-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-5.2-20251211", "gpt-5.2"),
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("claude-opus-4-6@default", "claude-opus-4-6"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("bedrock/global.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("us-gov.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet"),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku"),
        ("us.amazon.nova-pro-v1:0", "nova-pro"),
        ("anthropic.claude-v2:1", "claude-v2:1"),
        ("amazon.titan-embed-text-v2:0", "titan-embed-text-v2:0"),
        ("projects/p/locations/global/publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("openrouter/anthropic/claude-3.5-sonnet", "claude-3.5-sonnet"),
        ("accounts/fireworks/models/deepseek-v3p2", "deepseek-v3p2"),
        ("@cf/meta/llama-3.2-1b-instruct", "llama-3.2-1b-instruct"),
        ("mistral-large-2411", "mistral-large-2411"),
        ("mistral-large-2411@001", "mistral-large-2411"),
        ("gpt-4-0613", "gpt-4-0613"),
        ("gemini-1.5-pro-002", "gemini-1.5-pro-002"),
        ("gemini-2.5-pro-preview-05-06", "gemini-2.5-pro-preview-05-06"),
        ("deepseek-r1:7b", "deepseek-r1:7b"),
        ("deepseek/deepseek-chat:free", "deepseek-chat:free"),
        ("ft:gpt-4o-mini-2024-07-18:acme::A1", "ft:gpt-4o-mini-2024-07-18:acme::a1"),
        ("/models/llama", "llama"),
        ("models/", "models/"),
        ("latest", "latest"),
        ("@20250929", "@20250929"),
        ("", ""),
    ],
)
def test_a_family_is_the_model_without_seller_and_release(name: str, of: str) -> None:
    assert family(name) == of
    assert family(of) == of


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("llama3:8b", True),
        ("/models/llama", True),
        ("~/llama", True),
        ("C:\\models\\llama", True),
        ("llama-3-8b.Q4_K_M.gguf", True),
        ("hf.co/bartowski/gemma-2-9b-it-GGUF", True),
        ("file:///models/llama", True),
        ("gpt-4o", False),
        ("meta-llama/Llama-3-8B", False),
        ("ft:gpt-4o-2024-08-06:acme::A1", False),
    ],
)
def test_local_names(name: str, local: bool) -> None:
    assert is_local(name) is local
