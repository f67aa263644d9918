"""What configurations want polled, and the accounts that they make."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from spendtop.collector.polling.poll_config import (
    PolledBalance,
    PolledCosts,
    PolledLimits,
    PolledPushHealth,
    PolledRequests,
    accounts_of,
    helicone_api,
    polled,
    polled_sources,
)
from spendtop.config.load import load
from spendtop.config.settings import Settings
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.money import Usd
from spendtop.sources.settings import SECTIONS
from spendtop.store.reads.configuration.applied import PolledSource


def settings(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "spendtop.toml"
    file.touch(mode=0o600)
    file.write_text(text)
    return load(file, sections=SECTIONS, environ={}).settings


def test_without_any_key_nothing_is_polled(tmp_path: Path) -> None:
    empty = settings(tmp_path, "")
    assert (polled(empty), accounts_of(empty), helicone_api(empty)) == ((), (), None)


def test_helicones_api_is_polled_with_its_key(tmp_path: Path) -> None:
    found = polled(settings(tmp_path, '[helicone]\napi_key = "sk-canary"\nbackfill = "2d"\n'))
    assert found == (
        PolledRequests(
            name="helicone-api",
            every=5 * MINUTE,
            key="sk-canary",
            base_url="https://api.helicone.ai",
            backfill=2 * DAY,
            pushed=False,
        ),
    )
    assert "sk-canary" not in repr(found)


def test_faces_see_names_and_pace_of_what_is_polled_and_no_key(tmp_path: Path) -> None:
    found = polled_sources(settings(tmp_path, '[helicone]\napi_key = "sk-canary"\n'))
    assert found == (PolledSource(name="helicone-api", every=5 * MINUTE),)


def test_deliveries_are_asked_for_where_a_provider_has_a_key_of_its_own_to_send(tmp_path: Path) -> None:
    keys = '[server]\ningest_keys = { anthropic-push = "0123456789abcdef", openrouter-push = "0123456789abcdeg" }\n'
    account = '[[account]]\nname = "router"\nprovider = "openrouter"\nkey = "sk-or-canary"\n'
    text = f'{keys}[anthropic]\nadmin_key = "sk-ant-admin-canary"\n{account}'
    found = [each for each in polled(settings(tmp_path, text)) if isinstance(each, PolledPushHealth)]
    assert [(each.name, each.every) for each in found] == [
        ("anthropic-push", 5 * MINUTE),
        ("openrouter-push", 5 * MINUTE),
    ]
    assert "canary" not in repr(found)
    without = text.replace(keys, "")
    assert not any(isinstance(each, PolledPushHealth) for each in polled(settings(tmp_path, without)))


def test_what_webhooks_bring_can_be_missed(tmp_path: Path) -> None:
    text = '[helicone]\napi_key = "sk-canary"\nwebhook_secrets = ["a-webhook-secret-0123456789"]\n'
    found = helicone_api(settings(tmp_path, text))
    assert found is not None and found.pushed


def test_admin_keys_bring_their_accounts(tmp_path: Path) -> None:
    text = (
        '[openai]\nadmin_key = "sk-admin-a"\nepoch = 2026-11-01\nbilling_page = "realtime"\n'
        '[anthropic]\nadmin_key = "sk-ant-admin-b"\npoll_every = "30m"\n'
    )
    read = settings(tmp_path, text)
    openai, openai_limits, analytics, anthropic, anthropic_limits = polled(read)
    assert isinstance(openai, PolledCosts) and isinstance(anthropic, PolledCosts)
    assert isinstance(analytics, PolledCosts) and analytics.name == anthropic.better == "anthropic-analytics"
    assert (analytics.every, analytics.is_optional, anthropic.is_optional) == (5 * MINUTE, True, False)
    assert isinstance(openai_limits, PolledLimits) and isinstance(anthropic_limits, PolledLimits)
    assert (openai_limits.name, openai_limits.account, openai_limits.every) == ("openai-limits", "openai", HOUR)
    assert (anthropic_limits.name, anthropic_limits.key) == ("anthropic-limits", "sk-ant-admin-b")
    assert (openai.name, openai.accounts, openai.epoch) == ("openai-costs", ("openai",), date(2026, 11, 1))
    assert (openai.settles, anthropic.settles) == (True, False)
    assert (anthropic.name, anthropic.accounts, anthropic.every) == ("anthropic-costs", ("anthropic",), 30 * MINUTE)
    accounts = [(each.name, each.poller, each.poll_every, each.low_balance) for each in accounts_of(read)]
    assert accounts == [
        ("openai", "openai-costs", 15 * MINUTE, Usd.of(10)),
        ("anthropic", "anthropic-costs", 30 * MINUTE, Usd.of(10)),
    ]


def test_accounts_of_one_key_share_its_poller_and_one_with_a_key_of_its_own_does_not(tmp_path: Path) -> None:
    text = '[openai]\nadmin_key = "sk-admin-a"\n' + "".join(
        f'[[account]]\nname = "{name}"\nprovider = "openai"\n{more}\n'
        for name, more in (
            ("web", 'notify = ["ops"]'),
            ("batch", "notify = []"),
            ("other", 'key = "sk-admin-c"'),
        )
    )
    read = settings(tmp_path, text + '[[channel]]\nname = "ops"\nurl = "json://localhost"\n')
    shared, _, own, limits = polled(read)
    assert isinstance(shared, PolledCosts) and isinstance(own, PolledCosts)
    assert (shared.name, shared.accounts, shared.notify) == ("openai-costs", ("web", "batch"), ("ops",))
    assert (own.name, own.key, own.accounts, own.notify) == ("openai-costs/other", "sk-admin-c", ("other",), None)
    assert limits.name == "openai-limits/other"
    assert [each.poller for each in accounts_of(read)] == ["openai-costs", "openai-costs", "openai-costs/other"]


def test_a_balance_is_read_where_the_provider_tells_it_and_kept_by_hand_elsewhere(tmp_path: Path) -> None:
    text = (
        '[[account]]\nname = "router"\nprovider = "openrouter"\nkey = "sk-or-a"\n'
        '[[account]]\nname = "no key"\nprovider = "deepseek"\n'
        '[[account]]\nname = "wallet"\nprovider = "other"\nlow_balance = 5\n'
    )
    read = settings(tmp_path, text)
    router, activity, limits = polled(read)
    assert isinstance(router, PolledBalance) and isinstance(limits, PolledLimits)
    assert isinstance(activity, PolledCosts)
    assert (activity.name, activity.every, activity.is_optional) == ("openrouter-activity/router", 8 * HOUR, True)
    assert (limits.name, limits.account) == ("openrouter-limits/router", "router")
    assert (router.name, router.account, router.every) == ("openrouter/router", "router", 5 * MINUTE)
    assert [(each.name, each.poller, each.tells_balance) for each in accounts_of(read)] == [
        ("router", "openrouter/router", True),
        ("no key", None, False),
        ("wallet", None, False),
    ]


def test_a_proxy_tells_bills_and_budgets_and_a_tier_its_cap(tmp_path: Path) -> None:
    text = (
        '[[account]]\nname = "proxy"\nprovider = "litellm"\nkey = "sk-a"\nbase_url = "http://localhost:4000"\n'
        '[[account]]\nname = "gemini"\nprovider = "google"\ntier = 2\n'
    )
    read = settings(tmp_path, text)
    bills, limits, cap = polled(read)
    assert isinstance(bills, PolledCosts) and isinstance(limits, PolledLimits) and isinstance(cap, PolledLimits)
    assert (bills.name, bills.base_url, bills.accounts) == (
        "litellm-activity/proxy",
        "http://localhost:4000",
        ("proxy",),
    )
    assert (limits.name, limits.base_url) == ("litellm-limits/proxy", "http://localhost:4000")
    assert (cap.name, cap.tier, cap.key) == ("google-limits/gemini", 2, "")
    assert [each.poller for each in accounts_of(read)] == ["litellm-activity/proxy", None]


def test_further_accounts_have_bills_balances_or_both_and_rest_as_long_as_asking_costs(tmp_path: Path) -> None:
    def account(name: str, provider: str, scope: str = "") -> str:
        return f'[[account]]\nname = "{name}"\nprovider = "{provider}"\nkey = "k:s"\nscope = "{scope}"\n'

    read = settings(tmp_path, account("grok", "xai", "t1") + account("aws", "bedrock") + account("seats", "cursor"))
    balance, activity, bedrock, seats, limits = polled(read)
    assert isinstance(balance, PolledBalance) and (balance.name, balance.scope) == ("xai/grok", "t1")
    assert isinstance(activity, PolledCosts) and (activity.name, activity.is_optional) == ("xai-activity/grok", True)
    assert isinstance(bedrock, PolledCosts) and (bedrock.name, bedrock.every) == ("bedrock/aws", 12 * HOUR)
    assert bedrock.rests > 10 * HOUR
    assert isinstance(seats, PolledCosts) and (seats.name, seats.every) == ("cursor/seats", HOUR)
    assert limits.name == "cursor-limits/seats"
    assert [(each.poller, each.tells_balance) for each in accounts_of(read)] == [
        ("xai/grok", True),
        ("bedrock/aws", False),
        ("cursor/seats", False),
    ]
