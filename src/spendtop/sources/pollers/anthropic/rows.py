"""Anthropic's analytics: the questions that cost and usage have in common, and whose each of their rows is.

Beta `analytics-usage-cost-2026-08-24`: rows are flat, 20 a page unless more are asked for; a question spans 31 days at
most. Keys need the scope `read:analytics` or are admin keys; organizations with HIPAA readiness get 400.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct

from spendtop.domain.clock import DAY, to_datetime
from spendtop.sources.pollers.cost_pages import Paged, all_pages
from spendtop.sources.pollers.http_client import Poll, Query

_BETA = {"anthropic-beta": "analytics-usage-cost-2026-08-24"}
_LONGEST = 31
"""Days of one question."""


class AnalyticsActor(Struct, frozen=True):
    type: str = ""
    user_id: str | None = None
    service_account_id: str | None = None
    subject: str | None = None
    api_key_id: str | None = None
    email_address: str | None = None
    name: str | None = None

    @property
    def holder(self) -> str:
        """Who it is: a user, a service account or somebody of another provider; empty for a key alone."""
        return self.user_id or self.service_account_id or self.subject or ""


class AnalyticsGroup(Struct, frozen=True):
    actor: AnalyticsActor | None = None
    api_key_id: str | None = None
    model: str | None = None
    workspace_id: str | None = None

    @property
    def who(self) -> AnalyticsActor:
        return self.actor or AnalyticsActor()

    @property
    def key(self) -> str | None:
        return self.api_key_id or self.who.api_key_id


class AnalyticsRow(Struct, frozen=True):
    starting_at: str
    group: AnalyticsGroup = AnalyticsGroup()


_Page = TypeVar("_Page", bound=Paged)


async def analytics_pages(poll: Poll, path: str, first_day: int, last_day: int, kind: type[_Page]) -> list[_Page]:
    """All pages for these UTC days (both inclusive), by workspace, key, model and user. Raises PollFailed."""
    pages: list[_Page] = []
    for begin in range(first_day, last_day + 1, _LONGEST):
        query: Query = (
            ("starting_at", _midnight(begin)),
            ("ending_at", _midnight(min(begin + _LONGEST - 1, last_day) + 1)),
            ("time_bucket_width", "1d"),
            *(("group_by[]", each) for each in ("workspace_id", "api_key_id", "model", "actor")),
            ("limit", 1000),
        )
        pages += await all_pages(poll, path, query, kind, headers=_BETA)
    return pages


def _midnight(day: int) -> str:
    return to_datetime(day * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
