"""Keys of further providers: no redirect gets them, and no message holds them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spendtop.domain.clock import to_micros
from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.sources.pollers.azure import AzureBills
from spendtop.sources.pollers.bedrock.costs import BedrockBills
from spendtop.sources.pollers.cursor import CursorBills
from spendtop.sources.pollers.fireworks import FireworksBills
from spendtop.sources.pollers.github_copilot import CopilotBills
from spendtop.sources.pollers.xai import XaiBills
from tests.provider_pages import FakeApi
from tests.sources.pollers.fake_provider import Answer
from tests.sources.pollers.polled import ONCE, TODAY

NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))


AWS = "AKIACANARY:canary-secret"


@pytest.mark.parametrize(
    "poller",
    [
        lambda url: XaiBills("canary-key", url, "t1", bounds=ONCE),
        lambda url: FireworksBills("canary-key", url, bounds=ONCE),
        lambda url: BedrockBills(AWS, url, bounds=ONCE),
        lambda url: AzureBills("canary-key", url, "subscriptions/SUB", bounds=ONCE),
        lambda url: CopilotBills("canary-key", url, "acme", bounds=ONCE),
        lambda url: CursorBills("canary-key", url, bounds=ONCE),
    ],
)
async def test_keys_follow_no_redirect_and_are_in_no_message(poller: object) -> None:
    assert callable(poller)
    with FakeApi({}) as elsewhere, FakeApi({}) as fake:
        for status, error in ((307, PollFailed), (401, KeyRefused), (404, PollFailed)):
            fake.always = lambda good, status=status: Answer(status=status, headers={"Location": elsewhere.url})
            with pytest.raises(error) as failure:
                await poller(fake.url).costs(TODAY, TODAY)
            assert "canary" not in str(failure.value)
        assert elsewhere.asked == []
