"""xAI: the prepaid balance of a team, and what it used per UTC day.

`GET management-api.x.ai/v1/billing/teams/{team}/prepaid/balance`: `total.val` is text in cents with the sign turned,
-1000 for $10 left; it is booked when a cycle closes, so that the use of the current month is taken off here. `POST
.../usage` sums it by day in US dollars; `limitReached` makes it a lower bound (vendor's page and CodexBar, 2026-08).
Needs a management key.
"""

from __future__ import annotations

import time
from decimal import Decimal
from typing import ClassVar

from msgspec import Struct

from spendtop.domain.clock import DAY, Clock, to_datetime
from spendtop.domain.ledger.amounts import exact, total
from spendtop.domain.money import Usd
from spendtop.sources.pollers import Costs, PollFailed
from spendtop.sources.pollers.amounts import day_number
from spendtop.sources.pollers.balances import KeyedBalance
from spendtop.sources.pollers.cost_pages import CENT, DOLLAR, Billed
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Rejected, shaped

_WHO = "xAI"
_ADDRESS = "https://management-api.x.ai"
_NO_TEAM = "xAI asks which team it is about: set its id as scope of the account."
_LOWER_BOUND = "xAI's answer has no room for all use: what it shows is the least that was used."


class _Cents(Struct, frozen=True):
    val: object


class _Prepaid(Struct, frozen=True):
    total: _Cents


class _UsedPoint(Struct, frozen=True):
    timestamp: str
    values: list[object] | None = None


class _UsedSeries(Struct, frozen=True):
    dataPoints: list[_UsedPoint] | None = None
    group: list[str] | None = None


class _XaiUse(Struct, frozen=True):
    timeSeries: list[_UsedSeries] | None = None
    limitReached: bool = False


def _system_clock() -> int:
    return time.time_ns() // 1000


class XaiBalance(KeyedBalance):
    """What is left of the credit that a team bought, less what it used in the current month."""

    provider: ClassVar[str] = _WHO
    address: ClassVar[str] = _ADDRESS

    def __init__(
        self,
        key: str,
        base_url: str = "",
        scope: str = "",
        *,
        bounds: FetchBounds = USUAL,
        clock: Clock = _system_clock,
    ) -> None:
        super().__init__(key, base_url, scope, bounds=bounds)
        self._clock = clock

    def _what_to_do(self, status: int, message: str) -> str:
        return _what_to_do(status, message)

    async def balance(self) -> Usd:
        if not self._scope:
            raise PollFailed(_NO_TEAM)
        path = f"/v1/billing/teams/{self._scope}"
        today = self._clock() // DAY
        first = today - to_datetime(today * DAY).day + 1
        async with self._fetcher.poll() as poll:
            prepaid = shaped(_WHO, await poll.json("GET", f"{path}/prepaid/balance"), _Prepaid)
            try:
                used = await _usage(poll, self._scope, first, today)
            except Rejected:
                self.remark = "What was used since the last invoice is not told, and not taken off."
                return -self._usd(prepaid.total.val, unit=CENT)
        self.remark = _LOWER_BOUND if used.limitReached else ""
        points = (point for series in used.timeSeries or () for point in series.dataPoints or ())
        spent = total(_amount(value) for point in points for value in (point.values or ())[:1])
        return -self._usd(prepaid.total.val, unit=CENT) - spent


class XaiBills:
    """Reads what a team used per day, in one question."""

    def __init__(self, key: str, base_url: str = "", scope: str = "", *, bounds: FetchBounds = USUAL) -> None:
        self._scope = scope
        self._fetcher = Fetcher(
            _WHO, base_url or _ADDRESS, {"Authorization": f"Bearer {key}"}, advise=_what_to_do, bounds=bounds
        )

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """Days as xAI names them. Raises PollFailed."""
        if not self._scope:
            raise PollFailed(_NO_TEAM)
        async with self._fetcher.poll() as poll:
            used = await _usage(poll, self._scope, first_day, last_day)
        billed = Billed(_WHO, first_day, last_day, DOLLAR)
        for series in used.timeSeries or ():
            for point in series.dataPoints or ():
                value = point.values[0] if point.values else None
                line = ", ".join(series.group or ())
                billed.add(day_number(_WHO, point.timestamp), value, "USD", project=None, line_item=line)
        return billed.costs(*([_LOWER_BOUND] if used.limitReached else []))


def _what_to_do(status: int, message: str) -> str:
    return (
        "The key is a management key of the team (console.x.ai, Management Keys), not one for requests; set it as key"
        " of this account, and the team's id as its scope."
    )


async def _usage(poll: Poll, team: str, first_day: int, last_day: int) -> _XaiUse:
    asked = {
        "analyticsRequest": {
            "timeRange": {"startTime": _text(first_day), "endTime": _text(last_day + 1), "timezone": "Etc/GMT"},
            "timeUnit": "TIME_UNIT_DAY",
            "values": [{"name": "usd", "aggregation": "AGGREGATION_SUM"}],
            "groupBy": [],
            "filters": [],
        }
    }
    return shaped(_WHO, await poll.json("POST", f"/v1/billing/teams/{team}/usage", body=asked), _XaiUse)


def _amount(value: object) -> Decimal:
    try:
        return exact(value)
    except ValueError:
        raise PollFailed("xAI sent something as an amount that is none; nothing of this poll is kept") from None


def _text(day: int) -> str:
    return f"{to_datetime(day * DAY):%Y-%m-%d %H:%M:%S}"
