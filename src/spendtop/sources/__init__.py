"""Where facts about requests come from. Receivers are pushed to; pollers pull. One file per source."""

from __future__ import annotations

from collections.abc import Mapping

from spendtop.domain.sources import HELICONE, Source
from spendtop.sources.pollers.anthropic_costs import AnthropicCosts
from spendtop.sources.pollers.balances import (
    DeepSeekBalance,
    KeyedBalance,
    MoonshotBalance,
    NovitaBalance,
    OpenRouterBalance,
    SiliconFlowBalance,
)
from spendtop.sources.pollers.openai_costs import OpenAICosts
from spendtop.sources.receivers import SignedReceiver
from spendtop.sources.receivers.helicone import HeliconeReceiver

SIGNED_RECEIVERS: Mapping[Source, type[SignedReceiver]] = {
    HELICONE: HeliconeReceiver,
}

COST_POLLERS: Mapping[str, type[OpenAICosts] | type[AnthropicCosts]] = {
    "openai": OpenAICosts,
    "anthropic": AnthropicCosts,
}
"""Provider to what reads its bills, as `CostPoller`."""

BALANCE_POLLERS: Mapping[str, type[KeyedBalance]] = {
    "deepseek": DeepSeekBalance,
    "moonshot": MoonshotBalance,
    "novita": NovitaBalance,
    "openrouter": OpenRouterBalance,
    "siliconflow": SiliconFlowBalance,
}
"""Provider to what reads a balance there, as `BalancePoller`."""
