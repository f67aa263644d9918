from __future__ import annotations

from collections.abc import Iterator

import pytest

from spendtop.domain.errors import UsageError
from spendtop.sources.helicone_webhooks import HeliconeWebhooks, is_reachable
from spendtop.sources.pollers import KeyRefused, PollFailed
from tests.sources.pollers.fake_helicone import WEBHOOKS, FakeHelicone

ADDRESS = "https://spend.example.com/webhook"


@pytest.fixture
def fake() -> Iterator[FakeHelicone]:
    with FakeHelicone().running() as running:
        yield running


def webhooks(fake: FakeHelicone) -> HeliconeWebhooks:
    return HeliconeWebhooks(fake.key, fake.url)


@pytest.mark.parametrize("quoted", [False, True])
async def test_a_new_webhook_tells_of_everything_and_comes_with_its_secret(fake: FakeHelicone, quoted: bool) -> None:
    fake.quotes_integers = quoted
    made = await webhooks(fake).create(ADDRESS)
    assert (made.id, made.destination, made.secret) == ("1", ADDRESS, fake.webhooks[0]["hmac_key"])
    assert made.tells_all
    assert made.secret not in repr(made)
    assert fake.questions(WEBHOOKS)[1] == {
        "destination": ADDRESS,
        "config": {"sampleRate": 100, "propertyFilters": []},
        "includeData": True,
    }


async def test_an_address_never_gets_two_webhooks(fake: FakeHelicone) -> None:
    first = await webhooks(fake).create(ADDRESS)
    assert await webhooks(fake).create(ADDRESS) == first
    assert len(await webhooks(fake).list()) == 1


async def test_making_one_is_never_tried_twice(fake: FakeHelicone) -> None:
    fake.fail(WEBHOOKS, 502, skip=1)
    with pytest.raises(PollFailed):
        await webhooks(fake).create(ADDRESS)
    assert [asked.method for asked in fake.asked] == ["GET", "POST"]


@pytest.mark.parametrize(
    "config",
    [
        {"sampleRate": 50},
        {"sampleRate": 100, "propertyFilters": [{"key": "environment", "value": "prod"}]},
        {"sampleRate": 100, "includeData": False},
    ],
)
async def test_a_webhook_that_leaves_something_out_is_seen(fake: FakeHelicone, config: dict[str, object]) -> None:
    await webhooks(fake).create(ADDRESS)
    fake.webhooks[0]["config"] = config
    (found,) = await webhooks(fake).list()
    assert not found.tells_all


@pytest.mark.parametrize("config", [None, "", {}])
async def test_a_webhook_without_a_configuration_has_the_usual_one(fake: FakeHelicone, config: object) -> None:
    await webhooks(fake).create(ADDRESS)
    fake.webhooks[0] |= {"config": config, "hmac_key": None}
    (found,) = await webhooks(fake).list()
    assert (found.tells_all, found.secret) == (True, "")


@pytest.mark.parametrize(
    "address",
    [
        "http://spend.example.com/webhook",
        "https://localhost/webhook",
        "https://box.local/webhook",
        "https://10.0.0.7/webhook",
        "https://[::1]/webhook",
        "https://127.0.0.1.",
        "https://",
        "https://[",
        "spend.example.com",
    ],
)
async def test_an_address_to_which_helicone_never_sends_is_refused_before_it_is_asked(
    fake: FakeHelicone, address: str
) -> None:
    assert not is_reachable(address)
    with pytest.raises(UsageError, match="public https"):
        await webhooks(fake).create(address)
    assert fake.asked == []


async def test_deleting_removes_one_and_may_be_repeated(fake: FakeHelicone) -> None:
    made = await webhooks(fake).create(ADDRESS)
    await webhooks(fake).create(ADDRESS + "/2")
    for _ in range(2):
        await webhooks(fake).delete(made.id)
    assert [webhook.destination for webhook in await webhooks(fake).list()] == [ADDRESS + "/2"]


async def test_a_test_event_arrives_or_is_said_not_to(fake: FakeHelicone) -> None:
    sent: list[str] = []
    made = await webhooks(fake).create(ADDRESS)
    fake.delivers_test = sent.append
    await webhooks(fake).test(made.id)
    assert sent == [ADDRESS]
    fake.delivers_test = lambda destination: "Webhook returned 404 canary"
    with pytest.raises(PollFailed, match="did not arrive") as caught:
        await webhooks(fake).test(made.id)
    assert "canary" not in str(caught.value)
    with pytest.raises(PollFailed, match="connect again"):
        await webhooks(fake).test("77")


async def test_an_id_never_leads_elsewhere(fake: FakeHelicone) -> None:
    with pytest.raises(PollFailed):
        await webhooks(fake).delete("../request")
    assert fake.asked == []


async def test_a_key_that_may_only_read_sees_webhooks_and_makes_none(fake: FakeHelicone) -> None:
    fake.permissions = "r"
    assert await webhooks(fake).list() == ()
    with pytest.raises(KeyRefused, match="read and write permission"):
        await webhooks(fake).create(ADDRESS)


@pytest.mark.parametrize("raw", [b'{"data": {"a": 1}}', b'{"data": [1]}', b'{"data": [{"id": 1}]}'])
async def test_a_list_that_is_none_is_said_to_be_undocumented(fake: FakeHelicone, raw: bytes) -> None:
    fake.fail(WEBHOOKS, 200, raw=raw)
    with pytest.raises(PollFailed, match="not as documented"):
        await webhooks(fake).list()
