"""Which reader belongs to which source of requests, to whose bills and to whose balances."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from spendtop.domain.clock import HOUR
from spendtop.domain.discreet import Discreet
from spendtop.domain.sources.records import AGENT_PUSHES, HELICONE, HELICONE_API, INGEST, LITELLM, OTLP
from spendtop.sources.agents import AgentReader
from spendtop.sources.agents.amp import AmpReader
from spendtop.sources.agents.claude_code import ClaudeCodeReader
from spendtop.sources.agents.codex import CodexReader
from spendtop.sources.agents.copilot_cli import CopilotCliReader
from spendtop.sources.agents.droid import DroidReader
from spendtop.sources.agents.gemini_cli import GeminiCliReader
from spendtop.sources.agents.opencode import OpencodeReader
from spendtop.sources.agents.qwen_code import QwenCodeReader
from spendtop.sources.pollers import CostPoller, LimitPoller, RequestPoller
from spendtop.sources.pollers.anthropic.limits import AnthropicLimits
from spendtop.sources.pollers.anthropic.report import AnthropicReport
from spendtop.sources.pollers.azure import AzureBills
from spendtop.sources.pollers.balances import (
    DeepSeekBalance,
    KeyedBalance,
    MoonshotBalance,
    NovitaBalance,
    OpenRouterBalance,
    SiliconFlowBalance,
)
from spendtop.sources.pollers.bedrock.costs import BedrockBills
from spendtop.sources.pollers.cursor import CursorBills, CursorLimits
from spendtop.sources.pollers.deepinfra import DeepInfraBalance, DeepInfraLimits
from spendtop.sources.pollers.fireworks import FireworksBills
from spendtop.sources.pollers.github_copilot import CopilotBills
from spendtop.sources.pollers.helicone.requests import HeliconeApi
from spendtop.sources.pollers.litellm.activity import LitellmActivity
from spendtop.sources.pollers.litellm.limits import LitellmLimits
from spendtop.sources.pollers.openai.bills import OpenAIBills
from spendtop.sources.pollers.openai.limits import OpenAILimits
from spendtop.sources.pollers.openrouter.activity import OpenRouterActivity
from spendtop.sources.pollers.openrouter.limits import OpenRouterLimits
from spendtop.sources.pollers.xai import XaiBalance, XaiBills
from spendtop.sources.receivers import BatchReceiver, SignedReceiver
from spendtop.sources.receivers.agents import AgentReceiver
from spendtop.sources.receivers.helicone import HeliconeReceiver
from spendtop.sources.receivers.ingest import IngestReceiver
from spendtop.sources.receivers.litellm import LitellmReceiver
from spendtop.sources.receivers.otlp.receiver import OtlpReceiver


class Readers(Struct, frozen=True, eq=False):
    """What reads the sources that report requests, by the source's name."""

    signed: Mapping[str, type[SignedReceiver]]
    """Those that sign each event."""
    batches: Mapping[str, type[BatchReceiver]]
    """Those that post with an ingest key."""
    asked: Mapping[str, type[RequestPoller]]
    agents: Mapping[str, type[AgentReader]]
    """Those that read what coding agents keep on this machine."""


READERS = Readers(
    signed={HELICONE.name: HeliconeReceiver},
    batches={
        INGEST.name: IngestReceiver,
        LITELLM.name: LitellmReceiver,
        OTLP.name: OtlpReceiver,
        AGENT_PUSHES.name: AgentReceiver,
    },
    asked={HELICONE_API.name: HeliconeApi},
    agents={
        reader.name: reader
        for reader in (
            ClaudeCodeReader,
            CodexReader,
            GeminiCliReader,
            OpencodeReader,
            CopilotCliReader,
            AmpReader,
            QwenCodeReader,
            DroidReader,
        )
    },
)

COST_POLLERS: Mapping[str, type[OpenAIBills] | type[AnthropicReport]] = {
    "openai": OpenAIBills,
    "anthropic": AnthropicReport,
}
"""Provider to what reads its bills, as `CostPoller`."""


class Access(Discreet, frozen=True):
    """With what an account is asked, from which address, and whose bills."""

    key: str
    base_url: str
    scope: str = ""
    region: str = ""


class AccountBills(Struct, frozen=True):
    """How the bills of an account are read whose key stands with it."""

    poller: Callable[[Access], CostPoller]
    trailing: int
    """Days that are read at each poll."""
    every: int = 0
    """The least time between two polls, µs."""


def _by_key(poller: Callable[[str, str], CostPoller]) -> Callable[[Access], CostPoller]:
    """For those whose key sees one account only."""
    return lambda access: poller(access.key, access.base_url)


def _by_scope(poller: Callable[[str, str, str], CostPoller]) -> Callable[[Access], CostPoller]:
    return lambda access: poller(access.key, access.base_url, access.scope)


def _bedrock(access: Access) -> CostPoller:
    return BedrockBills(access.key, access.base_url, access.scope, access.region)


ACCOUNT_BILLS: Mapping[str, AccountBills] = {
    "azure": AccountBills(_by_scope(AzureBills), trailing=7, every=12 * HOUR),
    "bedrock": AccountBills(_bedrock, trailing=3, every=12 * HOUR),
    "cursor": AccountBills(_by_key(CursorBills), trailing=2, every=HOUR),
    "fireworks": AccountBills(_by_scope(FireworksBills), trailing=1, every=HOUR),
    "github-copilot": AccountBills(_by_scope(CopilotBills), trailing=2, every=12 * HOUR),
    "litellm": AccountBills(_by_key(LitellmActivity), trailing=1),
    "openrouter": AccountBills(_by_key(OpenRouterActivity), trailing=30, every=8 * HOUR),
    "xai": AccountBills(_by_scope(XaiBills), trailing=30, every=HOUR),
}
"""By provider."""

LIMIT_POLLERS: Mapping[str, Callable[[str, str], LimitPoller]] = {
    "openai": OpenAILimits,
    "anthropic": AnthropicLimits,
    "openrouter": OpenRouterLimits,
    "litellm": LitellmLimits,
    "cursor": CursorLimits,
    "deepinfra": DeepInfraLimits,
}
"""Provider to what reads its limits with a key, from an address."""

BALANCE_POLLERS: Mapping[str, type[KeyedBalance]] = {
    "deepinfra": DeepInfraBalance,
    "deepseek": DeepSeekBalance,
    "moonshot": MoonshotBalance,
    "novita": NovitaBalance,
    "openrouter": OpenRouterBalance,
    "siliconflow": SiliconFlowBalance,
    "xai": XaiBalance,
}
"""Provider to what reads a balance there, as `BalancePoller`."""
