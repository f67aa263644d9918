from __future__ import annotations

import pytest

from spendtop.sources.pollers import wrong_kind


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("sk-admin-canary", ""),
        ("sk-proj-canary", "The key looks like a project key of OpenAI; one that begins with sk-admin- is needed. "),
        (
            "sk-ant-admin01-canary",
            "The key looks like an admin key of Anthropic; one that begins with sk-admin- is needed. ",
        ),
        ("sk-ant-api03-canary", "The key looks like a workspace key of Anthropic; one that begins with sk-admin- is "),
        ("sk-or-v1-canary", "The key looks like a key of OpenRouter; one that begins with sk-admin- is needed. "),
        ("canary", "The key does not begin with sk-admin-. "),
    ],
)
def test_a_key_of_the_wrong_kind_is_named_and_never_shown(key: str, sentence: str) -> None:
    told = wrong_kind(key, "sk-admin-")
    assert told.startswith(sentence) and bool(told) is bool(sentence)
    assert "canary" not in told
