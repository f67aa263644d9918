"""Amazon Bedrock: calls and tokens per UTC day and model in one region, from CloudWatch.

`POST monitoring.REGION.amazonaws.com`, `GraniteServiceVersion20100801.GetMetricData`, signed: sums of the metrics of
`AWS/Bedrock` by the dimension `ModelId`, minutes late. They are of all callers together; a call that fails later
counts, a throttled one does not. $0.01 for a thousand metrics, of which there are three for each model that was used.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from spendtop.domain.clock import DAY, SECOND
from spendtop.domain.ledger.used import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, Used
from spendtop.sources.pollers import PollFailed
from spendtop.sources.pollers.bedrock.signature import AwsKey
from spendtop.sources.pollers.http_client import FetchBounds, Fetcher, shaped
from spendtop.sources.pollers.used_parts import Counted

_WHO = "CloudWatch"
_MOST_PAGES = 20
_LEADS_BACK = " Its pages lead back to one that was read: what is behind it is missing here."
_UNITS = {"InputTokenCount": INPUT_TOKENS, "OutputTokenCount": OUTPUT_TOKENS, "Invocations": REQUESTS}
"""By metric; the ids of the questions are these in small letters."""
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "GraniteServiceVersion20100801.GetMetricData",
}


class _Metric(Struct, frozen=True):
    id: str = field(name="Id")
    label: str = field(name="Label", default="")
    status: str = field(name="StatusCode", default="Complete")
    times: list[int] = field(name="Timestamps", default_factory=list)
    values: list[object] = field(name="Values", default_factory=list)


class _MetricPage(Struct, frozen=True):
    metrics: list[_Metric] = field(name="MetricDataResults")
    next_page: str | None = field(name="NextToken", default=None)


class BedrockCounts:
    """Asks CloudWatch of one region; a page for each 500 metrics."""

    def __init__(self, key: AwsKey, region: str, base_url: str, *, bounds: FetchBounds) -> None:
        self._key = key
        self._region = region
        address = base_url or f"https://monitoring.{region}.amazonaws.com"
        self._host = urlsplit(address).netloc
        self._fetcher = Fetcher(_WHO, address, {}, advise=_what_to_do, bounds=bounds)

    async def used(self, first_day: int, last_day: int, at: datetime) -> tuple[Used, str]:
        """What these UTC days used, and what is to be said of it: the price of asking and what is cut.

        Raises PollFailed.
        """
        counted = Counted(_WHO, first_day, last_day)
        metrics, leads_back = await self._metrics(first_day, last_day, at)
        units = {metric.lower(): unit for metric, unit in _UNITS.items()}
        for metric in metrics:
            model = "" if metric.label in _UNITS else metric.label
            for second, value in zip(metric.times, metric.values, strict=False):
                if metric.id in units:
                    counted.add(second * SECOND // DAY, {units[metric.id]: value}, model=model)
        partial = sum(metric.status != "Complete" for metric in metrics)
        cut = f" Cut by CloudWatch: {partial:,}." if partial else ""
        cut += _LEADS_BACK if leads_back else ""
        price = f"CloudWatch charges $0.01 for a thousand metrics; this poll took {len(metrics):,}.{cut}"
        return counted.used(), price

    async def _metrics(self, first_day: int, last_day: int, at: datetime) -> tuple[list[_Metric], bool]:
        """Of all pages, and whether the last of them leads back to one that was read."""
        asked: dict[str, object] = {
            "StartTime": first_day * DAY // SECOND,
            "EndTime": (last_day + 1) * DAY // SECOND,
            "MetricDataQueries": [
                {
                    "Id": metric.lower(),
                    "Expression": f"SEARCH('{{AWS/Bedrock,ModelId}} MetricName=\"{metric}\"', 'Sum', 86400)",
                    "Label": "${PROP('Dim.ModelId')}",
                }
                for metric in _UNITS
            ],
        }
        metrics: list[_Metric] = []
        seen: set[str] = set()
        async with self._fetcher.poll() as poll:
            for _ in range(_MOST_PAGES):
                body = msgspec.json.encode(asked)
                signed = self._key.sign(self._host, body, _HEADERS, at, service="monitoring", region=self._region)
                page = shaped(_WHO, await poll.json("POST", "/", body=body, headers=signed), _MetricPage)
                metrics += page.metrics
                if not page.next_page or page.next_page in seen:
                    return metrics, bool(page.next_page)
                seen.add(page.next_page)
                asked["NextToken"] = page.next_page
        raise PollFailed(f"CloudWatch's answer does not end after {_MOST_PAGES} pages; nothing of it is kept")


def _what_to_do(status: int, message: str) -> str:
    return "The access key of this account needs cloudwatch:GetMetricData in its region; or leave region out."
