"""What a LiteLLM proxy counted by key, user and model."""

from __future__ import annotations

from spendtop.domain.ledger.amounts import BilledName
from spendtop.domain.ledger.used import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS
from spendtop.domain.money import Usd
from spendtop.sources.pollers.litellm.activity import LitellmActivity
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_provider import answer
from tests.sources.pollers.polled import ONCE, TODAY, by_day

CI = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"


async def test_litellms_activity_is_read_by_key_user_and_model() -> None:
    with FakeApi({"/user/daily/activity": page("litellm/user_daily_activity")}) as fake:
        costs = await LitellmActivity("sk-canary", fake.url, bounds=ONCE).costs(TODAY - 1, TODAY)
        (asked,) = fake.asked
    expected = document("litellm/user_daily_activity.expected")["by_day"]
    assert by_day(costs) == {(day,): Usd.of(each["usd"]) for day, each in expected.items()}
    assert {part.api_key for part in costs.parts} == {CI}
    assert costs.users is not None and {user for _, user, _ in costs.users} == {"u1"}
    assert costs.names == (BilledName("key", CI, "ci", "team-1"),)
    assert (asked.one("start_date"), asked.one("end_date")) == ("2026-11-27", "2026-11-28")
    assert costs.used is not None
    whose = {"project": "team-1", "api_key": CI, "user": "u1"}
    counts = [(INPUT_TOKENS, 1_000), (OUTPUT_TOKENS, 100), (REQUESTS, 9)]
    of_today = [part for part in costs.used.parts if part.day == TODAY]
    assert [(part.unit, part.quantity) for part in of_today] == counts
    assert all((part.project, part.api_key, part.user) == tuple(whose.values()) and part.model for part in of_today)


async def test_what_litellm_cannot_price_or_has_no_room_for_is_said() -> None:
    activity = document("litellm/user_daily_activity")
    activity["results"][1]["breakdown"]["models"]["claude-nonexistent-9"]["metrics"]["spend"] = 0
    activity["results"][0]["metrics"] |= {"spend": 2.0, "prompt_tokens": 1_500}
    activity["metadata"] |= {"api_key_limit": 1, "total_api_keys": 4}
    with FakeApi({"/user/daily/activity": answer(activity)}) as fake:
        costs = await LitellmActivity("sk-canary", fake.url, bounds=ONCE).costs(TODAY - 1, TODAY)
    assert by_day(costs, "api_key")["2026-11-28", ""] == Usd.of("0.5")
    assert costs.used is not None
    assert [part[1:4] for part in costs.used.parts if not part.api_key] == [(INPUT_TOKENS, 500, "")]
    assert [flaw.split(":")[0] for flaw in costs.flaws] == [
        "LiteLLM has no price for 1 models that were used",
        "LiteLLM's answer has no room for 3 keys",
    ]
