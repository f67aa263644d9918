"""Requests as charges of FOCUS, the FinOps Open Cost and Usage Specification: a CSV file for tools that split bills.

A charge is what one UTC day of one model costs for one user, session, token and set of properties, on one basis. Only
what is counted as spend is in it. Money columns of FOCUS know no null: a charge whose cost is unknown has 0 there,
`unknown` in `x_CostBasis`, and says in `x_UnpricedRequests` of how many requests that is.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.requests.request import Basis
from spendtop.domain.spreadsheet import cell
from spendtop.domain.untrusted import Untrusted
from spendtop.services.exchange.export import Pages
from spendtop.store.reads.rows import RequestRow

_SERVICES = {
    "anthropic": "Claude API",
    "aws": "Amazon Bedrock",
    "azure": "Azure OpenAI",
    "google": "Gemini API",
    "openai": "OpenAI API",
    "openrouter": "OpenRouter",
}
"""What is sold, by who bills it; others sell an API."""
_RESELLERS = frozenset({"openrouter"})
"""They sell what others run, and do not say who."""
_UNKNOWN = "unknown"

_COMMON = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
)
_COMMON_REST = (
    "InvoiceIssuerName",
    "ListCost",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
)
_OWN = (
    "x_CacheReadTokens",
    "x_CostBasis",
    "x_InputTokens",
    "x_Model",
    "x_OutputTokens",
    "x_Requests",
    "x_Session",
    "x_UnpricedRequests",
    "x_User",
)
COLUMNS = {
    "1.2": (*_COMMON, *_COMMON_REST, "ProviderName", "PublisherName", *_OWN),
    "1.4": (*_COMMON, *_COMMON_REST, "HostProviderName", "ServiceProviderName", *_OWN),
}
"""By version, in the order of the file."""


class _Key(NamedTuple):
    """What the requests of a charge have in common. Text is raw."""

    provider: str
    model: str
    user: str
    session: str
    token: str
    token_name: str
    properties: tuple[tuple[str, str], ...]
    basis: Basis


@dataclass(slots=True)
class _Sums:
    cost: Usd = ZERO
    listed: Usd = ZERO
    """What it would have cost by its quantities, where that was computed."""
    requests: int = 0
    unpriced: int = 0
    prompt: int | None = None
    completion: int | None = None
    cache_read: int | None = None


@dataclass(slots=True)
class WrittenCharges:
    """What came of an export so far."""

    requests: int = 0
    rows: int = 0
    cost: Usd = ZERO
    unpriced: int = 0
    """Requests whose cost is not known, or only in part."""


def focus_chunks(pages: Pages, version: str, written: WrittenCharges) -> Iterator[bytes]:
    """The file, a day at a time: UTF-8, RFC 4180. `pages` come in the order of time; `written` is counted on."""
    columns = COLUMNS[version]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    requests = (row for rows in pages for row in rows if row.counted and not row.is_plan)
    for day, of_day in groupby(requests, key=lambda row: row.occurred_at // DAY):
        charges = _charges(of_day)
        for key, sums in sorted(charges.items()):
            writer.writerow({name: cell(value) for name, value in _row(day, key, sums).items()})
            written.requests += sums.requests
            written.cost += sums.cost
            written.unpriced += sums.unpriced
        written.rows += len(charges)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    if text.tell():
        yield text.getvalue().encode()


def _charges(rows: Iterable[RequestRow]) -> dict[_Key, _Sums]:
    charges: dict[_Key, _Sums] = {}
    for row in rows:
        sums = charges.setdefault(_key(row), _Sums())
        amount = row.cost.amount or ZERO
        sums.cost += amount
        sums.listed += amount if row.cached or row.cost.computed is None else row.cost.computed
        sums.requests += 1
        sums.unpriced += row.cost.amount is None or row.cost.partial
        sums.prompt = _plus(sums.prompt, row.usage.prompt)
        sums.completion = _plus(sums.completion, row.usage.completion)
        sums.cache_read = _plus(sums.cache_read, row.usage.cache_read)
    return charges


def _plus(sum: int | None, count: int | None) -> int | None:
    """None where nobody said a number."""
    return sum if count is None else count + (sum or 0)


def _key(row: RequestRow) -> _Key:
    return _Key(
        provider=_raw(row.provider),
        model=_raw(row.model),
        user=_raw(row.user_id),
        session=_raw(row.session_id),
        token=_raw(row.token),
        token_name=_raw(row.token_label),
        properties=tuple(sorted(row.properties.items())),
        basis=row.cost.basis,
    )


def _raw(text: Untrusted | None) -> str:
    return "" if text is None else text.raw


def _row(day: int, key: _Key, sums: _Sums) -> dict[str, object]:
    """All that is known of a charge, by column of any version."""
    start = to_datetime(day * DAY)
    provider = key.provider or _UNKNOWN
    used = "tokens" if sums.prompt or sums.completion else "requests"
    whole = _dollars(sums.cost)
    tags = {
        **dict(key.properties),
        **{name: text for name, text in (("user", key.user), ("session", key.session)) if text},
    }
    return {
        "BilledCost": whole if key.basis is Basis.REPORTED else "0",
        "BillingAccountId": "local",
        "BillingAccountName": "spendtop",
        "BillingAccountType": "Estimate",
        "BillingCurrency": "USD",
        "BillingPeriodStart": _instant(start.replace(day=1)),
        "BillingPeriodEnd": _instant(_next_month(start)),
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{key.model or provider} {used}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": _instant(start),
        "ChargePeriodEnd": _instant(to_datetime((day + 1) * DAY)),
        "ContractedCost": whole,
        "EffectiveCost": whole,
        "ListCost": _dollars(sums.listed),
        "InvoiceIssuerName": provider,
        "PricingCategory": "Standard",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": _SERVICES.get(provider, "API"),
        "ServiceProviderName": provider,
        "HostProviderName": "" if provider in (*_RESELLERS, _UNKNOWN) else provider,
        "ProviderName": provider,
        "PublisherName": provider,
        "SubAccountId": key.token,
        "SubAccountName": key.token_name,
        "SubAccountType": "Token" if key.token else "",
        "Tags": json.dumps(tags, sort_keys=True) if tags else "",
        "x_CacheReadTokens": sums.cache_read,
        "x_CostBasis": key.basis.value,
        "x_InputTokens": sums.prompt,
        "x_Model": key.model,
        "x_OutputTokens": sums.completion,
        "x_Requests": sums.requests,
        "x_Session": key.session,
        "x_UnpricedRequests": sums.unpriced,
        "x_User": key.user,
    }


def _dollars(amount: Usd) -> Decimal:
    """Without zeros at its end."""
    return amount.dollars.normalize()


def _next_month(start: datetime) -> datetime:
    years, month = divmod(start.month, 12)
    return datetime(start.year + years, month + 1, 1, tzinfo=UTC)


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
