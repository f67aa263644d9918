"""Anthropic: what it billed per UTC day by workspace, key, model and user, from its analytics.

`GET /v1/organizations/analytics/cost`, beta `analytics-usage-cost-2026-08-24` (anthropic 2.14.0): amounts are text in
cents with fractions, after discount and before credits; it reaches a year back, not behind 2026. `data_refreshed_at`
says up to when it is billed. The default workspace has its real id here, and null in the older report. Once an hour
the usage beside it is read, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.clock import DAY, to_micros
from spendtop.domain.ledger.amounts import BilledName
from spendtop.domain.ledger.used import Used
from spendtop.sources.pollers import Costs, KeyRefused, PollFailed, wrong_kind
from spendtop.sources.pollers.amounts import day_number, instant
from spendtop.sources.pollers.anthropic.names import AnthropicNames, anthropic_names
from spendtop.sources.pollers.anthropic.rows import AnalyticsRow, analytics_pages
from spendtop.sources.pollers.anthropic.usage import anthropic_usage
from spendtop.sources.pollers.cost_pages import CENT, Billed
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Rejected
from spendtop.sources.pollers.spacing import Spacing
from spendtop.sources.pollers.used_parts import uncounted

_WHO = "Anthropic"
_COST = "/v1/organizations/analytics/cost"
_FARTHEST = 364
_FIRST = to_micros(datetime(2026, 1, 1, tzinfo=UTC)) // DAY
_NAMES_EVERY, _USAGE_EVERY = 24 * 3600.0, 3600.0
_CLOSED = (
    "Anthropic does not open its analytics to this organization or key ({status}): a key needs the scope read:analytics"
    " or the right of an admin. The older cost report, which has no keys and no users, is read instead."
)


class _Charged(Struct, frozen=True):
    amount: object = None
    currency: str | None = None


class _CostRow(AnalyticsRow, frozen=True, kw_only=True):
    cost: _Charged


class _CostPage(Struct, frozen=True):
    data: list[_CostRow]
    has_more: bool
    next_page: str | None = None
    data_refreshed_at: str | None = None


class AnthropicAnalytics:
    """Reads the analytics: a question for each 31 days, hourly one more for usage, and four a day for names."""

    def __init__(self, key: str, base_url: str = "https://api.anthropic.com", *, bounds: FetchBounds = USUAL) -> None:
        self._key = key
        headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
        self._fetcher = Fetcher(_WHO, base_url, headers, advise=self._what_to_do, bounds=bounds)
        self._names, self._usage = Spacing(_NAMES_EVERY), Spacing(_USAGE_EVERY)

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """What was billed, by workspace (as project), key, model (as line item) and user; as far back as is told.

        Raises PollFailed; KeyRefused where the analytics are closed to this key.
        """
        first = max(first_day, last_day - _FARTHEST, _FIRST)
        names = AnthropicNames()
        used: Used | None = None
        flaws: tuple[str, ...] = ()
        async with self._fetcher.poll() as poll:
            pages = await _pages(poll, first, last_day)
            if self._usage.is_due():
                try:
                    used = await anthropic_usage(poll, first, last_day)
                except PollFailed as failure:
                    self._usage.failed(failure)
                    flaws = (uncounted(failure),)
            if self._names.is_due():
                try:
                    names = await anthropic_names(poll)
                except PollFailed as failure:
                    self._names.failed(failure)
                    flaws = (*flaws, f"Names of keys, users and workspaces are asked for again: {failure}")
        return replace(_billed(pages, first, last_day, names.names, flaws), used=used)

    def _what_to_do(self, status: int, message: str) -> str:
        return (
            f"{wrong_kind(self._key, 'sk-ant-')}An admin of the organization creates a key with the scope"
            " read:analytics, or an admin key, at console.anthropic.com/settings/admin-keys; set it as admin_key in"
            " [anthropic]."
        )


async def _pages(poll: Poll, first_day: int, last_day: int) -> Sequence[_CostPage]:
    try:
        return await analytics_pages(poll, _COST, first_day, last_day, _CostPage)
    except (KeyRefused, Rejected) as refused:
        if refused.status not in (400, 403, 404):
            raise
        raise KeyRefused(_CLOSED.format(status=refused.status), refused.status) from None


def _billed(
    pages: Sequence[_CostPage], first_day: int, last_day: int, listed: Sequence[BilledName], flaws: Sequence[str]
) -> Costs:
    billed = Billed(_WHO, first_day, last_day, CENT)
    names: dict[tuple[str, str], BilledName] = {(each.kind, each.holder): each for each in listed}
    refreshed: list[int] = []
    for page in pages:
        if page.data_refreshed_at is not None:
            refreshed.append(instant(_WHO, page.data_refreshed_at))
        for row in page.data:
            if instant(_WHO, row.starting_at) % DAY:
                raise PollFailed(f"{_WHO} sent costs of something else than a UTC day; nothing of this poll is kept")
            group, actor = row.group, row.group.who
            billed.add(
                day_number(_WHO, row.starting_at),
                row.cost.amount,
                row.cost.currency,
                project=group.workspace_id,
                line_item=None if group.model is None else f"{group.model}, tokens",
                api_key=group.key,
                user=actor.holder,
            )
            if actor.user_id and (called := actor.email_address or actor.name):
                names.setdefault(("user", actor.user_id), BilledName("user", actor.user_id, called))
    until = min(refreshed, default=None)
    return billed.costs(*flaws, names=names.values(), billed_until=until, split="workspace, key, model")
