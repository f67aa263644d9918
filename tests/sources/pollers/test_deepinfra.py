"""The balance and the limit of a DeepInfra account."""

from __future__ import annotations

from datetime import UTC, datetime

from spendtop.domain.clock import to_micros
from spendtop.domain.money import Usd
from spendtop.sources.pollers.deepinfra import DeepInfraBalance, DeepInfraLimits
from tests.provider_pages import FakeApi, part
from tests.sources.pollers.polled import ONCE

NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))


async def test_deepinfra_tells_negative_credit_a_limit_and_the_month_in_cents() -> None:
    pages = {
        "/payment/checklist": part("others/deepinfra", "checklist"),
        "/payment/usage": part("others/deepinfra", "usage"),
    }
    with FakeApi(pages, authorization="Bearer canary") as fake:
        poller = DeepInfraBalance("canary", fake.url, bounds=ONCE)
        assert (await poller.balance(), poller.remark) == (Usd.of("12.5"), "$4.20 this month.")
        assert fake.asked[0].one("compute_owed") == "true"
        (limit,) = (await DeepInfraLimits("canary", fake.url, bounds=ONCE).limits(NOW)).limits
        suspended = pages["/payment/checklist"].replace(b'"suspended": false', b'"suspended": true')
        fake.pages["/payment/checklist"] = suspended
        await poller.balance()
        assert "suspended" in poller.remark
    assert (limit.amount, limit.used) == (Usd.of(100), Usd.of("4.2"))
