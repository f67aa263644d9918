"""Prepaid balances that are watched."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr

from spendtop.config.section import Section
from spendtop.config.types import Amount, Name, PollInterval, Secret, Texts
from spendtop.domain.clock import MINUTE


class AccountSettings(Section):
    """One prepaid balance at one provider."""

    name: Name
    """What screens and messages call it."""
    provider: Literal[
        "anthropic", "deepseek", "google", "moonshot", "novita", "openai", "openrouter", "siliconflow", "other"
    ]
    """Who holds the money; "other" for a balance that you keep by hand."""
    key: Secret = SecretStr("")
    """The provider's key that may read the balance, or an admin key of its own for openai and anthropic."""
    low_balance: Amount | None = None
    """A balance below this many US dollars is told once."""
    notify: Texts | None = None
    """Names of the channels that are told; absent = all, [] = none."""
    poll_every: PollInterval = 5 * MINUTE
    """How often the balance is read."""


class SourceSection(Section):
    """A section that a source declares. It may bring accounts that need no [[account]] of their own."""

    def implied_accounts(self) -> tuple[AccountSettings, ...]:
        """Accounts that exist by themselves once this section is filled in."""
        return ()
