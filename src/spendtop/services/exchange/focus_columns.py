"""Columns of FOCUS, the FinOps Open Cost and Usage Specification, and what every charge has in them.

Each charge lies within one UTC day. Nobody hands invoices to spendtop, so that `InvoiceId` is null, as it has to be of
a charge without an invoice.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.money import Usd

UNKNOWN = "unknown"
NOTHING = Decimal("0.0")
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
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ResourceId",
    "ResourceName",
    "ResourceType",
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


def columns_of_day(day: int, provider: str, account: str, billed_at: int | None = None) -> dict[str, object]:
    """What any charge of a UTC day (counted since 1970) has, by whoever bills it, and to which account there; empty
    text is not known. It is billed in the month of the day, or of another instant (UTC µs)."""
    start = to_datetime(day * DAY)
    billed = start if billed_at is None else to_datetime(billed_at)
    provider = provider or UNKNOWN
    return {
        "BillingAccountId": account or "local",
        "BillingAccountName": account or "spendtop",
        "BillingAccountType": "Account" if account else "Estimate",
        "BillingCurrency": "USD",
        "BillingPeriodStart": f"{billed:%Y-%m-01T00:00:00Z}",
        "BillingPeriodEnd": _instant(_next_month(billed)),
        "ChargePeriodStart": _instant(start),
        "ChargePeriodEnd": _instant(to_datetime((day + 1) * DAY)),
        "InvoiceIssuerName": provider,
        "PricingCategory": "Standard",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": _SERVICES.get(provider, "API"),
        "ServiceProviderName": provider,
        "HostProviderName": "" if provider in (*_RESELLERS, UNKNOWN) else provider,
        "ProviderName": provider,
        "PublisherName": provider,
    }


def decimal_dollars(amount: Usd) -> Decimal:
    """Without zeros at its end, but always with a point: readers guess types by the first rows."""
    dollars = amount.dollars.normalize()
    return dollars if dollars.as_tuple().exponent < 0 else dollars.quantize(NOTHING)  # type: ignore[operator]


def _next_month(start: datetime) -> datetime:
    years, month = divmod(start.month, 12)
    return datetime(start.year + years, month + 1, 1, tzinfo=UTC)


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
