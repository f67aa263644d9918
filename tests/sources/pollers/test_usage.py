"""What providers count beside money, from servers that answer as the contract says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from spendtop.domain.clock import DAY, to_micros
from spendtop.domain.ledger.used import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, UsedPart, by_unit, used_words
from spendtop.sources.pollers.anthropic_analytics import AnthropicAnalytics
from spendtop.sources.pollers.bedrock import BedrockBills
from spendtop.sources.pollers.http_client import FetchBounds
from spendtop.sources.pollers.openai_bills import OpenAIBills
from tests.provider_pages import FakeApi, document, page, part
from tests.sources.pollers.fake_provider import Answer, Asked, answer

ONCE = FetchBounds(attempts=1)
TODAY = to_micros(datetime(2026, 11, 28, tzinfo=UTC)) // DAY
ANALYTICS = "/v1/organizations/analytics"
OPENAI_DAY = 1795651200 // 86400
OPENAI_COSTS = "/v1/organization/costs"
KINDS = (
    *("completions", "decisions", "embeddings", "moderations", "audio_speeches", "audio_transcriptions", "images"),
    *("vector_stores", "code_interpreter_sessions", "file_search_calls", "web_search_calls"),
)


async def test_anthropics_usage_adds_up_its_disjoint_parts_by_key_and_model() -> None:
    pages = {
        f"{ANALYTICS}/{kind}": page(f"anthropic/analytics_{name}")
        for kind, name in (("cost", "cost_page2"), ("usage", "usage"))
    }
    with FakeApi(pages, x_api_key="sk-ant-admin-canary") as fake:
        costs = await AnthropicAnalytics("sk-ant-admin-canary", fake.url, bounds=ONCE).costs(TODAY - 2, TODAY)
        asked = next(each for each in fake.asked if each.path.endswith("/usage"))
    assert costs.used is not None

    def yesterday(unit: str, quantity: int) -> UsedPart:
        return UsedPart(TODAY - 1, unit, quantity, api_key="apikey_01Rj2", model="claude-sonnet-4-5")

    assert costs.used.parts == (
        yesterday(INPUT_TOKENS, 621_000),
        yesterday(OUTPUT_TOKENS, 40_000),
        yesterday(REQUESTS, 210),
        yesterday("web searches", 20),
    )
    whole = document("anthropic/analytics_usage")["data"][0]["usage"]["total_tokens"]
    assert by_unit(costs.used.parts)[INPUT_TOKENS] + by_unit(costs.used.parts)[OUTPUT_TOKENS] == whole
    assert asked.headers["anthropic-beta"] == "analytics-usage-cost-2026-08-24"
    assert (asked.one("starting_at"), asked.one("limit")) == ("2026-11-26T00:00:00Z", "1000")


@pytest.mark.parametrize(
    "broken", [answer({}, 403), answer({"data": [{"usage": 1}], "has_more": False}), answer({}, 503)]
)
async def test_bills_are_kept_where_counts_are_refused_or_odd_and_that_is_said(broken: Answer) -> None:
    pages: dict[str, Any] = {f"{ANALYTICS}/cost": page("anthropic/analytics_cost_page2"), f"{ANALYTICS}/usage": broken}
    with FakeApi(pages) as fake:
        costs = await AnthropicAnalytics("sk-ant-admin-canary", fake.url, bounds=ONCE).costs(TODAY - 2, TODAY)
    assert costs.used is None and costs.parts
    assert costs.flaws[-1].startswith("Tokens are shown as seen here alone: Anthropic")


async def test_openais_usage_is_read_of_everything_that_it_counts() -> None:
    pages = {f"/v1/organization/usage/{kind}": page(f"openai/usage_{kind}") for kind in KINDS}
    del pages["/v1/organization/usage/decisions"]  # an organization without it answers 404
    with FakeApi({OPENAI_COSTS: page("openai/costs_by_line_item"), **pages}) as fake:
        costs = await OpenAIBills("sk-admin-canary", fake.url, bounds=ONCE).costs(OPENAI_DAY - 40, OPENAI_DAY)
        asked = {each.path.rpartition("/")[2]: each for each in fake.asked if "/usage/" in each.path}
    assert costs.used is not None
    assert by_unit(costs.used.parts) == {
        INPUT_TOKENS: 1_000 + 8_000 + 16,
        OUTPUT_TOKENS: 500,
        REQUESTS: 5 + 3 + 2 + 1 + 1 + 2,
        "characters spoken": 45,
        "seconds of audio": 20,
        "images": 2,
        "bytes in vector stores": 1024,
        "sessions of the code interpreter": 1,
        "file searches": 4,
        "web searches": 20,
    }
    assert used_words(by_unit(costs.used.parts)).startswith(
        "1,024 bytes in vector stores, 45 characters spoken, 4 file"
    )
    completions = next(part for part in costs.used.parts if part.unit == INPUT_TOKENS)
    assert completions[3:] == ("proj_checkout", "key_ABC123", "", "gpt-6-astra")
    assert asked["images"].query["group_by"] == ["project_id", "user_id", "api_key_id", "model"]
    assert asked["vector_stores"].query["group_by"] == ["project_id"]
    assert costs.used.first_day == OPENAI_DAY - 30


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
