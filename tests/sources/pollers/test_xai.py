"""The balance and the use of an xAI team."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from spendtop.domain.clock import to_micros
from spendtop.domain.money import Usd
from spendtop.sources.pollers import PollFailed
from spendtop.sources.pollers.xai import XaiBalance, XaiBills
from tests.provider_pages import FakeApi, page, part
from tests.sources.pollers.polled import ONCE, TODAY, billed

NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))


TEAM = "/v1/billing/teams/t1"


async def test_xais_balance_is_turned_cents_less_the_use_of_the_month() -> None:
    usage = part("others/xai_usage", "response")
    pages = {f"{TEAM}/prepaid/balance": page("others/xai_prepaid_balance"), f"{TEAM}/usage": usage}
    with FakeApi(pages, authorization="Bearer xai-canary") as fake:
        poller = XaiBalance("xai-canary", fake.url, "t1", bounds=ONCE, clock=lambda: NOW)
        assert (await poller.balance(), poller.remark) == (Usd.of("8.25"), "")
        asked = msgspec.json.decode(fake.asked[1].body)["analyticsRequest"]["timeRange"]
        assert (asked["startTime"], asked["endTime"]) == ("2026-11-01 00:00:00", "2026-11-29 00:00:00")
        fake.pages[f"{TEAM}/usage"] = usage.replace(b'"limitReached": false', b'"limitReached": true')
        await poller.balance()
        assert "the least that was used" in poller.remark
        del fake.pages[f"{TEAM}/usage"]
        assert await poller.balance() == Usd.of(10)


async def test_xais_use_is_billed_by_day_and_a_cut_answer_is_said() -> None:
    usage = part("others/xai_usage", "response")
    with FakeApi({f"{TEAM}/usage": usage}) as fake:
        poller = XaiBills("xai-canary", fake.url, "t1", bounds=ONCE)
        assert await billed(poller) == {(-1, "", ""): Decimal("1.5"), (0, "", ""): Decimal("0.25")}
        fake.pages[f"{TEAM}/usage"] = usage.replace(b'"limitReached": false', b'"limitReached": true')
        assert "the least" in (await poller.costs(TODAY, TODAY)).flaws[0]
        with pytest.raises(PollFailed, match="scope of the account"):
            await XaiBills("xai-canary", fake.url, bounds=ONCE).costs(TODAY, TODAY)
