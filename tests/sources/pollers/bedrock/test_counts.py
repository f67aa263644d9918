"""Calls and tokens that CloudWatch counts."""

from __future__ import annotations

import msgspec

from spendtop.domain.ledger.used import INPUT_TOKENS, REQUESTS, UsedPart
from spendtop.sources.pollers.bedrock.costs import BedrockBills
from tests.provider_pages import FakeApi, document, part
from tests.sources.pollers.fake_provider import Answer, Asked, answer
from tests.sources.pollers.polled import ONCE, TODAY


async def test_bedrocks_calls_and_tokens_are_counted_in_a_region_at_a_price_that_is_said() -> None:
    class Aws(FakeApi):
        def good(self, asked: Asked) -> Answer:
            if "GetMetricData" not in asked.headers["x-amz-target"]:
                return Answer(body=part("others/bedrock_get_cost_and_usage", "response"))
            metrics = document("others/bedrock_cloudwatch")
            metrics["MetricDataResults"][0] |= {"Id": "inputtokencount", "Label": "anthropic.claude-sonnet-4-5"}
            metrics["MetricDataResults"][1] |= {"Id": "invocations"}
            if b"NextToken" in asked.body:
                metrics["MetricDataResults"] = []
            return answer({**metrics, "NextToken": "again"})

    with Aws({}) as fake:
        poller = BedrockBills("AKIACANARY:canary-secret", fake.url, region="eu-west-1", bounds=ONCE)
        costs = await poller.costs(TODAY - 1, TODAY)
        first, second = (each for each in fake.asked if "GetMetricData" in each.headers["x-amz-target"])
    assert costs.used is not None
    calls = UsedPart(TODAY - 1, REQUESTS, 42)
    tokens = UsedPart(TODAY - 1, INPUT_TOKENS, 123_456, model="anthropic.claude-sonnet-4-5")
    assert costs.used.parts == (tokens, calls)
    assert costs.flaws[-1] == (
        "CloudWatch charges $0.01 for a thousand metrics; this poll took 2. Cut by CloudWatch: 1."
        " Its pages lead back to one that was read: what is behind it is missing here."
    )
    assert "/eu-west-1/monitoring/aws4_request" in first.headers["authorization"]
    assert msgspec.json.decode(second.body)["NextToken"] == "again"
    assert "canary-secret" not in str(fake.asked)
