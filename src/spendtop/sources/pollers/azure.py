"""Azure OpenAI: what Azure billed per UTC day, by resource and meter.

`POST management.azure.com/{scope}/providers/Microsoft.CostManagement/query` (api-version 2025-03-01): rows are read by
the names of their columns, a date is the number 20261128, further pages are asked for by a POST to `nextLink`. Hours
late, and neither by key nor by user. The key is a bearer token, such as `az account get-access-token` prints; it lasts
an hour or so.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from spendtop.domain.clock import DAY, to_datetime
from spendtop.sources.pollers import Costs, PollFailed
from spendtop.sources.pollers.amounts import day_number
from spendtop.sources.pollers.cost_pages import DOLLAR, MOST_PAGES, Billed
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Query, shaped
from spendtop.sources.unknown_fields import tell

_WHO = "Azure"
_ADDRESS = "https://management.azure.com"
_VERSION: Query = (("api-version", "2025-03-01"),)
_SERVICES = ("Cognitive Services", "Foundry Models")
_KNOWN = frozenset({"Cost", "PreTaxCost", "UsageDate", "ResourceId", "Meter", "Currency"})
_NO_SCOPE = "Azure asks whose costs: set scope of the account, such as subscriptions/ID."


class _AzureColumn(Struct, frozen=True):
    name: str


class _AzureTable(Struct, frozen=True):
    columns: list[_AzureColumn]
    rows: list[list[object]]
    nextLink: str | None = None


class _AzureAnswer(Struct, frozen=True):
    properties: _AzureTable


class AzureBills:
    """Reads Cost Management for one scope."""

    def __init__(self, key: str, base_url: str = "", scope: str = "", *, bounds: FetchBounds = USUAL) -> None:
        self._scope = scope.strip("/")
        self._address = base_url or _ADDRESS
        self._fetcher = Fetcher(
            _WHO, self._address, {"Authorization": f"Bearer {key}"}, advise=_what_to_do, bounds=bounds
        )

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """By resource (as project) and meter (as line item). Raises PollFailed."""
        if not self._scope:
            raise PollFailed(_NO_SCOPE)
        billed = Billed(_WHO, first_day, last_day, DOLLAR)
        path, query = f"/{self._scope}/providers/Microsoft.CostManagement/query", _VERSION
        seen: set[str] = set()
        async with self._fetcher.poll() as poll:
            for _ in range(MOST_PAGES):
                answer = await poll.json("POST", path, query=query, body=_question(first_day, last_day))
                table = shaped(_WHO, answer, _AzureAnswer).properties
                names = [column.name for column in table.columns]
                tell(name for name in names if name not in _KNOWN)
                for row in table.rows:
                    _add(billed, dict(zip(names, row, strict=False)))
                if not table.nextLink:
                    break
                if table.nextLink in seen:
                    raise PollFailed("Azure's pages do not lead on: one came twice; nothing of this poll is kept")
                seen.add(table.nextLink)
                path, query = self._further(table.nextLink)
        return billed.costs()

    def _further(self, link: str) -> tuple[str, Query]:
        """Path and query of the next page, which has to lie where the first one did: the key goes nowhere else."""
        next_page, here = urlsplit(link), urlsplit(self._address)
        if (next_page.scheme, next_page.netloc) != (here.scheme, here.netloc):
            raise PollFailed("Azure's next page lies at another host, where the key is not sent")
        return next_page.path, parse_qsl(next_page.query)


def _what_to_do(status: int, message: str) -> str:
    return (
        "The key is a bearer token that may read costs of the scope (role Cost Management Reader) and is not older than"
        " an hour; `az account get-access-token` prints one."
    )


def _question(first_day: int, last_day: int) -> dict[str, object]:
    return {
        "type": "ActualCost",
        "timeframe": "Custom",
        "timePeriod": {"from": _text(first_day), "to": _text(last_day)},
        "dataset": {
            "granularity": "Daily",
            "aggregation": {"totalCost": {"name": "Cost", "function": "Sum"}},
            "grouping": [{"type": "Dimension", "name": name} for name in ("ResourceId", "Meter")],
            "filter": {"dimensions": {"name": "ServiceName", "operator": "In", "values": [*_SERVICES]}},
        },
    }


def _add(billed: Billed, row: dict[str, object]) -> None:
    date, currency = str(row.get("UsageDate", "")).replace("-", ""), row.get("Currency")
    if len(date) < 8 or not date[:8].isdigit():
        raise PollFailed("Azure sent a cost without its day; nothing of this poll is kept")
    billed.add(
        day_number(_WHO, f"{date[:4]}-{date[4:6]}-{date[6:8]}"),
        row.get("Cost", row.get("PreTaxCost")),
        currency if isinstance(currency, str) else None,
        project=str(row.get("ResourceId") or "").rpartition("/")[2],
        line_item=str(row.get("Meter") or ""),
    )


def _text(day: int) -> str:
    return f"{to_datetime(day * DAY):%Y-%m-%dT00:00:00Z}"
