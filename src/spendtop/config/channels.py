"""Where messages go: one Apprise URL per channel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, SecretStr

from spendtop.config.channel_urls import refusal
from spendtop.config.section import Section
from spendtop.config.types import Name, Secret


def _checked(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    reason = refusal(url) if url else "must not be empty"
    if reason is not None:
        raise ValueError(reason)
    return secret


class ChannelSettings(Section):
    """One place that messages go to: one Apprise URL, one recipient."""

    name: Name
    """What `notify` of limits and accounts calls it."""
    url: Annotated[Secret, AfterValidator(_checked)]
    """An Apprise URL, or the webhook address that Slack or Discord gave you."""
    min_severity: Literal["info", "warning", "critical"] = "info"
    """Sends only messages of at least this severity: approaching is "warning", exceeded is "critical"."""
