"""The sections of the configuration that sources declare. A source is handed its own section and nothing else."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from spendtop.config.account_settings import AccountSettings, SourceSection
from spendtop.config.types import Duration, HttpUrl, PollInterval, Secret, Secrets, Section, Texts, http_url
from spendtop.domain.clock import DAY, MINUTE
from spendtop.domain.money import Usd
from spendtop.domain.sources.records import AGENTS

_LOW_BALANCE = Usd.of(10)
"""Of accounts that exist by themselves."""


class HeliconeSettings(SourceSection):
    """Helicone: its webhook, and its API for what the webhook missed."""

    api_key: Secret = SecretStr("")
    """Helicone's API key; with it missed requests are fetched and sessions are known."""
    webhook_secrets: Secrets = ()
    """Signing secrets of the webhook; several while one replaces another."""
    base_url: HttpUrl = "https://api.helicone.ai"
    """Address of Helicone's API."""
    poll_every: PollInterval = 5 * MINUTE
    """How often the API is asked."""
    backfill: Duration = 30 * DAY
    """How far back the first poll goes."""
    allow_unsigned: bool = False
    """Takes webhooks without a signature; for experiments only."""


class IngestSettings(SourceSection):
    """What clients push themselves to /ingest."""

    default_provider: str = Field(default="openai", min_length=1)
    """Provider of pushed requests that name none, where the model is on its list or on nobody's."""
    token_length: int = Field(default=22, ge=8, le=128)
    """Characters of a generated tracking token."""
    max_age: Duration = 35 * DAY
    """Pushed requests older than this are refused."""
    naive_times: Literal["refuse", "utc"] = "refuse"
    """"utc" takes times without a zone as UTC, and old ones as far as requests are kept, both marked as suspect, as
    `/log` always does."""


class OpenAISettings(SourceSection):
    """OpenAI: what it billed, from its cost API."""

    admin_key: Secret = SecretStr("")
    """An admin key (sk-admin-...); with it the account "openai" exists by itself, with low_balance = 10."""
    base_url: HttpUrl = "https://api.openai.com"
    """Address of OpenAI's API."""
    poll_every: PollInterval = 15 * MINUTE
    """How often the costs are read."""
    billing_page: Literal["same_lag", "realtime"] = "same_lag"
    """Whether the billing page lags like the cost API, or is "realtime": calibrations then settle after 48 hours."""
    epoch: date | None = Field(default=None, examples=[date(2026, 11, 1)])
    """First day whose costs are read; absent = first of the month of the first start."""

    def implied_accounts(self) -> tuple[AccountSettings, ...]:
        """The account `openai`, once its costs can be read."""
        if not self.admin_key:
            return ()
        return (AccountSettings(name="openai", provider="openai", low_balance=_LOW_BALANCE),)


class AnthropicSettings(SourceSection):
    """Anthropic: what it billed, from its cost report."""

    admin_key: Secret = SecretStr("")
    """An admin key (sk-ant-admin...); with it the account "anthropic" exists by itself, with low_balance = 10."""
    base_url: HttpUrl = "https://api.anthropic.com"
    """Address of Anthropic's API."""
    poll_every: PollInterval = 15 * MINUTE
    """How often the costs are read."""

    def implied_accounts(self) -> tuple[AccountSettings, ...]:
        """The account `anthropic`, once its costs can be read."""
        if not self.admin_key:
            return ()
        return (AccountSettings(name="anthropic", provider="anthropic", low_balance=_LOW_BALANCE),)


def push_address(text: str) -> str:
    """Another collector's address; empty is none. Raises ValueError for what goes over a network in the clear."""
    host = urlsplit(text).hostname or ""
    if urlsplit(text).scheme == "http" and not _is_this_machine(host):
        raise ValueError("must begin with https:// as it is another host: over http:// anybody on the way reads along")
    return text and http_url(text)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class AgentSettings(Section):
    """One coding agent."""

    enabled: bool = True
    """Whether its files are read."""
    homes: Texts = ()
    """Home folders in which it is looked for; empty = those of [agents]."""
    billing: Literal["api", "subscription", "unknown"] = "unknown"
    """"api": its calls are spend, also those that are recorded already. Otherwise they are usage under a plan, which is
    in no total of spend."""


class AgentsSettings(SourceSection):
    """Coding agents on this machine: the calls that their files tell of."""

    enabled: bool = True
    """Whether files of coding agents are looked for."""
    homes: Texts = ()
    """Home folders in which they are looked for; empty = your own."""
    bodies: bool = False
    """Whether texts are kept, too, and sent where push_to leads: what was written to an agent and what it answered, not
    its reasoning nor what its tools gave back; masked before they are sent, and as [privacy] says. Of Claude Code and
    Codex, from then on; `spendtop agents rescan` has those of before. The collector that they are sent to keeps them
    where it says so as well."""
    push_to: Annotated[str, AfterValidator(push_address)] = ""
    """Address of another collector that gets all calls of this machine, too; https, but for this machine itself."""
    push_key: Secret = SecretStr("")
    """An ingest key of that collector."""
    claude_code: AgentSettings = Field(default_factory=AgentSettings, alias="claude-code")
    """Claude Code."""
    codex: AgentSettings = Field(default_factory=AgentSettings)
    """Codex."""
    gemini_cli: AgentSettings = Field(default_factory=AgentSettings, alias="gemini-cli")
    """Gemini CLI."""
    opencode: AgentSettings = Field(default_factory=AgentSettings)
    """opencode."""
    copilot_cli: AgentSettings = Field(default_factory=AgentSettings, alias="copilot-cli")
    """Copilot CLI, where it exports to files."""
    amp: AgentSettings = Field(default_factory=AgentSettings)
    """Amp."""
    qwen_code: AgentSettings = Field(default_factory=AgentSettings, alias="qwen-code")
    """Qwen Code."""
    droid: AgentSettings = Field(default_factory=AgentSettings)
    """Droid, which keeps sums of sessions only."""

    def of(self, agent: str) -> AgentSettings:
        """What holds for the agent of this name."""
        settings: AgentSettings = getattr(self, agent.replace("-", "_"))
        return settings

    def homes_by_agent(self, own: Path) -> dict[str, list[Path]]:
        """Where each agent is looked for that is to be read; `own` is the user's own home."""
        if not self.enabled:
            return {}
        chosen = {agent.name: each for agent in AGENTS if (each := self.of(agent.name)).enabled}
        homes = {name: each.homes or self.homes for name, each in chosen.items()}
        return {name: [Path(each).expanduser() for each in named] or [own] for name, named in homes.items()}


SECTIONS: dict[str, type[Section]] = {
    "helicone": HeliconeSettings,
    "ingest": IngestSettings,
    "openai": OpenAISettings,
    "anthropic": AnthropicSettings,
    "agents": AgentsSettings,
}
"""Section name to the class that declares it."""
