"""What a configuration wants polled, and the accounts that it makes. Compared with what runs when it changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple

from spendtop.collector.push_connection import credential_of, is_expected
from spendtop.config.account_settings import AccountSettings
from spendtop.config.settings import Settings
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.sources.records import HELICONE_API, LITELLM, OPENROUTER_PUSH, PUSHES, ProviderPush
from spendtop.sources.pollers.gemini_caps import Tier
from spendtop.sources.registry import ACCOUNT_BILLS, BALANCE_POLLERS, COST_POLLERS, LIMIT_POLLERS
from spendtop.sources.settings import AnthropicSettings, HeliconeSettings, OpenAISettings
from spendtop.store.reads.configuration.applied import PolledSource
from spendtop.store.reads.ledger.balances import Account

ANTHROPIC = "anthropic"
_ANALYTICS_EVERY = 5 * MINUTE
HEALTH_EVERY = 5 * MINUTE
"""Requests of the time in which a destination is off are not pushed again."""
GENERATIONS_EVERY = 5 * MINUTE
LIMITS_EVERY = HOUR
"""Between two polls of limits for which each project is asked."""
_COST_SECTIONS: dict[str, type[OpenAISettings] | type[AnthropicSettings]] = {
    "openai": OpenAISettings,
    "anthropic": AnthropicSettings,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledRequests:
    """Helicone's requests."""

    name: str
    every: int
    """µs between two polls."""
    key: str = field(repr=False)
    base_url: str
    backfill: int
    """How far back the first poll goes, µs."""
    pushed: bool
    """Whether webhooks bring the same requests, so that one which they did not bring was missed."""
    notify: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledCosts:
    """What a provider billed to one key's organization."""

    name: str
    every: int
    provider: str
    key: str = field(repr=False)
    base_url: str
    accounts: tuple[str, ...]
    """That it was billed to."""
    epoch: date | None
    """First day whose costs are read; None is the first of the month of the first start."""
    settles: bool
    """Whether calibrations settle later, as the billing page is ahead of the costs."""
    notify: tuple[str, ...] | None
    trailing: int = 60
    """Days that are read at each poll."""
    rests: int = 0
    """The least time between two polls, also over restarts, µs."""
    scope: str = ""
    """Whose bills, where one key sees several."""
    region: str = ""
    """Where calls are counted, for those that count by region."""
    better: str | None = None
    """The poller that tells the same in more detail, while its key may know it."""
    is_optional: bool = False
    """Whether the key may lack the right to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledBalance:
    """A balance that its provider tells."""

    name: str
    every: int
    provider: str
    key: str = field(repr=False)
    account: str
    notify: tuple[str, ...] | None
    base_url: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledPushHealth:
    """How a provider that pushes here delivers."""

    name: str
    every: int
    push: ProviderPush
    key: str = field(repr=False)
    base_url: str
    public_url: str
    notify: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledLimits:
    """Limits that a provider puts on spend. A key may lack the right to them, so that only what was read before can be
    stale."""

    name: str
    every: int
    provider: str
    key: str = field(repr=False)
    base_url: str
    account: str
    """Whose bills tell what is used."""
    notify: tuple[str, ...] | None
    tier: Tier | None = None
    """Of Gemini's cap, which nobody is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledGenerations:
    """What calls cost whose client hung up, where they are pushed without it."""

    name: str
    every: int
    key: str = field(repr=False)
    base_url: str
    notify: tuple[str, ...] | None = None


Polled = PolledRequests | PolledCosts | PolledBalance | PolledLimits | PolledPushHealth | PolledGenerations


def polled(settings: Settings) -> tuple[Polled, ...]:
    """Everything that is to be polled; names are unique."""
    return (*_helicone(settings), *_push_health(settings), *_generations(settings), *_accounts(settings))


def polled_sources(settings: Settings) -> tuple[PolledSource, ...]:
    """Everything that is to be polled, as faces see it."""
    return tuple(
        PolledSource(name=each.name, every=each.every, is_optional=is_optional(each)) for each in polled(settings)
    )


def is_optional(each: Polled) -> bool:
    """Whether its key may lack the right to it, which is no reason to alarm anybody."""
    return isinstance(each, PolledLimits | PolledGenerations) or (isinstance(each, PolledCosts) and each.is_optional)


def accounts_of(settings: Settings) -> tuple[Account, ...]:
    """The accounts of a configuration, without any secret."""
    return tuple(_account(settings, each) for each in settings.accounts)


def notified(settings: Settings) -> dict[str, tuple[str, ...] | None]:
    """Names of the channels that hear of an account, by account; None is all."""
    return {each.name: each.notify for each in settings.accounts}


def helicone_api(settings: Settings) -> PolledRequests | None:
    """How Helicone's API is polled, or None without a key."""
    return next(iter(_helicone(settings)), None)


class _CostKey(NamedTuple):
    """Who is asked for costs with which key."""

    poller: str
    provider: str
    key: str


def _helicone(settings: Settings) -> Iterator[PolledRequests]:
    helicone = settings.section(HeliconeSettings)
    if helicone.api_key:
        yield PolledRequests(
            name=HELICONE_API.name,
            every=helicone.poll_every,
            key=helicone.api_key.get_secret_value(),
            base_url=helicone.base_url,
            backfill=helicone.backfill,
            pushed=bool(helicone.webhook_secrets) or helicone.allow_unsigned,
        )


def _push_health(settings: Settings) -> Iterator[PolledPushHealth]:
    """Of those that send an ingest key of their own, where a key tells how they deliver."""
    for push in PUSHES:
        credential = credential_of(push, settings)
        if credential is not None and is_expected(push, settings):
            yield PolledPushHealth(
                name=push.name,
                every=HEALTH_EVERY,
                push=push,
                key=credential.key,
                base_url=credential.base_url,
                public_url=settings.server.public_url,
            )


def _generations(settings: Settings) -> Iterator[PolledGenerations]:
    """Where OpenRouter pushes here, and there is any key of it."""
    credential = credential_of(OPENROUTER_PUSH, settings)
    if credential is not None and is_expected(OPENROUTER_PUSH, settings):
        yield PolledGenerations(
            name="openrouter-generations", every=GENERATIONS_EVERY, key=credential.key, base_url=credential.base_url
        )


def _accounts(settings: Settings) -> Iterator[PolledCosts | PolledBalance | PolledLimits]:
    by_key: dict[_CostKey, list[AccountSettings]] = {}
    for account in settings.accounts:
        cost_key = _cost_key(settings, account)
        if cost_key is not None:
            by_key.setdefault(cost_key, []).append(account)
        elif _tells_balance(account):
            yield PolledBalance(
                name=_balance_poller(account),
                every=account.poll_every,
                provider=account.provider,
                key=account.key.get_secret_value(),
                account=account.name,
                notify=account.notify,
                base_url=account.base_url,
                scope=account.scope,
            )
        if _tells_bills(account):
            yield _bills(account)
        if cost_key is None and (limits := _limits(account)) is not None:
            yield limits
    for cost_key, accounts in by_key.items():
        costs = _costs(settings, cost_key, accounts)
        if costs.provider == ANTHROPIC:
            analytics = costs.name.replace("-costs", "-analytics", 1)
            yield replace(
                costs, name=analytics, every=min(costs.every, _ANALYTICS_EVERY), trailing=30, is_optional=True
            )
            costs = replace(costs, better=analytics)
        yield costs
        yield PolledLimits(
            name=costs.name.replace("-costs", "-limits", 1),
            every=max(costs.every, LIMITS_EVERY),
            provider=costs.provider,
            key=costs.key,
            base_url=costs.base_url,
            account=costs.accounts[0],
            notify=costs.notify,
        )


def _costs(settings: Settings, cost_key: _CostKey, accounts: list[AccountSettings]) -> PolledCosts:
    section = settings.section(_COST_SECTIONS[cost_key.provider])
    of_openai = section if isinstance(section, OpenAISettings) else None
    notify = [account.notify for account in accounts]
    return PolledCosts(
        name=cost_key.poller,
        every=section.poll_every,
        provider=cost_key.provider,
        key=cost_key.key,
        base_url=section.base_url,
        accounts=tuple(account.name for account in accounts),
        epoch=of_openai.epoch if of_openai else None,
        settles=of_openai is not None and of_openai.billing_page == "realtime",
        notify=None if None in notify else tuple(sorted({name for each in notify for name in each or ()})),
    )


def _cost_key(settings: Settings, account: AccountSettings) -> _CostKey | None:
    """An account's own key reads its own organization; others share the section's."""
    if account.provider not in COST_POLLERS:
        return None
    name = f"{account.provider}-costs"
    own = account.key.get_secret_value()
    if own:
        return _CostKey(f"{name}/{account.name}", account.provider, own)
    shared = settings.section(_COST_SECTIONS[account.provider]).admin_key.get_secret_value()
    return _CostKey(name, account.provider, shared) if shared else None


def _bills(account: AccountSettings) -> PolledCosts:
    bills = ACCOUNT_BILLS[account.provider]
    return PolledCosts(
        name=_bill_poller(account),
        every=max(account.poll_every, bills.every),
        provider=account.provider,
        key=account.key.get_secret_value(),
        base_url=account.base_url,
        accounts=(account.name,),
        epoch=None,
        settles=False,
        notify=account.notify,
        trailing=bills.trailing,
        rests=bills.every * 9 // 10,
        scope=account.scope,
        region=account.region,
        is_optional=account.provider in BALANCE_POLLERS,
    )


def _limits(account: AccountSettings) -> PolledLimits | None:
    """What an account's own key is told of limits, or what its tier says."""
    has_cap = account.provider == "google" and account.tier is not None
    if not has_cap and (account.provider not in LIMIT_POLLERS or not account.key):
        return None
    return PolledLimits(
        name=f"{account.provider}-limits/{account.name}",
        every=account.poll_every,
        provider=account.provider,
        key=account.key.get_secret_value(),
        base_url=account.base_url,
        account=account.name,
        notify=account.notify,
        tier=account.tier if has_cap else None,
    )


def _tells_bills(account: AccountSettings) -> bool:
    return account.provider in ACCOUNT_BILLS and bool(account.key)


def _bill_poller(account: AccountSettings) -> str:
    """Beside a balance, and for proxies, it is called activity."""
    beside = account.provider in BALANCE_POLLERS or account.provider == LITELLM.name
    return f"{account.provider}{'-activity' if beside else ''}/{account.name}"


def _tells_balance(account: AccountSettings) -> bool:
    return account.provider in BALANCE_POLLERS and bool(account.key)


def _balance_poller(account: AccountSettings) -> str:
    return f"{account.provider}/{account.name}"


def _poller(account: AccountSettings, cost_key: _CostKey | None, tells_balance: bool) -> str | None:
    """What its figures rest on."""
    if cost_key is not None:
        return cost_key.poller
    if tells_balance:
        return _balance_poller(account)
    return _bill_poller(account) if _tells_bills(account) else None


def _account(settings: Settings, account: AccountSettings) -> Account:
    cost_key = _cost_key(settings, account)
    tells = cost_key is None and _tells_balance(account)
    every = settings.section(_COST_SECTIONS[cost_key.provider]).poll_every if cost_key else account.poll_every
    return Account(
        name=account.name,
        provider=account.provider,
        poller=_poller(account, cost_key, tells),
        poll_every=every,
        low_balance=account.low_balance,
        tells_balance=tells,
        shared_with=tuple(
            other.name for other in settings.accounts if other.provider == account.provider and other is not account
        ),
    )
