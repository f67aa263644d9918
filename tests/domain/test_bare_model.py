from __future__ import annotations

import pytest

from spendtop.domain.reports.merging import bare_model


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("gpt-4o", "gpt-4o"),
        ("GPT-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("openrouter/anthropic/claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
        ("claude-3-5-sonnet@20240620", "claude-3-5-sonnet"),
        ("claude-3-7-sonnet-latest", "claude-3-7-sonnet"),
        ("gpt-4-0613", "gpt-4"),
        ("gemini-1.5-pro-002", "gemini-1.5-pro"),
        ("gpt-4-1106-preview", "gpt-4-1106-preview"),
        ("llama-3.1-70b", "llama-3.1-70b"),
        ("o1-mini", "o1-mini"),
        ("", ""),
    ],
)
def test_a_bare_model_has_no_provider_in_front_and_no_release_behind(name: str, bare: str) -> None:
    assert bare_model(name) == bare
