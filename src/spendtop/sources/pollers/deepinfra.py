"""DeepInfra: the balance, what is used of the account's limit, and whether it is suspended.

`GET api.deepinfra.com/payment/checklist?compute_owed=true`: `stripe_balance` in US dollars, negative where there is
credit; `recent` counts against `limit`. `GET /payment/usage?from=current` has the month in cents, and no days
(CodexBar, 2026-08).
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from msgspec import Struct

from spendtop.domain.limits.provider_limits import ProviderLimit
from spendtop.domain.money import Usd
from spendtop.sources.pollers import KeyRefused, Limits
from spendtop.sources.pollers.amounts import dollars_or_none
from spendtop.sources.pollers.balances import KeyedBalance
from spendtop.sources.pollers.cost_pages import CENT
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Rejected, check_the_key, shaped

_WHO = "DeepInfra"
_ADDRESS = "https://api.deepinfra.com"
_DOLLAR = Decimal(1)


class _Checklist(Struct, frozen=True):
    stripe_balance: object
    recent: object = None
    limit: object = None
    suspended: bool = False


class _MonthCost(Struct, frozen=True):
    period: str
    total_cost: object = 0


class _MonthCosts(Struct, frozen=True):
    months: list[_MonthCost] = []


async def _checklist(poll: Poll) -> _Checklist:
    answer = await poll.json("GET", "/payment/checklist", query=(("compute_owed", "true"),))
    return shaped(_WHO, answer, _Checklist)


class DeepInfraBalance(KeyedBalance):
    """What is left of the credit; the remark has the month, of which there are no days."""

    provider: ClassVar[str] = _WHO
    address: ClassVar[str] = _ADDRESS

    async def balance(self) -> Usd:
        async with self._fetcher.poll() as poll:
            checklist = await _checklist(poll)
            self.remark = "DeepInfra has suspended the account." if checklist.suspended else await self._month(poll)
        return -self._usd(checklist.stripe_balance)

    async def _month(self, poll: Poll) -> str:
        try:
            answer = await poll.json("GET", "/payment/usage", query=(("from", "current"),))
        except (KeyRefused, Rejected):
            return ""
        months = shaped(_WHO, answer, _MonthCosts).months
        return f"{self._usd(months[-1].total_cost, unit=CENT)} this month." if months else ""


class DeepInfraLimits:
    """Reads the account's limit, behind which it is suspended."""

    provider = "deepinfra"

    def __init__(self, key: str, base_url: str = "", *, bounds: FetchBounds = USUAL) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._fetcher = Fetcher(_WHO, base_url or _ADDRESS, headers, advise=check_the_key, bounds=bounds)

    async def limits(self, now: int) -> Limits:
        """The one there is. Raises PollFailed."""
        async with self._fetcher.poll() as poll:
            checklist = await _checklist(poll)
        amount = dollars_or_none(_WHO, checklist.limit, _DOLLAR)
        used = dollars_or_none(_WHO, checklist.recent, _DOLLAR)
        limit = ProviderLimit(scope="account", amount=amount, used=used, interval="invoice")
        return Limits(limits=(limit,))
