"""Anthropic's cost report as it behaves: amounts in cents, pages of at most 31 days, and its refusals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from tests.sources.pollers.fake_provider import Answer, Asked, FakeProvider, answer

ADMIN_KEY = "sk-ant-admin01-canary-key"
_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one workspace cost on one UTC day."""

    day: int
    cents: str | None
    """JSON as it is sent: `"123.45"` with quotes is $1.2345. None sends null."""
    workspace: str | None = None
    description: str | None = None
    currency: str = "USD"


class FakeAnthropic(FakeProvider):
    """Answers about its `costs`."""

    def __init__(self, costs: Iterable[Cost] = ()) -> None:
        super().__init__()
        self.costs = list(costs)

    def good(self, asked: Asked) -> Answer:
        key = asked.headers.get("x-api-key", "")
        if not key.startswith("sk-ant-admin") or asked.headers.get("anthropic-version") != "2023-06-01":
            return _error(401, "authentication_error")
        if asked.path != "/v1/organizations/cost_report":
            return _error(404, "not_found_error")
        limit, start, end = int(asked.one("limit") or 7), _day(asked, "starting_at"), _day(asked, "ending_at")
        groups = asked.query.get("group_by[]", [])
        if not 1 <= limit <= 31 or end <= start or not {"workspace_id", "description"} >= set(groups):
            return _error(400, "invalid_request_error")
        at = int((asked.one("page") or "page_0").removeprefix("page_"))
        days = range(start, end)
        more = at + limit < len(days)
        return answer(
            {
                "data": [
                    {
                        "starting_at": _iso(day),
                        "ending_at": _iso(day + 1),
                        "results": [_row(cost, groups) for cost in self.costs if cost.day == day],
                    }
                    for day in days[at : at + limit]
                ],
                "has_more": more,
                "next_page": f"page_{at + limit}" if more else None,
            }
        )


def _row(cost: Cost, groups: list[str]) -> dict[str, object]:
    return {
        "currency": cost.currency,
        "amount": None if cost.cents is None else msgspec.Raw(cost.cents.encode()),
        "workspace_id": cost.workspace if "workspace_id" in groups else None,
        "description": cost.description if "description" in groups else None,
        "cost_type": "tokens",
        "context_window": "0-200k",
        "model": "claude-sonnet-4-20250514",
        "service_tier": "standard",
        "token_type": "uncached_input_tokens",
        "inference_geo": "global",
    }


def _error(status: int, kind: str) -> Answer:
    return answer({"type": "error", "error": {"type": kind, "message": "canary"}, "request_id": "req_1"}, status)


def _iso(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(asked: Asked, name: str) -> int:
    return int(datetime.fromisoformat(asked.one(name) or "").timestamp()) // _DAY
