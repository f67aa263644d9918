"""Balances as each provider tells them."""

from __future__ import annotations

import pytest

from spendtop.domain.money import Usd
from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.sources.pollers.balances import KeyedBalance, OpenRouterBalance
from spendtop.sources.registry import BALANCE_POLLERS, COST_POLLERS
from tests.sources.pollers.fake_provider import Answer, FakeRoutes, Fault, bad_key, error_in_200, truncated, web_page
from tests.sources.pollers.polled import ONCE

ADDRESSES = {
    "deepinfra": ("https://api.deepinfra.com", "/payment/checklist"),
    "deepseek": ("https://api.deepseek.com", "/user/balance"),
    "moonshot": ("https://api.moonshot.ai", "/v1/users/me/balance"),
    "novita": ("https://api.novita.ai", "/openapi/v1/billing/balance/detail"),
    "openrouter": ("https://openrouter.ai", "/api/v1/credits"),
    "siliconflow": ("https://api.siliconflow.com", "/v1/user/info"),
}
GOOD = {
    "deepinfra": """{"stripe_balance": -12.5, "recent": 4.2, "limit": 100.0, "suspended": false}""",
    "deepseek": """{"is_available": true, "balance_infos": [{"currency": "USD", "total_balance": "110.00",
        "granted_balance": "10.00", "topped_up_balance": "100.00"}]}""",
    "moonshot": """{"code": 0, "data": {"available_balance": 49.58894, "voucher_balance": 46.58893,
        "cash_balance": 3.00001}, "scode": "0x0", "status": true}""",
    "novita": """{"availableBalance": "1000000", "cashBalance": "800000", "creditLimit": "200000",
        "pendingCharges": "0", "outstandingInvoices": "0"}""",
    "openrouter": """{"data": {"total_credits": 100.5, "total_usage": 25.75}}""",
    "siliconflow": """{"code": 20000, "status": true, "data": {"balance": "0.88", "chargeBalance": "88.00",
        "totalBalance": "88.88", "status": "normal"}}""",
}
LEFT = {
    "deepinfra": "12.5",
    "deepseek": "110",
    "moonshot": "49.58894",
    "novita": "100",
    "openrouter": "74.75",
    "siliconflow": "88.88",
}


def json(text: str) -> Answer:
    return Answer(body=text.encode())


async def told(provider: str, text: str) -> Usd:
    """The balance out of an answer to this provider's poller."""
    with FakeRoutes({ADDRESSES[provider][1]: json(text)}) as fake:
        return await BALANCE_POLLERS[provider]("canary-key", fake.url, bounds=ONCE).balance()


def test_each_provider_that_tells_a_balance_has_its_poller() -> None:
    assert {name: poller.address for name, poller in BALANCE_POLLERS.items()} == {
        "xai": "https://management-api.x.ai",
        **{name: address for name, (address, _) in ADDRESSES.items()},
    }
    assert COST_POLLERS.keys() == {"openai", "anthropic"}


@pytest.mark.parametrize("provider", GOOD)
async def test_a_balance_is_read_exactly(provider: str) -> None:
    with FakeRoutes({ADDRESSES[provider][1]: json(GOOD[provider])}) as fake:
        poller = BALANCE_POLLERS[provider]("canary-key", fake.url)
        assert (await poller.balance(), poller.remark) == (Usd.of(LEFT[provider]), "")
        asked = fake.asked[0]
    assert (asked.method, asked.headers["authorization"]) == ("GET", "Bearer canary-key")


@pytest.mark.parametrize("provider", GOOD)
@pytest.mark.parametrize("fault", [bad_key, truncated, web_page, error_in_200, lambda good: json("{}")])
async def test_no_balance_is_read_out_of_an_answer_that_is_none(provider: str, fault: Fault) -> None:
    with FakeRoutes({ADDRESSES[provider][1]: json(GOOD[provider])}) as fake:
        fake.always = fault
        with pytest.raises(PollFailed) as caught:
            await BALANCE_POLLERS[provider]("canary-key", fake.url, bounds=ONCE).balance()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("provider", "text"),
    [
        ("deepseek", '{"balance_infos": [{"currency": "USD", "total_balance": "NaN"}]}'),
        ("moonshot", '{"data": {"available_balance": null}}'),
        ("novita", '{"availableBalance": true}'),
        ("openrouter", '{"data": {"total_credits": 1, "total_usage": "much"}}'),
        ("siliconflow", '{"data": {"totalBalance": "10000000000"}}'),
    ],
)
async def test_what_is_no_amount_is_no_balance(provider: str, text: str) -> None:
    with pytest.raises(PollFailed, match="sent something as a balance that is no amount"):
        await told(provider, text)


async def test_a_balance_may_be_below_zero() -> None:
    assert await told("openrouter", '{"data": {"total_credits": 5, "total_usage": 5.37}}') == Usd.of("-0.37")


async def test_deepseek_tells_one_balance_per_currency() -> None:
    both = '{"balance_infos": [{"currency": "CNY", "total_balance": "%s"}, {"currency": "USD", "total_balance": "%s"}]}'
    assert await told("deepseek", both % ("70.00", "1.25")) == Usd.of("1.25")
    assert await told("deepseek", both % ("0.00", "0.00")) == Usd(0)
    with pytest.raises(PollFailed, match="The balance at DeepSeek is in CNY, and only US dollars can be read"):
        await told("deepseek", both % ("70.00", "0"))
    with pytest.raises(PollFailed, match="The balance at DeepSeek is in CNY"):
        await told("deepseek", '{"balance_infos": [{"currency": "CNY", "total_balance": "70"}]}')
    with pytest.raises(PollFailed, match="DeepSeek names no balance"):
        await told("deepseek", '{"balance_infos": []}')


@pytest.mark.parametrize(
    ("provider", "address"), [("moonshot", "https://api.moonshot.cn"), ("siliconflow", "https://api.siliconflow.cn")]
)
async def test_the_host_decides_the_currency_where_the_answer_names_none(provider: str, address: str) -> None:
    with pytest.raises(PollFailed, match='is in CNY, and only US dollars can be read; set provider = "other"'):
        await BALANCE_POLLERS[provider]("key", address).balance()


async def openrouter(credits: Fault, own: Answer) -> tuple[Usd, KeyedBalance]:
    with FakeRoutes({"/api/v1/credits": json(GOOD["openrouter"]), "/api/v1/key": own}) as fake:
        fake.script(credits)
        poller = OpenRouterBalance("sk-or-canary", fake.url, bounds=ONCE)
        return await poller.balance(), poller


def refused(good: Answer) -> Answer:
    return Answer(status=403, body=b"{}")


async def test_a_key_that_is_no_management_key_tells_its_own_limit_and_says_so() -> None:
    left, poller = await openrouter(refused, json('{"data": {"limit": 100, "limit_remaining": 74.5, "usage": 25.5}}'))
    assert left == Usd.of("74.5")
    assert poller.remark == (
        "What is left of the key's own limit: the account's credits are told to management keys only."
    )


async def test_a_key_without_a_limit_of_its_own_has_no_balance() -> None:
    with pytest.raises(KeyRefused, match=r"Create a management key at openrouter\.ai/settings/management-keys"):
        await openrouter(refused, json('{"data": {"limit": null, "limit_remaining": null}}'))


async def test_a_key_that_openrouter_does_not_know_is_refused() -> None:
    with pytest.raises(KeyRefused, match=r"^OpenRouter refused the key \(401\)\. Check the key of this account"):
        await openrouter(bad_key, Answer(status=401, body=b"{}"))
