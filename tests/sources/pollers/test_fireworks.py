"""What Fireworks bills."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from spendtop.domain.clock import DAY, to_micros
from spendtop.sources.pollers import CostPoller
from spendtop.sources.pollers.fireworks import FireworksBills
from spendtop.sources.pollers.http_client import FetchBounds
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_provider import Answer, Asked

ONCE = FetchBounds(attempts=1)


NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))


TODAY = NOW // DAY


async def billed(poller: CostPoller, days: int = 2) -> dict[tuple[int, str, str], Decimal]:
    """US dollars by day (0 is today, -1 yesterday), project and line item."""
    costs = await poller.costs(TODAY - days + 1, TODAY)
    return {(each.day - TODAY, each.project, each.line_item): each.amount for each in costs.parts}


async def test_fireworks_adds_units_and_nanos_day_by_day() -> None:
    class Days(FakeApi):
        def good(self, asked: Asked) -> Answer:
            if asked.one("startTime") == "2026-11-27T00:00:00Z":
                return Answer(body=page("others/fireworks"))
            return super().good(asked)

    pages = {
        "/v1/accounts": b'{"accounts": [{"name": "accounts/acme"}]}',
        "/v1/accounts/acme/billing/summary": b'{"lineItems": []}',
    }
    with Days(pages, authorization="Bearer fw-canary") as fake:
        amounts = await billed(FireworksBills("fw-canary", fake.url, bounds=ONCE))
        assert len(fake.asked) == 1 + 2
    assert sum(amounts.values()) == Decimal(document("others/fireworks")["expected_usd"])
    assert amounts[-1, "", "x, tokens"] == Decimal("1.25")
