"""Which kind of key a key is, by how it begins; so that one in the wrong place can be named without showing it."""

from __future__ import annotations

from collections.abc import Mapping

_KINDS: Mapping[str, str] = {
    "sk-admin-": "an admin key of OpenAI",
    "sk-proj-": "a project key of OpenAI",
    "sk-svcacct-": "a service-account key of OpenAI",
    "sk-ant-admin": "an admin key of Anthropic",
    "sk-ant-": "a workspace key of Anthropic",
    "sk-or-": "a key of OpenRouter",
    "sk-helicone-": "a key of Helicone",
    "pk-helicone-": "a key of Helicone",
}
"""Longer beginnings stand before the shorter ones that they hold."""


def wrong_kind(key: str, beginning: str) -> str:
    """A sentence about a key that does not begin as it should, ready to stand before others; empty for one that does.

    The key itself is not in it.
    """
    if key.startswith(beginning):
        return ""
    for prefix, kind in _KINDS.items():
        if key.startswith(prefix):
            return f"The key looks like {kind}; one that begins with {beginning} is needed. "
    return f"The key does not begin with {beginning}. "
