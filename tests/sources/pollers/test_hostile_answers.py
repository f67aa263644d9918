"""What every poller of a provider does with a redirect, a refusal, half an answer, pages without an end and amounts
that are none. A poller that is registered without a row here fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from spendtop.domain.clock import DAY, to_micros
from spendtop.domain.money import Usd
from spendtop.sources.pollers import CostPoller, LimitPoller, PollFailed
from spendtop.sources.pollers.anthropic_analytics import AnthropicAnalytics
from spendtop.sources.pollers.balances import KeyedBalance
from spendtop.sources.pollers.openrouter_activity import OpenRouterActivity
from spendtop.sources.registry import ACCOUNT_BILLS, BALANCE_POLLERS, COST_POLLERS, LIMIT_POLLERS, Access
from tests.provider_pages import FakeApi
from tests.sources.pollers.fake_provider import Answer, Asked, answer, error_in_200, redirected, truncated, web_page

NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))
TODAY = NOW // DAY
KEY = "ID:canary-key"
SCOPES = {"azure": "subscriptions/S", "fireworks": "acme", "github-copilot": "acme", "xai": "team"}
CENT, TURNED = Decimal("0.01"), Decimal(-1)
SECONDS = TODAY * 86_400

BAD_AMOUNTS = ('"NaN"', '"-Infinity"', "1e400", "true", "{}", "[]", '"12 USD"', '""', "9" * 400, '"0x10"')
EXACT_AMOUNTS = ("12.5", '"-3"', "1e-7", '"2E+2"', "0", '"0.123456789012345678901234567890123456"')


@dataclass(frozen=True)
class Case:
    """A poller, the pages of a provider that is well, and those of one whose pages lead back to themselves."""

    pages: Mapping[str, str]
    """By path; AMOUNT stands where the amount is."""
    unit: Decimal = Decimal(1)
    """What one of it is worth in US dollars."""
    endless: Mapping[str, str] = field(default_factory=dict)


LITELLM_DAY = (
    '{"results": [{"date": "2026-11-28", "metrics": {"spend": %s}, "breakdown": {"api_keys": {"k1": {"metrics":'
    ' {"spend": %s}}}}}], "metadata": {"page": 1, "has_more": %s}}'
)
ANALYTICS_PAGE = (
    '{"data": [{"starting_at": "2026-11-28T00:00:00Z", "cost": {"amount": AMOUNT, "currency": "USD"}}], "has_more": %s,'
    ' "next_page": "again"}'
)
REPORT_PAGE = (
    '{"data": [{"starting_at": "2026-11-28T00:00:00Z", "results": [{"amount": AMOUNT, "currency": "USD"}]}],'
    ' "has_more": %s, "next_page": "again"}'
)
OPENAI_PAGE = (
    f'{{"data": [{{"start_time": {SECONDS}, "results": [{{"amount": {{"value": AMOUNT, "currency": "usd"}}}}]}}],'
    ' "has_more": %s, "next_page": "again"}'
)
AWS_PAGE = (
    '{"ResultsByTime": [{"TimePeriod": {"Start": "2026-11-28"}, "Groups": [{"Keys": ["Amazon Bedrock"], "Metrics":'
    ' {"UnblendedCost": {"Amount": AMOUNT, "Unit": "USD"}}}]}], "GroupDefinitions": [{"Type": "DIMENSION", "Key":'
    ' "SERVICE"}]}'
)
AZURE, AZURE_PAGE = (
    "/subscriptions/S/providers/Microsoft.CostManagement/query",
    '{"properties": {"columns": [{"name": "Cost"}, {"name": "UsageDate"}, {"name": "Currency"}], "rows": [[AMOUNT,'
    ' 20261128, "USD"]], "nextLink": %s}}',
)
CURSOR_PAGE = (
    f'{{"usageEvents": [{{"timestamp": "{TODAY * 86_400_000}", "kind": "Usage-based", "chargedCents": AMOUNT}}],'
    ' "pagination": {"hasNextPage": %s, "currentPage": 1}}'
)
FIREWORKS, FIREWORKS_PAGE = (
    "/v1/accounts/acme/billing/summary",
    '{"lineItems": [{"totalCost": {"currencyCode": "USD", "units": AMOUNT}}], "nextPageToken": %s}',
)
OPENAI_LISTS = "/v1/organization/spend_alerts", "/v1/organization/projects"
LISTED = '{"data": [], "has_more": true, "last_id": "again"}'
XAI_USE = '{"timeSeries": [{"dataPoints": [{"timestamp": "2026-11-28T00:00:00Z", "values": [AMOUNT]}]}]}'

CASES: Mapping[str, Case] = {
    "openai bills": Case(
        {"/v1/organization/costs": OPENAI_PAGE % "false"}, endless={"/v1/organization/costs": OPENAI_PAGE % "true"}
    ),
    "anthropic bills": Case(
        {"/v1/organizations/cost_report": REPORT_PAGE % "false"},
        CENT,
        {"/v1/organizations/cost_report": REPORT_PAGE % "true"},
    ),
    "anthropic analytics": Case(
        {"/v1/organizations/analytics/cost": ANALYTICS_PAGE % "false"},
        CENT,
        {"/v1/organizations/analytics/cost": ANALYTICS_PAGE % "true"},
    ),
    "azure bills": Case({AZURE: AZURE_PAGE % "null"}, endless={AZURE: AZURE_PAGE % '"HERE/again"'}),
    "bedrock bills": Case({"/": AWS_PAGE}),
    "cursor bills": Case(
        {"/teams/filtered-usage-events": CURSOR_PAGE % "false"},
        CENT,
        {"/teams/filtered-usage-events": CURSOR_PAGE % "true"},
    ),
    "fireworks bills": Case({FIREWORKS: FIREWORKS_PAGE % "null"}, endless={FIREWORKS: FIREWORKS_PAGE % '"again"'}),
    "github-copilot bills": Case(
        {"/organizations/acme/settings/billing/ai_credit/usage": '{"usageItems": [{"netAmount": AMOUNT}]}'}
    ),
    "litellm bills": Case(
        {"/user/daily/activity": LITELLM_DAY % ("AMOUNT", "AMOUNT", "false")},
        endless={"/user/daily/activity": LITELLM_DAY % ("AMOUNT", "AMOUNT", "true")},
    ),
    "openrouter bills": Case(
        {
            "/api/v1/activity": '{"data": [{"date": "2026-11-27", "model": "m", "usage": AMOUNT}]}',
            "/api/v1/keys": '{"data": []}',
        }
    ),
    "xai bills": Case({"/v1/billing/teams/team/usage": XAI_USE}),
    "openai limits": Case(
        {
            "/v1/organization/spend_limit": '{"threshold_amount": AMOUNT}',
            **dict.fromkeys(OPENAI_LISTS, '{"data": []}'),
        },
        CENT,
        {"/v1/organization/spend_limit": "null", **dict.fromkeys(OPENAI_LISTS, LISTED)},
    ),
    "anthropic limits": Case(
        {
            "/v1/organizations/spend_limits/effective": '{"data": [{"period": "monthly", "scope": {"type": "user"},'
            ' "amount": AMOUNT}]}',
            "/v1/organizations/spend_limits": '{"data": []}',
        },
        CENT,
        {"/v1/organizations/spend_limits/effective": '{"data": [], "next_page": "again"}'},
    ),
    "openrouter limits": Case({"/api/v1/key": '{"data": {"label": "k", "limit": AMOUNT}}'}),
    "litellm limits": Case(
        {
            "/user/daily/activity": LITELLM_DAY % ("1", "1", "false"),
            "/key/info": '{"info": {"spend": 0, "max_budget": AMOUNT}}',
        },
        endless={"/user/daily/activity": LITELLM_DAY % ("1", "1", "true")},
    ),
    "cursor limits": Case(
        {"/teams/spend": '{"teamMemberSpend": [{"monthlyLimitDollars": AMOUNT}], "totalPages": 1}'},
        endless={"/teams/spend": '{"teamMemberSpend": [], "totalPages": 999999999}'},
    ),
    "deepinfra limits": Case({"/payment/checklist": '{"stripe_balance": 0, "limit": AMOUNT}'}),
    "deepinfra balance": Case({"/payment/checklist": '{"stripe_balance": AMOUNT}'}, TURNED),
    "deepseek balance": Case({"/user/balance": '{"balance_infos": [{"currency": "USD", "total_balance": AMOUNT}]}'}),
    "moonshot balance": Case({"/v1/users/me/balance": '{"data": {"available_balance": AMOUNT}}'}),
    "novita balance": Case({"/openapi/v1/billing/balance/detail": '{"availableBalance": AMOUNT}'}, Decimal("0.0001")),
    "openrouter balance": Case({"/api/v1/credits": '{"data": {"total_credits": AMOUNT, "total_usage": 0}}'}),
    "siliconflow balance": Case({"/v1/user/info": '{"data": {"totalBalance": AMOUNT}}'}),
    "xai balance": Case(
        {
            "/v1/billing/teams/team/prepaid/balance": '{"total": {"val": AMOUNT}}',
            "/v1/billing/teams/team/usage": '{"timeSeries": []}',
        },
        TURNED * CENT,
    ),
}


def poller(name: str, url: str) -> CostPoller | LimitPoller | KeyedBalance:
    provider, _, kind = name.partition(" ")
    match kind:
        case "analytics":
            return AnthropicAnalytics(KEY, url)
        case "limits":
            return LIMIT_POLLERS[provider](KEY, url)
        case "balance":
            return BALANCE_POLLERS[provider](KEY, url, SCOPES.get(provider, ""))
    if provider in COST_POLLERS:
        return COST_POLLERS[provider](KEY, url)
    return ACCOUNT_BILLS[provider].poller(Access(KEY, url, SCOPES.get(provider, "")))


async def asked(asks: CostPoller | LimitPoller | KeyedBalance) -> Usd:
    """What was billed in all, the first limit, or the balance."""
    if isinstance(asks, KeyedBalance):
        return await asks.balance()
    if hasattr(asks, "limits"):
        limit = (await asks.limits(NOW)).limits[0]
        assert isinstance(limit.amount, Usd)
        return limit.amount
    first = TODAY - isinstance(asks, OpenRouterActivity)  # never tells of today
    costs = await asks.costs(first, TODAY)
    return Usd.of(sum((part.amount for part in costs.parts), Decimal(0)))


def pages(texts: Mapping[str, str], amount: str) -> dict[str, bytes | Answer | list[bytes]]:
    return {path: text.replace("AMOUNT", amount).encode() for path, text in texts.items()}


class SameForEver(FakeApi):
    """Answers each page as often as somebody asks, in whichever way they go on."""

    def good(self, asked: Asked) -> Answer:
        given = self.pages.get(asked.path.removesuffix("/again") if asked.path != "/again" else AZURE)
        return Answer(body=given) if isinstance(given, bytes) else answer({}, 404)


def test_every_registered_poller_has_a_row() -> None:
    bills = {f"{provider} bills" for provider in (*COST_POLLERS, *ACCOUNT_BILLS)}
    others = {f"{provider} limits" for provider in LIMIT_POLLERS} | {f"{name} balance" for name in BALANCE_POLLERS}
    assert set(CASES) == bills | others | {"anthropic analytics"}


@pytest.mark.parametrize("name", CASES)
async def test_a_redirect_a_refusal_and_half_an_answer_are_sentences_and_keys_go_nowhere_else(name: str) -> None:
    with FakeApi({}) as elsewhere, FakeApi(pages(CASES[name].pages, "1")) as fake:
        asks = poller(name, fake.url)
        for fault in (
            redirected(elsewhere.url),
            lambda good: Answer(status=308, headers={"Location": elsewhere.url}),
            lambda good: answer({"error": {"message": "canary-answer-text"}}, 401),
            lambda good: answer({"error": {"message": "canary-answer-text"}}, 403),
            lambda good: answer({"error": {"message": "canary-answer-text"}}, 404),
            truncated,
            web_page,
            error_in_200,
            lambda good: answer([]),
            lambda good: Answer(body=b"[" * 5_000),
            lambda good: answer("text"),
        ):
            fake.always = fault
            with pytest.raises((PollFailed, IndexError)) as failure:
                await asked(asks)
            assert "canary" not in str(failure.value)
            if isinstance(failure.value, PollFailed):
                assert len(str(failure.value)) > 40
        assert elsewhere.asked == []


@pytest.mark.parametrize("name", CASES)
async def test_amounts_are_exact_in_any_spelling_and_what_is_none_is_refused(name: str) -> None:
    case = CASES[name]
    with FakeApi({}) as fake:
        asks = poller(name, fake.url)
        for amount in EXACT_AMOUNTS:
            fake.pages = pages(case.pages, amount)
            assert await asked(asks) == Usd.of(Decimal(amount.strip('"')) * case.unit), amount
        for amount in BAD_AMOUNTS:
            fake.pages = pages(case.pages, amount)
            with pytest.raises(PollFailed) as failure:
                await asked(asks)
            assert amount.strip('"') not in str(failure.value) or len(amount) < 4, amount


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.endless])
async def test_pages_that_lead_back_to_themselves_end(name: str) -> None:
    with SameForEver({}) as fake:
        texts = {path: text.replace("HERE", fake.url) for path, text in CASES[name].endless.items()}
        fake.pages = pages(texts, "1")
        with pytest.raises(PollFailed):
            await asked(poller(name, fake.url))
        assert len(fake.asked) <= 101
