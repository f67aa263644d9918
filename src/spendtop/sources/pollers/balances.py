"""Prepaid balances that providers tell. They settle late, by minutes up to half an hour."""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Context, Decimal
from typing import ClassVar
from urllib.parse import urlsplit

from msgspec import Struct, field

from spendtop.domain.ledger.amounts import exact
from spendtop.domain.money import ZERO, Usd
from spendtop.sources.pollers import KeyRefused, PollFailed, wrong_kind
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, shaped

_EXACT = Context(prec=60)
_DOLLAR = Decimal(1)
_TENTH_OF_A_MILL = Decimal("0.0001")


class KeyedBalance(ABC):
    """A balance that one key reads."""

    provider: ClassVar[str]
    address: ClassVar[str]
    key_begins: ClassVar[str] = ""

    remark: str = ""
    """What the last balance is, a sentence; empty where it is the whole account's."""

    def __init__(self, key: str, base_url: str = "", scope: str = "", *, bounds: FetchBounds = USUAL) -> None:
        """`base_url` takes the place of the provider's own address; `scope` says whose balance it is, where one key
        sees several."""
        self._key = key
        self._scope = scope
        self._base_url = base_url or self.address
        self._fetcher = Fetcher(
            self.provider, self._base_url, {"Authorization": f"Bearer {key}"}, advise=self._what_to_do, bounds=bounds
        )

    @abstractmethod
    async def balance(self) -> Usd:
        """What is left. Raises PollFailed, also for a balance that is not in US dollars."""

    def _what_to_do(self, status: int, message: str) -> str:
        return f"{wrong_kind(self._key, self.key_begins)}Check the key of this account in the configuration."

    def _usd(self, amount: object, *, minus: object = 0, unit: Decimal = _DOLLAR) -> Usd:
        """Amounts as the answer has them; one of them is worth `unit` US dollars."""
        try:
            return Usd.of(_EXACT.multiply(_EXACT.subtract(exact(amount), exact(minus)), unit))
        except ValueError:
            raise PollFailed(f"{self.provider} sent something as a balance that is no amount") from None

    def _not_in_dollars(self, currency: str) -> PollFailed:
        return PollFailed(
            f"The balance at {self.provider} is in {currency}, and only US dollars can be read; "
            'set provider = "other" for this account and keep its balance by hand'
        )

    def _refuse_yuan(self) -> None:
        """For providers whose answer names no currency: their addresses in China hold yuan."""
        if (urlsplit(self._base_url).hostname or "").endswith(".cn"):
            raise self._not_in_dollars("CNY")


class _Credits(Struct):
    total_credits: object
    total_usage: object


class _CreditsAnswer(Struct):
    data: _Credits


class _OwnLimit(Struct):
    limit_remaining: object


class _OwnLimitAnswer(Struct):
    data: _OwnLimit


class OpenRouterBalance(KeyedBalance):
    """The account's credits with a management key; with any other key what is left of that key's own limit."""

    provider = "OpenRouter"
    address = "https://openrouter.ai"
    key_begins = "sk-or-"

    async def balance(self) -> Usd:
        async with self._fetcher.poll() as poll:
            try:
                answer = await poll.json("GET", "/api/v1/credits")
            except KeyRefused:
                return await self._of_the_key_alone(poll)
        credits = shaped(self.provider, answer, _CreditsAnswer).data
        self.remark = ""
        return self._usd(credits.total_credits, minus=credits.total_usage)

    async def _of_the_key_alone(self, poll: Poll) -> Usd:
        own = shaped(self.provider, await poll.json("GET", "/api/v1/key"), _OwnLimitAnswer).data
        if own.limit_remaining is None:
            raise KeyRefused(
                "OpenRouter tells the account's credits to management keys only, and this key has no limit of its own. "
                "Create a management key at openrouter.ai/settings/management-keys, or give this key a limit."
            )
        self.remark = "What is left of the key's own limit: the account's credits are told to management keys only."
        return self._usd(own.limit_remaining)


class _Purse(Struct):
    currency: str
    total_balance: object


class _Purses(Struct):
    balance_infos: list[_Purse]


class DeepSeekBalance(KeyedBalance):
    """One balance per currency; the one in US dollars counts unless all money is in another."""

    provider = "DeepSeek"
    address = "https://api.deepseek.com"

    async def balance(self) -> Usd:
        answer = shaped(self.provider, await self._fetcher.json("GET", "/user/balance"), _Purses)
        amounts = {purse.currency.upper(): self._usd(purse.total_balance) for purse in answer.balance_infos}
        dollars = amounts.pop("USD", None)
        filled = sorted(currency for currency, amount in amounts.items() if amount != ZERO)
        if filled and dollars in (None, ZERO):
            raise self._not_in_dollars("CNY" if "CNY" in filled else "another currency")
        if dollars is None:
            raise PollFailed("DeepSeek names no balance; check that the account has been topped up")
        return dollars


class _Available(Struct):
    available_balance: object


class _AvailableAnswer(Struct):
    data: _Available


class MoonshotBalance(KeyedBalance):
    """US dollars at api.moonshot.ai; api.moonshot.cn has other keys, and yuan."""

    provider = "Moonshot"
    address = "https://api.moonshot.ai"

    async def balance(self) -> Usd:
        self._refuse_yuan()
        answer = shaped(self.provider, await self._fetcher.json("GET", "/v1/users/me/balance"), _AvailableAnswer)
        return self._usd(answer.data.available_balance)


class _Total(Struct):
    total: object = field(name="totalBalance")


class _TotalAnswer(Struct):
    data: _Total


class SiliconFlowBalance(KeyedBalance):
    """Granted and charged balance together: US dollars at api.siliconflow.com; api.siliconflow.cn has yuan."""

    provider = "SiliconFlow"
    address = "https://api.siliconflow.com"

    async def balance(self) -> Usd:
        self._refuse_yuan()
        answer = shaped(self.provider, await self._fetcher.json("GET", "/v1/user/info"), _TotalAnswer)
        return self._usd(answer.data.total)


class _Detail(Struct):
    available: object = field(name="availableBalance")


class NovitaBalance(KeyedBalance):
    """Told in 1/10000 of a US dollar."""

    provider = "Novita"
    address = "https://api.novita.ai"

    async def balance(self) -> Usd:
        answer = shaped(self.provider, await self._fetcher.json("GET", "/openapi/v1/billing/balance/detail"), _Detail)
        return self._usd(answer.available, unit=_TENTH_OF_A_MILL)
