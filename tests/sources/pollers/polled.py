"""What single polls tell, in the shape that tests compare."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

from spendtop.domain.clock import DAY, to_datetime, to_micros
from spendtop.domain.ledger.amounts import total
from spendtop.domain.limits.provider_limits import ProviderLimit
from spendtop.domain.money import Usd
from spendtop.sources.pollers import CostPoller, Costs, LimitPoller
from spendtop.sources.pollers.http_client import FetchBounds
from spendtop.sources.pollers.openai.limits import OpenAILimits
from tests.provider_pages import FakeApi, page

ONCE = FetchBounds(attempts=1)
NOW = to_micros(datetime(2026, 11, 28, 12, tzinfo=UTC))
TODAY = NOW // DAY
ORGANIZATION = "/v1/organization"
OPENAI = {
    f"{ORGANIZATION}/spend_limit": page("openai/spend_limit"),
    f"{ORGANIZATION}/spend_alerts": page("openai/spend_alerts"),
    f"{ORGANIZATION}/projects": page("openai/projects"),
    f"{ORGANIZATION}/projects/proj_checkout/spend_limit": page("openai/project_spend_limit"),
}


def by_day(costs: Costs, *names: str) -> dict[tuple[str, ...], Usd]:
    """What each day cost, and each of these on it."""
    amounts: defaultdict[tuple[str, ...], list[Decimal]] = defaultdict(list)
    for part in costs.parts:
        date = f"{to_datetime(part.day * DAY):%Y-%m-%d}"
        amounts[date, *(getattr(part, name) for name in names)].append(part.amount)
    return {key: total(each) for key, each in amounts.items()}


async def told(poller: LimitPoller) -> list[ProviderLimit]:
    return [*(await poller.limits(NOW)).limits]


async def billed(poller: CostPoller, days: int = 2) -> dict[tuple[int, str, str], Decimal]:
    """US dollars by day (0 is today, -1 yesterday), project and line item."""
    costs = await poller.costs(TODAY - days + 1, TODAY)
    return {(each.day - TODAY, each.project, each.line_item): each.amount for each in costs.parts}


def openai(fake: FakeApi) -> OpenAILimits:
    return OpenAILimits("sk-admin-canary", fake.url, bounds=ONCE)
