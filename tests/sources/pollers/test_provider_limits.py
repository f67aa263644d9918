"""What all have in common that tell limits."""

from __future__ import annotations

import asyncio

import pytest

from spendtop.domain.money import Usd
from spendtop.sources.pollers import PollFailed
from spendtop.sources.pollers.litellm.limits import LitellmLimits
from spendtop.sources.pollers.openai.costs import OpenAICosts
from spendtop.sources.pollers.openrouter.limits import OpenRouterLimits
from tests.provider_pages import FakeApi, document, page
from tests.sources.pollers.fake_provider import Answer, answer
from tests.sources.pollers.polled import ONCE, OPENAI, ORGANIZATION, openai, told


async def test_nulls_and_older_shapes_are_no_reason_to_tell_nothing() -> None:
    bare = answer({"data": {"label": "sk-or-v1-x", "limit": 5, "limit_remaining": None, "budgets": None}})
    with FakeApi({"/api/v1/key": bare}) as fake:
        (key,) = await told(OpenRouterLimits("sk-or-canary", fake.url, bounds=ONCE))
    assert (key.amount, key.used, key.interval) == (Usd.of(5), None, "lifetime")
    info = {"info": {"max_budget": None, "model_max_budget": {"gpt-4o": 2.5, "o3": None}, "surprise": [1]}}
    activity = answer(document("litellm/user_daily_activity"))
    pages = {"/user/daily/activity": activity, "/key/info": answer(info)}
    with FakeApi(pages) as fake:
        (model,) = await told(LitellmLimits("sk-canary", fake.url, bounds=ONCE))
    assert (model.name, model.amount, model.used) == ("ci gpt-4o", Usd.of("2.5"), None)


async def test_a_list_that_leads_back_to_what_was_read_ends_and_says_so() -> None:
    round_trip = page("openai/projects").replace(b'"has_more": false', b'"has_more": true')
    with FakeApi({**OPENAI, f"{ORGANIZATION}/projects": round_trip}) as fake:
        with pytest.raises(PollFailed, match="leads back to what was read"):
            await told(openai(fake))
        assert fake.paths().count(f"{ORGANIZATION}/projects") == 2


async def test_a_redirect_is_never_followed_with_the_key() -> None:
    with FakeApi({}) as elsewhere, FakeApi({}) as fake:
        fake.always = lambda good: Answer(status=307, headers={"Location": elsewhere.url})
        for poller in (openai(fake), OpenRouterLimits("sk-or-canary", fake.url, bounds=ONCE)):
            with pytest.raises(PollFailed, match="redirect"):
                await told(poller)
        assert elsewhere.asked == []


async def test_one_provider_is_asked_one_thing_at_a_time() -> None:
    pages = {**OPENAI, f"{ORGANIZATION}/costs": b'{"data": [], "has_more": false}'}
    with FakeApi(pages) as fake:
        costs = OpenAICosts("sk-admin-canary", fake.url, bounds=ONCE)
        await asyncio.gather(told(openai(fake)), costs.costs(1, 2), told(openai(fake)), return_exceptions=True)
        assert fake.paths()[5] == f"{ORGANIZATION}/costs"
