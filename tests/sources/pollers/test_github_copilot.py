"""What GitHub charges for Copilot."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from spendtop.domain.clock import to_micros
from spendtop.sources.pollers import KeyRefused
from spendtop.sources.pollers.github_copilot import CopilotBills
from tests.provider_pages import FakeApi, page
from tests.sources.pollers.fake_provider import answer
from tests.sources.pollers.polled import ONCE, billed

NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))


COPILOT = "/organizations/acme/settings/billing"


async def test_copilots_charge_is_the_net_amount_by_the_newer_route_or_the_older() -> None:
    newer, older = f"{COPILOT}/ai_credit/usage", f"{COPILOT}/premium_request/usage"
    with FakeApi({newer: page("others/github_ai_credit")}, authorization="Bearer ghp-canary") as fake:
        poller = CopilotBills("ghp-canary", fake.url, "acme", bounds=ONCE)
        item = "Copilot AI Credits, Claude Sonnet 4.5"
        assert await billed(poller) == {(-1, "", item): Decimal(6), (0, "", item): Decimal(6)}
        assert (fake.asked[0].one("year"), fake.asked[0].one("month"), fake.asked[0].one("day")) == ("2026", "11", "27")
        fake.pages = {older: page("others/github_ai_credit")}
        await billed(poller)
        assert fake.paths()[2:] == [newer, older, older]
        fake.pages = {older: answer({"message": "no"}, 403)}
        with pytest.raises(KeyRefused, match="Administration"):
            await billed(poller)
