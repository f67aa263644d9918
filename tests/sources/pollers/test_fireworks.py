"""What Fireworks bills."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from spendtop.domain.clock import to_micros
from spendtop.sources.pollers.fireworks import FireworksBills
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_provider import Answer, Asked
from tests.sources.pollers.polled import ONCE, billed

NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))


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
