"""Accounts at providers, and what a source's own section may say of them."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import SecretStr, model_validator

from spendtop.config.types import Amount, Name, OptionalHttpUrl, PollInterval, Secret, Section, Texts
from spendtop.domain.clock import MINUTE

_REGION = re.compile(r"[a-z]{2,3}(-[a-z]+)+-[0-9]{1,2}")
_SCOPES = {
    "azure": "whose costs are read, such as subscriptions/ID",
    "github-copilot": "the name of the organization",
    "xai": "the id of the team",
}
"""Providers that cannot be asked without it."""


class AccountSettings(Section):
    """One account at one provider: its balance, its bills and its limits, as far as the provider tells them."""

    name: Name
    """What screens and messages call it."""
    provider: Literal[
        "anthropic",
        "azure",
        "bedrock",
        "cursor",
        "deepinfra",
        "deepseek",
        "fireworks",
        "github-copilot",
        "google",
        "litellm",
        "moonshot",
        "novita",
        "openai",
        "openrouter",
        "siliconflow",
        "xai",
        "other",
    ]
    """Who holds the money; "other" for a balance that you keep by hand."""
    key: Secret = SecretStr("")
    """The provider's key that may read the balance, or an admin key of its own for openai, anthropic and litellm."""
    base_url: OptionalHttpUrl = ""
    """Address of the provider's API; empty = its own. A LiteLLM proxy has none but yours."""
    scope: str = ""
    """Whose bills, where the provider asks that: xAI's team, GitHub's organization, Azure's subscriptions/ID, the slug
    at Fireworks; for bedrock a tag to split by, such as iamPrincipal/team."""
    region: str = ""
    """Of a bedrock account: the region whose calls and tokens CloudWatch counts, such as us-east-1, at $0.01 for a
    thousand metrics; empty = they are not asked for."""
    tier: Literal[1, 2, 3] | None = None
    """Of a google account: the tier of its billing account, whose monthly cap is then shown among the limits."""
    low_balance: Amount | None = None
    """A balance below this many US dollars is told once."""
    notify: Texts | None = None
    """Names of the channels that are told; absent = all, [] = none."""
    poll_every: PollInterval = 5 * MINUTE
    """How often the balance is read."""

    @model_validator(mode="after")
    def _enough_to_ask(self) -> AccountSettings:
        """What a provider cannot be asked without is there as soon as a key is."""
        if self.key and self.provider == "litellm" and not self.base_url:
            raise ValueError('needs base_url, the address of your LiteLLM proxy, such as "http://localhost:4000"')
        if self.key and self.provider in _SCOPES and not self.scope:
            raise ValueError(f"needs scope, {_SCOPES[self.provider]}")
        if self.region and (self.provider != "bedrock" or not _REGION.fullmatch(self.region)):
            raise ValueError("has a region, which is one of AWS such as us-east-1, and only of a bedrock account")
        if self.tier is not None and self.provider != "google":
            raise ValueError("has a tier, which only a google account can have")
        return self


class SourceSection(Section):
    """A section that a source declares. It may bring accounts that need no [[account]] of their own."""

    def implied_accounts(self) -> tuple[AccountSettings, ...]:
        """Accounts that exist by themselves once this section is filled in."""
        return ()
