"""What Cursor charges a team."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from decimal import Decimal

from spendtop.domain.clock import to_micros
from spendtop.domain.ledger.amounts import BilledName
from spendtop.domain.limits.provider_limits import ProviderLimit
from spendtop.domain.money import Usd
from spendtop.sources.pollers.cursor import CursorBills, CursorLimits
from tests.provider_pages import FakeApi, document, part
from tests.sources.pollers.polled import ONCE, TODAY

NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))


async def test_cursor_charges_usage_based_events_and_the_difference_of_a_member() -> None:
    pages = {
        "/teams/filtered-usage-events": part("others/cursor", "events"),
        "/teams/spend": part("others/cursor", "spend"),
    }
    basic = b64encode(b"key-canary:").decode()
    with FakeApi(pages, authorization=f"Basic {basic}") as fake:
        costs = await CursorBills("key-canary", fake.url, bounds=ONCE).costs(TODAY - 2, TODAY)
        (member,) = (await CursorLimits("key-canary", fake.url, bounds=ONCE).limits(NOW)).limits
        later = pages["/teams/filtered-usage-events"].replace(b'"Usage-based"', b'"USAGE_EVENT_KIND_USAGE_BASED"')
        fake.pages["/teams/filtered-usage-events"] = later
        assert len((await CursorBills("key-canary", fake.url, bounds=ONCE).costs(TODAY - 2, TODAY)).parts) == 1
        included = pages["/teams/filtered-usage-events"].replace(b'"Usage-based"', b'"Included in Business"')
        fake.pages["/teams/filtered-usage-events"] = included
        assert (await CursorBills("key-canary", fake.url, bounds=ONCE).costs(TODAY - 2, TODAY)).parts == ()
    expected = document("others/cursor")["expected"]
    assert [(each.line_item, each.amount) for each in costs.parts] == [
        ("claude-sonnet-4.5, tokens", Decimal(expected["event_usd"]))
    ]
    assert costs.names == (BilledName("user", "alice@example.com", "alice@example.com"),)
    assert member == ProviderLimit(
        scope="user",
        subject="u1",
        name="alice@example.com",
        amount=None,
        used=Usd.of(expected["on_demand_usd"]),
        interval="cycle",
    )
