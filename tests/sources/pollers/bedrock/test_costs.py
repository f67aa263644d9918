"""What AWS billed for Bedrock."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from spendtop.domain.clock import to_micros
from spendtop.sources.pollers import KeyRefused
from spendtop.sources.pollers.bedrock.costs import BedrockBills
from tests.provider_pages import FakeApi, part
from tests.sources.pollers.fake_provider import answer
from tests.sources.pollers.polled import ONCE, TODAY

NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))


AWS = "AKIACANARY:canary-secret"


async def test_bedrock_is_signed_split_by_tag_and_says_what_asking_costs() -> None:
    first = part("others/bedrock_get_cost_and_usage", "response")
    with FakeApi({"/": first}) as fake:
        poller = BedrockBills(AWS, fake.url, "iamPrincipal/team", bounds=ONCE, clock=lambda: NOW)
        costs = await poller.costs(TODAY - 2, TODAY)
        (asked,) = fake.asked
    assert [(each.project, each.line_item, each.amount) for each in costs.parts] == [
        ("checkout", "USE1-Claude-InputTokenCount", Decimal("1.2345678901")),
        ("", "USE1-Claude-OutputTokenCount", Decimal(0)),
    ]
    assert costs.flaws == ("Cost Explorer charges $0.01 a page; this poll took 1 page.",)
    assert asked.headers["x-amz-target"] == "AWSInsightsIndexService.GetCostAndUsage"
    assert msgspec.json.decode(asked.body)["TimePeriod"] == {"Start": "2026-11-26", "End": "2026-11-29"}
    assert asked.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIACANARY/20261128/us-east-1/ce/")
    assert "canary-secret" not in str(asked)


async def test_other_services_of_aws_and_a_token_that_comes_again_are_left_aside() -> None:
    day = {
        "TimePeriod": {"Start": "2026-11-27", "End": "2026-11-28"},
        "Groups": [
            {"Keys": [service], "Metrics": {"UnblendedCost": {"Amount": "1", "Unit": "USD"}}}
            for service in ("Amazon EC2", "Claude Sonnet 4.5 (Amazon Bedrock Edition)")
        ],
    }
    definitions = [{"Type": "DIMENSION", "Key": "SERVICE"}]
    with FakeApi(
        {"/": answer({"GroupDefinitions": definitions, "ResultsByTime": [day], "NextPageToken": "again"})}
    ) as fake:
        costs = await BedrockBills(AWS, fake.url, bounds=ONCE, clock=lambda: NOW).costs(TODAY - 2, TODAY)
        assert len(fake.asked) == 2
        with pytest.raises(KeyRefused, match="ID:SECRET"):
            await BedrockBills("canary", fake.url, bounds=ONCE).costs(TODAY, TODAY)
    assert {each.line_item for each in costs.parts} == {"Claude Sonnet 4.5"}
    assert "2 pages" in costs.flaws[0]
