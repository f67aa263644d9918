"""Anthropic: what was used per UTC day by workspace, key, model and user, from its analytics.

`GET /v1/organizations/analytics/usage`, same beta, rights and paging as the cost beside it (anthropic 2.14.0). The
parts of the input are disjoint here: uncached, written to caches for 5 minutes or an hour, and read from them; together
they are what a request counts as its input.
"""

from __future__ import annotations

from msgspec import Struct

from spendtop.domain.ledger.used import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, Used
from spendtop.sources.pollers.amounts import day_number
from spendtop.sources.pollers.anthropic.rows import AnalyticsRow, analytics_pages
from spendtop.sources.pollers.http_client import Poll
from spendtop.sources.pollers.used_parts import Counted, whole

_WHO = "Anthropic"
_USAGE = "/v1/organizations/analytics/usage"


class _Written(Struct, frozen=True):
    ephemeral_5m_input_tokens: object = None
    ephemeral_1h_input_tokens: object = None


class _ToolUse(Struct, frozen=True):
    web_search_requests: object = None


class _UsedTokens(Struct, frozen=True):
    uncached_input_tokens: object = None
    cache_creation: _Written | None = None
    cache_read_input_tokens: object = None
    output_tokens: object = None
    server_tool_use: _ToolUse | None = None
    requests: object = None

    @property
    def whole_input(self) -> int:
        """Raises PollFailed for what is no count."""
        written = self.cache_creation or _Written()
        parts = (
            self.uncached_input_tokens,
            written.ephemeral_5m_input_tokens,
            written.ephemeral_1h_input_tokens,
            self.cache_read_input_tokens,
        )
        return sum(whole(_WHO, part) for part in parts)


class _UsageRow(AnalyticsRow, frozen=True, kw_only=True):
    usage: _UsedTokens


class _UsagePage(Struct, frozen=True):
    data: list[_UsageRow]
    has_more: bool
    next_page: str | None = None


async def anthropic_usage(poll: Poll, first_day: int, last_day: int) -> Used:
    """All pages for these UTC days. Raises PollFailed."""
    counted = Counted(_WHO, first_day, last_day)
    for page in await analytics_pages(poll, _USAGE, first_day, last_day, _UsagePage):
        for row in page.data:
            used = row.usage
            counted.add(
                day_number(_WHO, row.starting_at),
                {
                    INPUT_TOKENS: used.whole_input,
                    OUTPUT_TOKENS: used.output_tokens,
                    REQUESTS: used.requests,
                    "web searches": (used.server_tool_use or _ToolUse()).web_search_requests,
                },
                project=row.group.workspace_id,
                api_key=row.group.key,
                user=row.group.who.holder,
                model=row.group.model,
            )
    return counted.used()
