"""What everything that asks a provider does with a redirect, a refusal, a plea for patience, half an answer, pages
without an end, fields that nobody knows and amounts that are none. A poller that is registered without a row fails."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from spendtop.domain.clock import to_datetime, to_micros
from spendtop.domain.ledger.used import Used
from spendtop.domain.money import Usd
from spendtop.sources import unknown_fields
from spendtop.sources.destinations.anthropic import AnthropicDestinations
from spendtop.sources.destinations.openrouter import OpenRouterDestinations
from spendtop.sources.pollers import CostPoller, LimitPoller, PollFailed
from spendtop.sources.pollers.anthropic.analytics import AnthropicAnalytics
from spendtop.sources.pollers.anthropic.names import anthropic_names
from spendtop.sources.pollers.anthropic.usage import anthropic_usage
from spendtop.sources.pollers.balances import KeyedBalance
from spendtop.sources.pollers.bedrock.counts import BedrockCounts
from spendtop.sources.pollers.bedrock.signature import AwsKey
from spendtop.sources.pollers.http_client import USUAL, Fetcher, Poll
from spendtop.sources.pollers.openai.bills import openai_names
from spendtop.sources.pollers.openai.costs import costs_by_user
from spendtop.sources.pollers.openai.usage import openai_usage
from spendtop.sources.pollers.openrouter.activity import OpenRouterActivity
from spendtop.sources.pollers.openrouter.generations import OpenRouterGenerations
from spendtop.sources.registry import ACCOUNT_BILLS, BALANCE_POLLERS, COST_POLLERS, LIMIT_POLLERS, Access
from tests.provider_pages import FakeApi
from tests.sources.pollers.fake_provider import (
    Answer,
    Asked,
    answer,
    error_in_200,
    redirected,
    slow_down,
    truncated,
    web_page,
)
from tests.sources.pollers.polled import TODAY

NOW = to_micros(datetime(2026, 11, 28, 10, tzinfo=UTC))
KEY = "ID:canary-key"
SCOPES = {"azure": "subscriptions/S", "fireworks": "acme", "github-copilot": "acme", "xai": "team"}
CENT, TURNED = Decimal("0.01"), Decimal(-1)
SECONDS = TODAY * 86_400

BAD_AMOUNTS = ('"NaN"', '"-Infinity"', "1e400", "true", "{}", "[]", '"12 USD"', '""', "9" * 400, '"0x10"')
BAD_COUNTS = (*BAD_AMOUNTS, "-1", '"many"')
EXACT_COUNTS = ("12", '"3"', "2E+2", "0")
EXACT_AMOUNTS = ("12.5", '"-3"', "1e-7", '"2E+2"', "0", '"0.123456789012345678901234567890123456"')


@dataclass(frozen=True)
class Case:
    """A poller, the pages of a provider that is well, and those of one whose pages lead back to themselves."""

    pages: Mapping[str, str]
    """By path; AMOUNT stands where the amount is."""
    unit: Decimal = Decimal(1)
    """What one of it is worth in US dollars."""
    endless: Mapping[str, str] = field(default_factory=dict)
    is_count: bool = False
    """Whether the amount is a number of tokens."""


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

USED_AT_OPENAI = (
    f'{{"data": [{{"start_time": {SECONDS}, "results": [{{"input_tokens": AMOUNT}}]}}], "has_more": %s,'
    ' "next_page": "again"}'
)
OPENAI_USAGE = (
    *("completions", "decisions", "embeddings", "moderations", "audio_speeches", "audio_transcriptions", "images"),
    *("vector_stores", "code_interpreter_sessions", "file_search_calls", "web_search_calls"),
)
USED_AT_ANTHROPIC = (
    '{"data": [{"starting_at": "2026-11-28T00:00:00Z", "usage": {"output_tokens": AMOUNT}}], "has_more": %s,'
    ' "next_page": "again"}'
)
METRICS = (
    f'{{"MetricDataResults": [{{"Id": "inputtokencount", "Label": "m", "Timestamps": [{SECONDS}],'
    ' "Values": [AMOUNT]}]}'
)
NAMES = '{"data": [{"id": "id-1", "name": "one"}]}'
OF_OPENAI = [f"/v1/organization/{each}" for each in ("projects", "users", "projects/id-1/api_keys")]
OF_ANTHROPIC = [f"/v1/organizations/{each}" for each in ("workspaces", "api_keys", "users")]
DESTINATION = '{"data": [{"id": "tdst_1", "endpoint_url": "https://spend.example.org"}], "next_page": %s}'
AT_ANTHROPIC, AT_OPENROUTER = "/v1/organizations/telemetry_destinations", "/api/v1/observability/destinations"

CASES: Mapping[str, Case] = {
    "openai users": Case(
        {"/v1/organization/costs": OPENAI_PAGE % "false"}, endless={"/v1/organization/costs": OPENAI_PAGE % "true"}
    ),
    "openai usage": Case(
        {
            **{
                f"/v1/organization/usage/{each}": USED_AT_OPENAI.replace("AMOUNT", "0") % "false"
                for each in OPENAI_USAGE
            },
            "/v1/organization/usage/decisions": USED_AT_OPENAI % "false",
        },
        endless=dict.fromkeys((f"/v1/organization/usage/{each}" for each in OPENAI_USAGE), USED_AT_OPENAI % "true"),
        is_count=True,
    ),
    "openai names": Case(dict.fromkeys(OF_OPENAI, NAMES), endless=dict.fromkeys(OF_OPENAI, LISTED)),
    "anthropic usage": Case(
        {"/v1/organizations/analytics/usage": USED_AT_ANTHROPIC % "false"},
        endless={"/v1/organizations/analytics/usage": USED_AT_ANTHROPIC % "true"},
        is_count=True,
    ),
    "anthropic names": Case(dict.fromkeys(OF_ANTHROPIC, NAMES), endless=dict.fromkeys(OF_ANTHROPIC, LISTED)),
    "anthropic destinations": Case(
        {AT_ANTHROPIC: DESTINATION % "null"}, endless={AT_ANTHROPIC: DESTINATION % '"again"'}
    ),
    "openrouter destinations": Case(
        {
            AT_OPENROUTER: '{"data": [{"id": "d1", "type": "otel-collector", "config": {"endpoint":'
            ' "https://spend.example.org/v1/traces"}}]}'
        }
    ),
    "openrouter generation": Case({"/api/v1/generation": '{"data": {"id": "gen-1", "total_cost": AMOUNT}}'}),
    "bedrock counts": Case({"/": METRICS}, is_count=True),
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


def tokens(used: Used) -> Usd:
    """As many as there are, so that all rows can be compared alike."""
    return Usd.of(sum(part.quantity for part in used.parts))


async def within(url: str, ask: Callable[[Poll], Awaitable[Any]], who: str) -> Any:
    async with Fetcher(who, url, {"Authorization": KEY}, bounds=USUAL).poll() as poll:
        return await ask(poll)


async def _usage_of_openai(url: str) -> Usd:
    return tokens(await within(url, lambda poll: openai_usage(poll, TODAY, TODAY), "OpenAI"))


async def _usage_of_anthropic(url: str) -> Usd:
    return tokens(await within(url, lambda poll: anthropic_usage(poll, TODAY, TODAY), "Anthropic"))


async def _users_of_openai(url: str) -> Usd:
    parts = await within(url, lambda poll: costs_by_user(poll, TODAY, TODAY), "OpenAI")
    return Usd.of(sum((part.amount for part in parts), Decimal(0)))


async def _names_of_openai(url: str) -> Usd:
    return Usd.of(len([(await within(url, openai_names, "OpenAI"))[0]]))


async def _names_of_anthropic(url: str) -> Usd:
    return Usd.of(len([(await within(url, anthropic_names, "Anthropic")).names[0]]))


async def _counts_of_bedrock(url: str) -> Usd:
    key = AwsKey.of(KEY)
    assert key is not None
    used, _ = await BedrockCounts(key, "eu-west-1", url, bounds=USUAL).used(TODAY, TODAY, to_datetime(NOW))
    return tokens(used)


async def _generation(url: str) -> Usd:
    (told,) = (await OpenRouterGenerations(KEY, url).requests(("gen-1",), NOW))[:1] or [None]
    return _reported(told)


def _reported(told: Any) -> Usd:
    if told is None:
        raise IndexError("it is not known yet")
    assert isinstance(told.cost.reported, Usd)
    return told.cost.reported


async def _destinations_at_anthropic(url: str) -> Usd:
    return Usd.of(len([(await AnthropicDestinations(KEY, url).all())[0]]))


async def _destinations_at_openrouter(url: str) -> Usd:
    return Usd.of(len([(await OpenRouterDestinations(KEY, url).all())[0]]))


BESIDE: Mapping[str, Callable[[str], Awaitable[Usd]]] = {
    "openai users": _users_of_openai,
    "openai usage": _usage_of_openai,
    "openai names": _names_of_openai,
    "anthropic usage": _usage_of_anthropic,
    "anthropic names": _names_of_anthropic,
    "anthropic destinations": _destinations_at_anthropic,
    "openrouter destinations": _destinations_at_openrouter,
    "openrouter generation": _generation,
    "bedrock counts": _counts_of_bedrock,
}
"""What is asked by no poller of its own."""


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


def asking(name: str, url: str) -> Callable[[], Awaitable[Usd]]:
    """Asks one poller, or what is asked beside, again and again."""
    if name in BESIDE:
        return lambda: BESIDE[name](url)
    asks = poller(name, url)
    return lambda: asked(asks)


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


class MoreKeys(FakeApi):
    """Has another key whenever somebody asks for further ones."""

    def good(self, asked: Asked) -> Answer:
        if asked.path == "/api/v1/keys":
            return answer({"data": [{"hash": f"key-{len(self.asked)}", "usage": 0, "limit": None}]})
        return super().good(asked)


class OneByOne(FakeApi):
    """Knows how many questions were under way at once."""

    def __init__(self, pages: Mapping[str, Any]) -> None:
        super().__init__(pages)
        self.most = self._present = 0
        self._lock = threading.Lock()

    def good(self, asked: Asked) -> Answer:
        with self._lock:
            self._present += 1
            self.most = max(self.most, self._present)
        time.sleep(0.002)
        with self._lock:
            self._present -= 1
        return super().good(asked)


def test_every_registered_poller_has_a_row() -> None:
    bills = {f"{provider} bills" for provider in (*COST_POLLERS, *ACCOUNT_BILLS)}
    others = {f"{provider} limits" for provider in LIMIT_POLLERS} | {f"{name} balance" for name in BALANCE_POLLERS}
    assert set(CASES) == bills | others | {"anthropic analytics", *BESIDE}


def with_more(value: Any) -> Any:
    """The same with a field in each object that nobody knows, and a column more in a table."""
    match value:
        case {"columns": [*columns], "rows": [*rows]}:
            return {**value, "columns": [*columns, {"name": "BrandNew"}], "rows": [[*row, "x"] for row in rows]}
        case dict():
            return {name: with_more(each) for name, each in value.items()} | (
                {} if value.keys() & BY_NAME else {"brand_new": {"deep": [1]}}
            )
        case list():
            return [with_more(each) for each in value]
    return value


BY_NAME = {"k1", "UnblendedCost"}
"""In objects whose names are no fields."""
REFUSED = answer({"error": {"message": "canary-answer-text"}}).body


@pytest.mark.parametrize("name", CASES)
async def test_a_redirect_a_refusal_and_half_an_answer_are_sentences_and_keys_go_nowhere_else(name: str) -> None:
    with FakeApi({}) as elsewhere, FakeApi(pages(CASES[name].pages, "1")) as fake:
        ask = asking(name, fake.url)
        for fault in (
            redirected(elsewhere.url),
            lambda good: Answer(status=308, headers={"Location": elsewhere.url}),
            lambda good: Answer(status=401, body=REFUSED),
            lambda good: Answer(status=403, body=REFUSED),
            lambda good: Answer(status=404, body=REFUSED),
            truncated,
            web_page,
            error_in_200,
            lambda good: answer([]),
            lambda good: Answer(body=b"[" * 5_000),
            lambda good: answer("text"),
        ):
            fake.always = fault
            with pytest.raises((PollFailed, IndexError)) as failure:
                await ask()
            assert "canary" not in str(failure.value)
            if isinstance(failure.value, PollFailed):
                assert len(str(failure.value)) > 40
        assert elsewhere.asked == []


@pytest.mark.parametrize("name", CASES)
async def test_who_asks_for_patience_gets_as_much_as_is_asked_for(name: str, waits: list[float]) -> None:
    with FakeApi(pages(CASES[name].pages, "1")) as fake:
        fake.script(slow_down(7))
        assert await asking(name, fake.url)() != Usd(0)
        assert waits and all(wait >= 7 for wait in waits)
        fake.always = slow_down(600)
        before = len(fake.asked)
        with pytest.raises(PollFailed) as failure:
            await asking(name, fake.url)()
        assert (failure.value.retry_after, len(fake.asked) - before) == (600, 1)


@pytest.mark.parametrize("name", CASES)
async def test_a_provider_is_asked_one_question_at_a_time(name: str) -> None:
    with OneByOne(pages(CASES[name].pages, "1")) as fake:
        await asyncio.gather(asking(name, fake.url)(), asking(name, fake.url)())
        assert (fake.most, len(fake.asked) >= 2) == (1, True)


@pytest.mark.parametrize("name", CASES)
async def test_fields_that_nobody_knows_are_counted_and_change_nothing(name: str) -> None:
    with FakeApi(pages(CASES[name].pages, "2")) as fake:
        ask = asking(name, fake.url)
        with unknown_fields.collecting() as unknown:
            usual = await ask()
        assert not unknown
        fake.always = lambda good: answer(with_more(msgspec.json.decode(good.whole))) if good.status == 200 else good
        with unknown_fields.collecting() as unknown:
            assert await asking(name, fake.url)() == usual
        assert unknown and {each.rpartition(".")[2] for each in unknown} <= {"brand_new", "BrandNew"}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "AMOUNT" in "".join(case.pages.values())])
async def test_amounts_are_exact_in_any_spelling_and_what_is_none_is_refused(name: str) -> None:
    case = CASES[name]
    with FakeApi({}) as fake:
        ask = asking(name, fake.url)
        for amount in EXACT_COUNTS if case.is_count else EXACT_AMOUNTS:
            fake.pages = pages(case.pages, amount)
            assert await ask() == Usd.of(Decimal(amount.strip('"')) * case.unit), amount
        for amount in BAD_COUNTS if case.is_count else BAD_AMOUNTS:
            fake.pages = pages(case.pages, amount)
            with pytest.raises(PollFailed) as failure:
                await ask()
            assert amount.strip('"') not in str(failure.value) or len(amount) < 4, amount


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.endless])
async def test_pages_that_lead_back_to_themselves_end(name: str) -> None:
    with SameForEver({}) as fake:
        texts = {path: text.replace("HERE", fake.url) for path, text in CASES[name].endless.items()}
        fake.pages = pages(texts, "1")
        with pytest.raises(PollFailed):
            await asking(name, fake.url)()
        assert len(fake.asked) <= 101


async def test_a_list_of_keys_that_never_ends_is_given_up() -> None:
    with MoreKeys(pages(CASES["openrouter bills"].pages, "1")) as fake:
        with pytest.raises(PollFailed, match="does not end"):
            await asking("openrouter bills", fake.url)()
        assert len(fake.asked) <= 102
