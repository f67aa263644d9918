"""Anthropic: what it billed per UTC day, from its older cost report. Priority Tier is not in it, nor keys and users.

The default workspace is null here, and has its real id in `anthropic_analytics`.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from spendtop.domain.clock import DAY, to_datetime, to_micros
from spendtop.sources.pollers import Costs, PollFailed, wrong_kind
from spendtop.sources.pollers.cost_pages import CENT, Billed, all_pages
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Query

_WHO = "Anthropic"
_KEY_BEGINS = "sk-ant-admin"
_COSTS = "/v1/organizations/cost_report"
_NO_DAYS = "Anthropic's answer names none of the days that it was asked for; nothing of this poll is kept"


class _AnthropicCost(Struct):
    amount: object = None
    currency: str | None = None
    workspace_id: str | None = None
    description: str | None = None


class _AnthropicDay(Struct):
    starting_at: datetime
    results: list[_AnthropicCost]


class _AnthropicDays(Struct):
    data: list[_AnthropicDay]
    has_more: bool
    next_page: str | None = None


class AnthropicCosts:
    """Reads Anthropic's admin API with an admin key."""

    def __init__(self, key: str, base_url: str = "https://api.anthropic.com", *, bounds: FetchBounds = USUAL) -> None:
        self._key = key
        headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
        self._fetcher = Fetcher(_WHO, base_url, headers, advise=self._what_to_do, bounds=bounds)
        self._default_workspace = ""
        """What stands in place of null, where it is known."""

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """What was billed, by workspace (as project) and description (as line item); all pages or nothing.

        Raises PollFailed.
        """
        query: Query = (
            ("starting_at", _midnight(first_day)),
            ("ending_at", _midnight(last_day + 1)),
            ("bucket_width", "1d"),
            ("limit", 31),
            ("group_by[]", "workspace_id"),
            ("group_by[]", "description"),
        )
        async with self._fetcher.poll() as poll:
            pages = await all_pages(poll, _COSTS, query, _AnthropicDays)
        billed = Billed(_WHO, first_day, last_day, CENT)
        days = [day for page in pages for day in page.data]
        if not days:
            raise PollFailed(_NO_DAYS)
        for day in days:
            number = _number(day.starting_at)
            for cost in day.results:
                workspace = cost.workspace_id or self._default_workspace
                billed.add(number, cost.amount, cost.currency, project=workspace, line_item=cost.description)
        return billed.costs()

    def _what_to_do(self, status: int, message: str) -> str:
        return (
            f"{wrong_kind(self._key, _KEY_BEGINS)}An admin of the organization creates an admin key at "
            "console.anthropic.com/settings/admin-keys (accounts of individuals have none); "
            "set it as admin_key in [anthropic]."
        )


def _midnight(day: int) -> str:
    return to_datetime(day * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(begin: datetime) -> int:
    number, off = divmod(to_micros(begin), DAY) if begin.tzinfo else (0, 1)
    if off:
        raise PollFailed(f"{_WHO} sent costs of something else than a UTC day; nothing of this poll is kept")
    return number
