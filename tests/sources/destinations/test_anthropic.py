"""Anthropic's telemetry destinations, against an Anthropic of our own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spendtop.sources.destinations import Wish
from spendtop.sources.destinations.anthropic import BETWEEN_TESTS, AnthropicDestinations
from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.sources.pollers.http_client import FetchBounds
from tests.sources.destinations.fake_destinations import ADMIN_KEY, FakeAnthropic, anthropic_error
from tests.sources.pollers.fake_provider import redirected, slow_down, truncated, web_page

ADDRESS = "https://spend.example.org"
WISH = Wish(address=ADDRESS, secret="canary-secret")
QUICK = FetchBounds(attempts=3, total=5.0, first_wait=0.01, longest_wait=0.02, jitter=0.01)


@pytest.fixture
def fake() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as running:
        yield running


def asking(fake: FakeAnthropic, key: str = ADMIN_KEY) -> AnthropicDestinations:
    return AnthropicDestinations(key, fake.url, bounds=QUICK, tested=QUICK)


async def test_a_test_that_comes_too_soon_is_asked_for_again(fake: FakeAnthropic) -> None:
    fake.add(ADDRESS)
    (destination,) = await asking(fake).all()
    fake.script(slow_down())
    assert await asking(fake).test(destination) is None
    assert BETWEEN_TESTS.first_wait > 10


async def test_a_new_one_is_made_as_the_contract_says(fake: FakeAnthropic) -> None:
    made = await asking(fake).make(WISH)
    assert (made.is_new, made.destination.address, made.destination.is_enabled) == (True, ADDRESS, True)
    assert fake.bodies() == [
        {
            "endpoint_url": ADDRESS,
            "display_name": "spendtop",
            "headers": {"authorization": "Bearer canary-secret"},
            "workspaces": {"type": "all"},
            "traces": {"content_mode": "metadata_only"},
        }
    ]
    assert "canary" not in repr(WISH) + repr(made)


async def test_prompts_and_workspaces_are_asked_for_where_they_are_wanted(fake: FakeAnthropic) -> None:
    wish = Wish(address=ADDRESS, secret="s", sends_content=True, workspaces=("wrkspc_1", "wrkspc_2"))
    made = await asking(fake).make(wish)
    assert fake.bodies()[0]["workspaces"] == {"type": "include", "workspace_ids": ["wrkspc_1", "wrkspc_2"]}
    assert (made.destination.sends_content, made.destination.part) == (True, "2 workspaces")


async def test_one_that_is_there_gets_the_secret_anew_and_is_switched_on(fake: FakeAnthropic) -> None:
    off = {"type": "disabled", "reason": {"type": "redirect"}}
    there = fake.add(ADDRESS, state=off)
    (before,) = await asking(fake).all()
    assert (before.is_enabled, before.disabled_why) == (False, "redirect")
    made = await asking(fake).make(WISH)
    assert (made.is_new, made.destination.is_enabled, len(fake.destinations)) == (False, True, 1)
    assert fake.headers[there["id"]] == {"authorization": "Bearer canary-secret"}


async def test_all_pages_are_read_and_one_that_comes_again_ends_it(fake: FakeAnthropic) -> None:
    for number in range(7):
        fake.add(f"https://{number}.example.org")
    fake.page_size = 3
    assert len(await asking(fake).all()) == 7
    fake.repeats_pages = True
    with pytest.raises(PollFailed, match="leads back"):
        await asking(fake).all()


async def test_a_conflict_is_looked_at_anew(fake: FakeAnthropic) -> None:
    fake.add(ADDRESS)
    fake.script(None, lambda _: anthropic_error(409, "conflict_error"))
    assert not (await asking(fake).make(WISH)).is_new
    assert [asked.method for asked in fake.asked] == ["GET", "POST", "GET", "POST"]


async def test_making_waits_as_long_as_it_is_told_and_never_makes_two(fake: FakeAnthropic) -> None:
    fake.script(None, slow_down(1))
    assert (await asking(fake).make(WISH)).destination.address == ADDRESS
    assert [asked.method for asked in fake.asked] == ["GET", "POST", "GET", "POST"]
    assert len(fake.destinations) == 1  # made by the first try, although that was answered with 429


async def test_a_fault_while_making_is_not_tried_blindly(fake: FakeAnthropic) -> None:
    fake.script(None, lambda _: anthropic_error(502, "api_error"))
    with pytest.raises(PollFailed):
        await asking(fake).make(WISH)
    assert [asked.method for asked in fake.asked] == ["GET", "POST"]


async def test_health_is_by_the_times_as_a_success_does_not_clear_the_error(fake: FakeAnthropic) -> None:
    old, new = "2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z"
    error = "HTTP error (status 503)"
    fake.add(ADDRESS, delivery_health={"last_success_at": new, "last_error": error, "last_error_at": old})
    fake.add(ADDRESS, delivery_health={"last_success_at": old, "last_error": error, "last_error_at": new})
    fake.add(ADDRESS, delivery_health={"last_success_at": None, "last_error": error, "last_error_at": new})
    assert [each.is_failing for each in await asking(fake).all()] == [True, True, False]


async def test_a_test_says_why_it_failed(fake: FakeAnthropic) -> None:
    fake.add(ADDRESS)
    (destination,) = await asking(fake).all()
    assert await asking(fake).test(destination) is None
    fake.test_error = "HTTP error (status 403)"
    assert await asking(fake).test(destination) == "HTTP error (status 403)"


async def test_one_that_is_gone_need_not_be_deleted(fake: FakeAnthropic) -> None:
    fake.add(ADDRESS)
    (destination,) = await asking(fake).all()
    await asking(fake).delete(destination)
    await asking(fake).delete(destination)
    assert fake.destinations == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda _: anthropic_error(403, "permission_error"), "may not manage telemetry destinations"),
        (lambda _: anthropic_error(404, "not_found_error"), "in beta"),
        (lambda _: anthropic_error(400, "invalid_request_error"), "at most 10"),
        (redirected("http://127.0.0.1:9/"), "redirect"),
        (truncated, "JSON"),
        (web_page, "web page"),
    ],
)
async def test_faults_are_sentences_that_hold_no_key(fake: FakeAnthropic, fault: object, said: str) -> None:
    fake.always = fault  # type: ignore[assignment]
    with pytest.raises(PollFailed, match=said) as failure:
        await asking(fake).make(WISH)
    assert "canary" not in str(failure.value)


async def test_a_key_of_another_kind_is_said_to_be_one(fake: FakeAnthropic) -> None:
    with pytest.raises(KeyRefused, match="begins with sk-ant-admin") as failure:
        await asking(fake, "sk-ant-api03-canary").all()
    assert "canary" not in str(failure.value)
