"""OpenRouter's Broadcast destinations, against an OpenRouter of our own."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from spendtop.sources.destinations import Wish
from spendtop.sources.destinations.openrouter import OpenRouterDestinations
from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.sources.pollers.http_client import FetchBounds
from tests.sources.destinations.fake_destinations import MANAGEMENT_KEY, FakeOpenRouter

ADDRESS = "https://spend.example.org"
TRACES = f"{ADDRESS}/v1/traces"
WISH = Wish(address=ADDRESS, secret="canary-secret")
QUICK = FetchBounds(attempts=2, total=5.0, first_wait=0.01, longest_wait=0.02, jitter=0.01)


@pytest.fixture
def fake() -> Iterator[FakeOpenRouter]:
    with FakeOpenRouter() as running:
        yield running


def asking(fake: FakeOpenRouter, key: str = MANAGEMENT_KEY) -> OpenRouterDestinations:
    return OpenRouterDestinations(key, fake.url, bounds=QUICK)


async def test_a_new_one_tells_of_everything_but_prompts(fake: FakeOpenRouter) -> None:
    made = await asking(fake).make(WISH)
    body = msgspec.json.decode(fake.asked[-1].body)
    assert body == {
        "type": "otel-collector",
        "name": "spendtop",
        "enabled": True,
        "config": {"endpoint": TRACES, "headers": {"Authorization": "Bearer canary-secret"}},
        "privacy_mode": True,
        "sampling_rate": 1,
        "broadcast_generation_cost": True,
        "broadcast_generation_identity": True,
    }
    assert (made.is_new, made.destination.address, made.destination.is_sampled) == (True, ADDRESS, False)
    assert "canary" not in repr(made)


async def test_one_that_is_there_is_set_as_wished(fake: FakeOpenRouter) -> None:
    fake.add(TRACES, enabled=False, sampling_rate=0.1, broadcast_generation_cost=False)
    (before,) = await asking(fake).all()
    assert (before.is_enabled, before.sampling, before.sends_cost) == (False, 0.1, False)
    made = await asking(fake).make(Wish(address=ADDRESS, secret="s", sends_content=True))
    after = made.destination
    assert (made.is_new, after.is_enabled, after.sampling, after.sends_content) == (False, True, 1.0, True)
    assert len(fake.destinations) == 1


async def test_a_webhook_to_the_same_address_is_taken_over_as_one(fake: FakeOpenRouter) -> None:
    fake.add(TRACES, type="webhook", config={"url": TRACES})
    fake.add("https://elsewhere.example.org", type="datadog")
    await asking(fake).make(WISH)
    assert fake.destinations[0]["config"]["url"] == TRACES
    assert len(await asking(fake).all()) == 1


async def test_what_is_narrowed_is_seen(fake: FakeOpenRouter) -> None:
    rules = {"enabled": True, "groups": [{"logic": "and", "rules": []}]}
    fake.add(TRACES, api_key_hashes=["abc"], filter_rules=rules)
    (destination,) = await asking(fake).all()
    assert destination.part == "some keys and what its filter takes"


async def test_only_management_keys_may_and_it_is_said_where_they_are_made(fake: FakeOpenRouter) -> None:
    fake.is_management_key = False
    with pytest.raises(KeyRefused, match="management-keys") as failure:
        await asking(fake).make(WISH)
    assert "canary" not in str(failure.value)


async def test_more_than_it_takes_is_said(fake: FakeOpenRouter) -> None:
    for number in range(5):
        fake.add(f"https://{number}.example.org/v1/traces")
    with pytest.raises(PollFailed, match="at most 5"):
        await asking(fake).make(WISH)


async def test_deleting_takes_an_empty_answer_and_one_that_is_gone(fake: FakeOpenRouter) -> None:
    fake.add(TRACES)
    (destination,) = await asking(fake).all()
    await asking(fake).delete(destination)
    await asking(fake).delete(destination)
    assert fake.destinations == []
