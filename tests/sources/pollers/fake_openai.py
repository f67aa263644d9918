"""OpenAI's organization API as it behaves: pages of days, amounts in every spelling, and its refusals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal

import msgspec

from tests.sources.pollers.fake_provider import Answer, Asked, FakeProvider, answer, bad_key, no_scopes

ADMIN_KEY = "sk-admin-canary-key"
DAY = 86_400
FIRST_DAY = 20_758
"""1 November 2026, in UTC days since 1970."""
_EXACT = Context(prec=60)
_COST_GROUPS = {"project_id", "line_item", "api_key_id"}
_MOST_BUCKETS = {"1d": (7, 180), "1m": (60, 1440)}


class _Refused(Exception):
    """A bad question: its text goes out with 400."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one API key of one project cost on one UTC day."""

    day: int
    amount: str | None
    """JSON as it is sent, where nothing is summed: `0.06`, or `"12.50"` with quotes. None sends no amount."""
    project: str | None = None
    line_item: str | None = None
    api_key: str | None = None
    currency: str | None = "usd"

    @property
    def number(self) -> Decimal:
        """The amount as a number."""
        return Decimal((self.amount or "0").strip('"'))


@dataclass(frozen=True, kw_only=True)
class Used:
    """Tokens of one model in one minute."""

    at: int
    """Unix seconds, at the begin of the minute."""
    model: str
    prompt: int
    completion: int
    cached: int = 0


def a_month(first_day: int = FIRST_DAY, days: int = 30) -> list[Cost]:
    """A month of two projects with their keys and line items, in all spellings; every seventh day cost nothing."""
    spellings = ('"{}000000000000000000000000000000"', "{}", '"{}"')
    shares = (
        ("proj_web", "key_web", "gpt-4o-mini-2024-07-18, input", Decimal("0.0036275")),
        ("proj_web", "key_web", "gpt-4o-mini-2024-07-18, output", Decimal("1.25")),
        ("proj_batch", "key_batch", "priority | gpt-5, cached input, long context", Decimal("0.480019")),
    )
    return [
        Cost(
            day=first_day + day,
            amount=spellings[(day + place) % 3].format(amount * (1 + day % 5)),
            project=project,
            api_key=key,
            line_item=item,
        )
        for day in range(days)
        if day % 7 != 6
        for place, (project, key, item, amount) in enumerate(shares)
    ] + [
        Cost(day=first_day + day, amount='"0E-6176"', project="proj_web", line_item="web search tool calls")
        for day in range(0, days, 3)
    ]


class FakeOpenAI(FakeProvider):
    """Answers about its `costs` and `used`, which tests may change between polls."""

    def __init__(self, costs: Iterable[Cost] = (), used: Iterable[Used] = ()) -> None:
        super().__init__()
        self.costs = list(costs)
        self.used = list(used)
        self.days_per_page = 180
        """A page never has more, whatever was asked for."""
        self.splits_by_key = True
        """Whether `api_key_id` may be grouped by."""

    def spent(self, first_day: int = 0, last_day: int = 100_000) -> Decimal:
        """The exact sum of all US dollars in these days."""
        return _sum(cost for cost in self.costs if cost.currency == "usd" and first_day <= cost.day <= last_day)

    def restate(self, day: int, amount: str) -> None:
        """A day gets one row of this amount in place of what it had."""
        (*_, last) = (cost for cost in self.costs if cost.day == day)
        self.costs = [*(cost for cost in self.costs if cost.day != day), replace(last, amount=amount)]

    def good(self, asked: Asked) -> Answer:
        key = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if not key.startswith("sk-"):
            return bad_key(Answer())
        if not key.startswith("sk-admin-"):
            return no_scopes(Answer())
        try:
            match asked.path:
                case "/v1/organization/costs":
                    return self._costs(asked)
                case "/v1/organization/usage/completions":
                    return self._usage(asked)
        except _Refused as refused:
            error = {"message": str(refused), "type": "invalid_request_error", "param": None, "code": None}
            return answer({"error": error}, 400)
        return answer({"error": {"message": "Not found", "type": "", "param": None, "code": None}}, 404)

    def _costs(self, asked: Asked) -> Answer:
        groups = set(asked.query.get("group_by", ()))
        if not groups <= (_COST_GROUPS if self.splits_by_key else _COST_GROUPS - {"api_key_id"}):
            raise _Refused("Invalid group_by")
        rows: defaultdict[int, list[Cost]] = defaultdict(list)
        for cost in self.costs:
            rows[cost.day * DAY].append(cost)
        return self._page(asked, "1d", {start: _grouped(costs, groups) for start, costs in rows.items()})

    def _usage(self, asked: Asked) -> Answer:
        rows: defaultdict[int, list[dict[str, object]]] = defaultdict(list)
        for used in self.used:
            rows[used.at].append(
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": used.prompt,
                    "output_tokens": used.completion,
                    "input_cached_tokens": used.cached,
                    "num_model_requests": 1,
                    "model": used.model,
                }
            )
        return self._page(asked, "1m", rows)

    def _page(self, asked: Asked, width: str, rows: Mapping[int, list[dict[str, object]]]) -> Answer:
        """Every bucket of the window, empty or not; costs come in whole UTC days."""
        if (asked.one("bucket_width") or "1d") != width:
            raise _Refused("Invalid bucket_width")
        seconds = DAY if width == "1d" else 60
        usual, most = _MOST_BUCKETS[width]
        start, end, limit = _number(asked, "start_time"), _number(asked, "end_time"), _number(asked, "limit", usual)
        if end // DAY == start // DAY:
            raise _Refused("end_time must be after the date of start_time")
        if not 1 <= limit <= most:
            raise _Refused("Invalid limit")
        size = min(limit, self.days_per_page) if width == "1d" else limit
        buckets = list(range(start // seconds * seconds, end, seconds))
        cursor = asked.one("page")
        at = int(cursor.removeprefix("page_")) if cursor else 0
        more = at + size < len(buckets)
        data = [
            {
                "object": "bucket",
                "start_time": bucket,
                "end_time": bucket + seconds,
                "start_time_iso": "undocumented",
                "results": rows.get(bucket, []),
            }
            for bucket in buckets[at : at + size]
        ]
        next_page = f"page_{at + size}" if more else None
        return answer({"object": "page", "has_more": more, "next_page": next_page, "data": data})


def _grouped(costs: Iterable[Cost], groups: set[str]) -> list[dict[str, object]]:
    """One row per group; amounts that stand alone keep their spelling."""
    together: defaultdict[tuple[str | None, ...], list[Cost]] = defaultdict(list)
    for cost in costs:
        named = {"project_id": cost.project, "line_item": cost.line_item, "api_key_id": cost.api_key}
        key = (*(named[name] if name in groups else None for name in sorted(_COST_GROUPS)), cost.currency)
        together[key].append(cost)
    return [
        {
            "object": "organization.costs.result",
            "amount": _amount(same),
            "api_key_id": key,
            "line_item": item,
            "project_id": project,
            "project_name": "undocumented",
            "organization_id": "org-undocumented",
            "quantity": None,
            "quantity_unit": None,
        }
        for (key, item, project, _), same in together.items()
    ]


def _amount(costs: list[Cost]) -> dict[str, object]:
    first = costs[0]
    currency: dict[str, object] = {} if first.currency is None else {"currency": first.currency}
    if len(costs) == 1:
        return currency if first.amount is None else {"value": msgspec.Raw(first.amount.encode()), **currency}
    return {"value": str(_sum(costs)), **currency}


def _sum(costs: Iterable[Cost]) -> Decimal:
    total = Decimal(0)
    for cost in costs:
        total = _EXACT.add(total, cost.number)
    return total


def _number(asked: Asked, name: str, usual: int | None = None) -> int:
    text = asked.one(name)
    if text is None and usual is not None:
        return usual
    if text is None or not text.isdigit():
        raise _Refused(f"Invalid {name}")
    return int(text)
