"""Amazon Bedrock: what AWS billed for it per UTC day, from Cost Explorer.

`POST ce.us-east-1.amazonaws.com`, `AWSInsightsIndexService.GetCostAndUsage`, signed: amounts are text in US dollars,
about a day late, and each page costs $0.01, so that it is asked twice a day at most. Claude models are services of
their own that end "(Amazon Bedrock Edition)"; a tag such as `iamPrincipal/team` tells who, as `tag$value`. Per key and
minute there is nothing: that is what requests are for. Calls and tokens are counted by `bedrock_counts`.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from spendtop.domain.clock import DAY, Clock, to_datetime
from spendtop.domain.counted import counted
from spendtop.sources.pollers import Costs, KeyRefused, PollFailed
from spendtop.sources.pollers.amounts import day_number
from spendtop.sources.pollers.bedrock.counts import BedrockCounts
from spendtop.sources.pollers.bedrock.signature import AwsKey
from spendtop.sources.pollers.cost_pages import DOLLAR, Billed
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, shaped
from spendtop.sources.pollers.used_parts import uncounted

_WHO = "AWS"
_ADDRESS = "https://ce.us-east-1.amazonaws.com"
_MOST_PAGES = 20
_LEADS_BACK = "Cost Explorer's pages lead back to one that was read: what is behind it is missing here."
_NO_KEY = "The key of this account has to be ID:SECRET of an access key that may call ce:GetCostAndUsage."


class _Definition(Struct, frozen=True):
    type: str = field(name="Type")
    key: str = field(name="Key")


class _AwsAmount(Struct, frozen=True):
    amount: object = field(name="Amount", default=None)
    unit: str | None = field(name="Unit", default=None)


class _AwsGroup(Struct, frozen=True):
    keys: list[str] = field(name="Keys")
    metrics: dict[str, _AwsAmount] = field(name="Metrics")


class _AwsPeriod(Struct, frozen=True):
    start: str = field(name="Start")


class _AwsDay(Struct, frozen=True):
    period: _AwsPeriod = field(name="TimePeriod")
    groups: list[_AwsGroup] = field(name="Groups", default_factory=list)


class _AwsPage(Struct, frozen=True):
    days: list[_AwsDay] = field(name="ResultsByTime")
    definitions: list[_Definition] = field(name="GroupDefinitions", default_factory=list)
    next_page: str | None = field(name="NextPageToken", default=None)


def _system_clock() -> int:
    return time.time_ns() // 1000


class BedrockBills:
    """Reads Cost Explorer; says how many pages that took."""

    def __init__(
        self,
        key: str,
        base_url: str = "",
        scope: str = "",
        region: str = "",
        *,
        bounds: FetchBounds = USUAL,
        clock: Clock = _system_clock,
    ) -> None:
        """`scope` is a tag by which the bill is split, such as iamPrincipal/team; calls and tokens are counted in the
        region, if there is one."""
        self._key = AwsKey.of(key)
        self._counts = BedrockCounts(self._key, region, base_url, bounds=bounds) if self._key and region else None
        self._tag = scope
        self._clock = clock
        self._host = urlsplit(base_url or _ADDRESS).netloc
        self._fetcher = Fetcher(_WHO, base_url or _ADDRESS, {}, advise=_what_to_do, bounds=bounds)

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """By tag (as project) and service or usage type (as line item). Raises PollFailed."""
        billed = Billed(_WHO, first_day, last_day, DOLLAR)
        count, leads_back = 0, False
        async with self._fetcher.poll() as poll:
            cursor: str | None = None
            seen: set[str] = set()
            while True:
                page = await self._page(poll, first_day, last_day, cursor)
                count += 1
                for day in page.days:
                    for group in day.groups:
                        _add(billed, day_number(_WHO, day.period.start), group, page.definitions)
                cursor = page.next_page
                leads_back = cursor in seen
                if not cursor or leads_back:
                    break
                if count >= _MOST_PAGES:
                    raise PollFailed(f"Cost Explorer's answer does not end after {_MOST_PAGES} pages")
                seen.add(cursor)
        pages = counted(count, "page")
        cut = [_LEADS_BACK] if leads_back else []
        costs = billed.costs(f"Cost Explorer charges $0.01 a page; this poll took {pages}.", *cut)
        return costs if self._counts is None else await self._counted(costs, self._counts)

    async def _counted(self, costs: Costs, counts: BedrockCounts) -> Costs:
        try:
            used, remark = await counts.used(costs.first_day, costs.last_day, to_datetime(self._clock()))
        except PollFailed as failure:
            return replace(costs, flaws=(*costs.flaws, uncounted(failure)))
        return replace(costs, used=used, flaws=(*costs.flaws, remark))

    async def _page(self, poll: Poll, first_day: int, last_day: int, cursor: str | None) -> _AwsPage:
        if self._key is None:
            raise KeyRefused(_NO_KEY)
        groups = [{"Type": "DIMENSION", "Key": "SERVICE"}]
        asked: dict[str, object] = {
            "TimePeriod": {"Start": _text(first_day), "End": _text(last_day + 1)},
            "Granularity": "DAILY",
            "Metrics": ["UnblendedCost"],
            "GroupBy": [*groups, {"Type": "TAG", "Key": self._tag}] if self._tag else groups,
        }
        if cursor:
            asked["NextPageToken"] = cursor
        body = msgspec.json.encode(asked)
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "AWSInsightsIndexService.GetCostAndUsage",
        }
        at = to_datetime(self._clock())
        signed = self._key.sign(self._host, body, headers, at, service="ce", region="us-east-1")
        return shaped(_WHO, await poll.json("POST", "/", body=body, headers=signed), _AwsPage)


def _what_to_do(status: int, message: str) -> str:
    return _NO_KEY


def _add(billed: Billed, day: int, group: _AwsGroup, definitions: list[_Definition]) -> None:
    """One group; services that are not Bedrock's are left out."""
    keys = dict(zip((each.key for each in definitions), group.keys, strict=False))
    service = keys.get("SERVICE", "")
    if service and "Bedrock" not in service:
        return
    cost = group.metrics.get("UnblendedCost", _AwsAmount())
    tags = [group.keys[place] for place, each in enumerate(definitions) if each.type == "TAG"]
    tag = tags[0].partition("$")[2] if tags else ""
    item = service.removesuffix(" (Amazon Bedrock Edition)") or keys.get("USAGE_TYPE", "")
    billed.add(day, cost.amount, cost.unit, project=tag, line_item=item)


def _text(day: int) -> str:
    return f"{to_datetime(day * DAY):%Y-%m-%d}"
