"""Bills and balances of further providers, from servers that answer as the contract says."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from spendtop.domain.clock import DAY, to_micros
from spendtop.domain.ledger.amounts import BilledName
from spendtop.domain.limits.provider_limits import ProviderLimit
from spendtop.domain.money import Usd
from spendtop.sources.pollers import CostPoller, KeyRefused, PollFailed
from spendtop.sources.pollers.aws_signature import AwsKey
from spendtop.sources.pollers.azure import AzureBills
from spendtop.sources.pollers.bedrock import BedrockBills
from spendtop.sources.pollers.cursor import CursorBills, CursorLimits
from spendtop.sources.pollers.deepinfra import DeepInfraBalance, DeepInfraLimits
from spendtop.sources.pollers.fireworks import FireworksBills
from spendtop.sources.pollers.github_copilot import CopilotBills
from spendtop.sources.pollers.http_client import FetchBounds
from spendtop.sources.pollers.xai import XaiBalance, XaiBills
from tests.provider_pages import FakeApi, document, page, part
from tests.sources.pollers.fake_provider import Answer, Asked, answer

ONCE = FetchBounds(attempts=1)
NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))
TODAY = NOW // DAY
AWS = "AKIACANARY:canary-secret"
COPILOT = "/organizations/acme/settings/billing"
TEAM = "/v1/billing/teams/t1"
QUERY = "/subscriptions/SUB/providers/Microsoft.CostManagement/query"


async def billed(poller: CostPoller, days: int = 2) -> dict[tuple[int, str, str], Decimal]:
    """US dollars by day (0 is today, -1 yesterday), project and line item."""
    costs = await poller.costs(TODAY - days + 1, TODAY)
    return {(each.day - TODAY, each.project, each.line_item): each.amount for each in costs.parts}


async def test_xais_balance_is_turned_cents_less_the_use_of_the_month() -> None:
    usage = part("others/xai_usage", "response")
    pages = {f"{TEAM}/prepaid/balance": page("others/xai_prepaid_balance"), f"{TEAM}/usage": usage}
    with FakeApi(pages, authorization="Bearer xai-canary") as fake:
        poller = XaiBalance("xai-canary", fake.url, "t1", bounds=ONCE, clock=lambda: NOW)
        assert (await poller.balance(), poller.remark) == (Usd.of("8.25"), "")
        asked = msgspec.json.decode(fake.asked[1].body)["analyticsRequest"]["timeRange"]
        assert (asked["startTime"], asked["endTime"]) == ("2026-11-01 00:00:00", "2026-11-29 00:00:00")
        fake.pages[f"{TEAM}/usage"] = usage.replace(b'"limitReached": false', b'"limitReached": true')
        await poller.balance()
        assert "the least that was used" in poller.remark
        del fake.pages[f"{TEAM}/usage"]
        assert await poller.balance() == Usd.of(10)


async def test_xais_use_is_billed_by_day_and_a_cut_answer_is_said() -> None:
    usage = part("others/xai_usage", "response")
    with FakeApi({f"{TEAM}/usage": usage}) as fake:
        poller = XaiBills("xai-canary", fake.url, "t1", bounds=ONCE)
        assert await billed(poller) == {(-1, "", ""): Decimal("1.5"), (0, "", ""): Decimal("0.25")}
        fake.pages[f"{TEAM}/usage"] = usage.replace(b'"limitReached": false', b'"limitReached": true')
        assert "the least" in (await poller.costs(TODAY, TODAY)).flaws[0]
        with pytest.raises(PollFailed, match="scope of the account"):
            await XaiBills("xai-canary", fake.url, bounds=ONCE).costs(TODAY, TODAY)


async def test_deepinfra_tells_negative_credit_a_limit_and_the_month_in_cents() -> None:
    pages = {
        "/payment/checklist": part("others/deepinfra", "checklist"),
        "/payment/usage": part("others/deepinfra", "usage"),
    }
    with FakeApi(pages, authorization="Bearer canary") as fake:
        poller = DeepInfraBalance("canary", fake.url, bounds=ONCE)
        assert (await poller.balance(), poller.remark) == (Usd.of("12.5"), "$4.20 this month.")
        assert fake.asked[0].one("compute_owed") == "true"
        (limit,) = (await DeepInfraLimits("canary", fake.url, bounds=ONCE).limits(NOW)).limits
        suspended = pages["/payment/checklist"].replace(b'"suspended": false', b'"suspended": true')
        fake.pages["/payment/checklist"] = suspended
        await poller.balance()
        assert "suspended" in poller.remark
    assert (limit.amount, limit.used) == (Usd.of(100), Usd.of("4.2"))


async def test_fireworks_adds_units_and_nanos_day_by_day() -> None:
    class Days(FakeApi):
        def good(self, asked: Asked) -> Answer:
            if asked.one("startTime") == "2026-11-27T00:00:00Z":
                return Answer(body=page("others/fireworks"))
            return super().good(asked)

    pages = {
        "/v1/accounts": b'{"accounts": [{"name": "accounts/acme"}]}',
        "/v1/accounts/acme/billing/summary": b'{"lineItems": []}',
    }
    with Days(pages, authorization="Bearer fw-canary") as fake:
        amounts = await billed(FireworksBills("fw-canary", fake.url, bounds=ONCE))
        assert len(fake.asked) == 1 + 2
    assert sum(amounts.values()) == Decimal(document("others/fireworks")["expected_usd"])
    assert amounts[-1, "", "x, tokens"] == Decimal("1.25")


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


def test_aws_requests_are_signed_as_amazons_example_is() -> None:
    key = AwsKey.of("AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    assert key is not None and "wJalr" not in repr(key)
    at = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    signed = key.sign("example.amazonaws.com", b"", {}, at, service="service", region="us-east-1")
    assert signed["authorization"].endswith(
        "SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    )
    assert hashlib.sha256(b"").hexdigest().startswith("e3b0c442")
    temporary = AwsKey.of("ID:SECRET:TOKEN")
    assert temporary is not None
    assert temporary.sign("h", b"", {}, at, service="s", region="r")["x-amz-security-token"] == "TOKEN"
    assert AwsKey.of("no colon") is None


async def test_azure_is_read_by_the_names_of_columns_and_never_asked_elsewhere() -> None:
    table = document("others/azure_query")["response"]
    first, second = msgspec.json.decode(msgspec.json.encode(table)), table
    second["properties"]["columns"] = [
        {"name": "Surprise", "type": "String"},
        *reversed(table["properties"]["columns"]),
    ]
    rows = [["?", *reversed(row)] for row in table["properties"]["rows"]]
    second["properties"]["rows"] = [
        ["2026-11-27T00:00:00" if cell == 20261127 else cell for cell in row] for row in rows
    ]
    with FakeApi({QUERY: b"", "/next": answer(second)}, authorization="Bearer canary") as fake:
        first["properties"]["nextLink"] = f"{fake.url}/next?page=2"
        fake.pages[QUERY] = answer(first)
        poller = AzureBills("canary", fake.url, "/subscriptions/SUB/", bounds=ONCE)
        costs = await poller.costs(TODAY - 1, TODAY)
        assert [(asked.method, asked.path) for asked in fake.asked] == [("POST", QUERY), ("POST", "/next")]
        assert fake.asked[0].one("api-version") == "2025-03-01"
        first["properties"]["nextLink"] = "http://elsewhere.invalid/next"
        fake.pages[QUERY] = answer(first)
        with pytest.raises(PollFailed, match="another host"):
            await poller.costs(TODAY - 1, TODAY)
    assert sum(each.amount for each in costs.parts) == Decimal(4)
    assert {(each.day - TODAY, each.project) for each in costs.parts} == {(-1, "oai")}
    assert {each.line_item for each in costs.parts} == {"gpt-4o Input Tokens", "gpt-4o Output Tokens"}
    assert costs.flaws == ()


async def test_copilots_charge_is_the_net_amount_by_the_newer_route_or_the_older() -> None:
    newer, older = f"{COPILOT}/ai_credit/usage", f"{COPILOT}/premium_request/usage"
    with FakeApi({newer: page("others/github_ai_credit")}, authorization="Bearer ghp-canary") as fake:
        poller = CopilotBills("ghp-canary", fake.url, "acme", bounds=ONCE)
        item = "Copilot AI Credits, Claude Sonnet 4.5"
        assert await billed(poller) == {(-1, "", item): Decimal(6), (0, "", item): Decimal(6)}
        assert (fake.asked[0].one("year"), fake.asked[0].one("month"), fake.asked[0].one("day")) == ("2026", "11", "27")
        fake.pages = {older: page("others/github_ai_credit")}
        await billed(poller)
        assert fake.paths()[2:] == [newer, older, older]
        fake.pages = {older: answer({"message": "no"}, 403)}
        with pytest.raises(KeyRefused, match="Administration"):
            await billed(poller)


async def test_cursor_charges_usage_based_events_and_the_difference_of_a_member() -> None:
    pages = {
        "/teams/filtered-usage-events": part("others/cursor", "events"),
        "/teams/spend": part("others/cursor", "spend"),
    }
    basic = b64encode(b"key-canary:").decode()
    with FakeApi(pages, authorization=f"Basic {basic}") as fake:
        costs = await CursorBills("key-canary", fake.url, bounds=ONCE).costs(TODAY - 2, TODAY)
        (member,) = (await CursorLimits("key-canary", fake.url, bounds=ONCE).limits(NOW)).limits
        later = pages["/teams/filtered-usage-events"].replace(b'"Usage-based"', b'"USAGE_EVENT_KIND_USAGE_BASED"')
        fake.pages["/teams/filtered-usage-events"] = later
        assert len((await CursorBills("key-canary", fake.url, bounds=ONCE).costs(TODAY - 2, TODAY)).parts) == 1
        included = pages["/teams/filtered-usage-events"].replace(b'"Usage-based"', b'"Included in Business"')
        fake.pages["/teams/filtered-usage-events"] = included
        assert (await CursorBills("key-canary", fake.url, bounds=ONCE).costs(TODAY - 2, TODAY)).parts == ()
    expected = document("others/cursor")["expected"]
    assert [(each.line_item, each.amount) for each in costs.parts] == [
        ("claude-sonnet-4.5, tokens", Decimal(expected["event_usd"]))
    ]
    assert costs.names == (BilledName("user", "alice@example.com", "alice@example.com"),)
    assert member == ProviderLimit(
        scope="user",
        subject="u1",
        name="alice@example.com",
        amount=None,
        used=Usd.of(expected["on_demand_usd"]),
        interval="cycle",
    )


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
