"""The budgets of a LiteLLM proxy's keys."""

from __future__ import annotations

from datetime import UTC, datetime

from spendtop.domain.clock import to_micros
from spendtop.domain.money import Usd
from spendtop.sources.pollers.litellm.limits import LitellmLimits
from tests.provider_pages import FakeApi, page
from tests.sources.pollers.polled import ONCE, told

DECEMBER = to_micros(datetime(2026, 12, 1, tzinfo=UTC))


HASH = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"


async def test_litellms_budgets_are_of_their_window() -> None:
    pages = {"/user/daily/activity": page("litellm/user_daily_activity"), "/key/info": page("litellm/key_info")}
    with FakeApi(pages, authorization="Bearer sk-canary") as fake:
        key, model = await told(LitellmLimits("sk-canary", fake.url, bounds=ONCE))
        assert [asked.one("key") for asked in fake.asked] == [None, HASH]
    assert (key.subject, key.name, key.amount, key.used) == (HASH, "ci", Usd.of(10), Usd.of("9.6"))
    assert (key.interval, key.resets_at) == ("30d", DECEMBER)
    assert (model.name, model.amount, model.used, model.resets_at) == ("ci gpt-4o", Usd.of(5), Usd.of("4.9"), None)
