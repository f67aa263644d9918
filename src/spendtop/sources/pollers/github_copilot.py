"""GitHub Copilot: what an organization was charged per UTC day, by model.

`GET api.github.com/organizations/{org}/settings/billing/ai_credit/usage?year&month&day`, and `premium_request/usage`
where that is not known: `netAmount`, in US dollars, is what is charged after what the plan includes. A day late, 24
months back. Needs a token with the organization's Administration (read).
"""

from __future__ import annotations

from msgspec import Struct

from spendtop.domain.clock import DAY, to_datetime
from spendtop.sources.pollers import Costs, PollFailed
from spendtop.sources.pollers.cost_pages import DOLLAR, Billed
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Rejected, shaped

_WHO = "GitHub"
_FARTHEST = 31
"""Days that are read back at most: each is a question."""
_ROUTES = ("ai_credit/usage", "premium_request/usage")
_NO_ORGANIZATION = "GitHub asks which organization it is about: set its name as scope of the account."


class _UsageItem(Struct, frozen=True):
    netAmount: object = None
    sku: str | None = None
    model: str | None = None
    user: str | None = None


class _UsageItems(Struct, frozen=True):
    usageItems: list[_UsageItem]


class CopilotBills:
    """Reads the bills of one organization: a question for each day."""

    def __init__(self, key: str, base_url: str = "", scope: str = "", *, bounds: FetchBounds = USUAL) -> None:
        self._organization = scope
        headers = {"Authorization": f"Bearer {key}", "X-GitHub-Api-Version": "2022-11-28"}
        self._fetcher = Fetcher(_WHO, base_url or "https://api.github.com", headers, advise=_what_to_do, bounds=bounds)

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """By SKU and model (as line item), and by user where one is named. Raises PollFailed."""
        if not self._organization:
            raise PollFailed(_NO_ORGANIZATION)
        first = max(first_day, last_day - _FARTHEST + 1)
        billed = Billed(_WHO, first, last_day, DOLLAR)
        async with self._fetcher.poll() as poll:
            route = _ROUTES[0]
            for day in range(first, last_day + 1):
                try:
                    items = await self._items(poll, route, day)
                except Rejected as rejected:
                    if rejected.status != 404 or route == _ROUTES[-1]:
                        raise
                    route = _ROUTES[-1]
                    items = await self._items(poll, route, day)
                for item in items:
                    line = ", ".join(filter(None, (item.sku, item.model)))
                    billed.add(day, item.netAmount, "USD", project=None, line_item=line, user=item.user or "")
        return billed.costs()

    async def _items(self, poll: Poll, route: str, day: int) -> list[_UsageItem]:
        date = to_datetime(day * DAY)
        query = (("year", date.year), ("month", date.month), ("day", date.day))
        path = f"/organizations/{self._organization}/settings/billing/{route}"
        return shaped(_WHO, await poll.json("GET", path, query=query), _UsageItems).usageItems


def _what_to_do(status: int, message: str) -> str:
    return "The key is a token with read access to the organization's Administration; set it as key of this account."
