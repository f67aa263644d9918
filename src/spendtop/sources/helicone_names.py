"""What Helicone calls providers, in webhooks and in its API alike."""

from __future__ import annotations

from spendtop.domain.untrusted import storable_name

_PROVIDERS = {
    "bedrock": "aws",
    "vertex": "google",
    "gemini": "google",
    "google_ai_studio": "google",
    "x": "x-ai",
    "xai": "x-ai",
    "togetherai": "together",
    "custom": None,
    "local": None,
}
"""Helicone's names, lower-cased, that are not ours. `custom` names no provider, so the model has to."""


def provider_named(helicone_name: str | None) -> str | None:
    """Our name of a provider that Helicone names; None for none."""
    if not helicone_name:
        return None
    lowered = helicone_name.lower()
    ours = _PROVIDERS.get(lowered, lowered)
    return storable_name(ours) if ours else None
