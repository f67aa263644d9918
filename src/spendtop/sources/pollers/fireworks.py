"""Fireworks: what it billed per UTC day, by model.

`GET api.fireworks.ai/v1/accounts`, then `/v1/accounts/{slug}/billing/summary?startTime&endTime`: an amount is `units`
(text, whole dollars) and `nanos`, either of which may be missing (CodexBar, 2026-08). Not every line says when it was,
so that each day is asked for by itself. It tells no balance.
"""

from __future__ import annotations

from decimal import Context, Decimal

from msgspec import Struct

from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.ledger.amounts import NotAnAmount, exact
from spendtop.sources.pollers import Costs, PollFailed
from spendtop.sources.pollers.cost_pages import DOLLAR, MOST_PAGES, Billed
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Query, shaped

_WHO = "Fireworks"
_ADDRESS = "https://api.fireworks.ai"
_FARTHEST = 31
"""Days that are read back at most: each is a question."""
_EXACT = Context(prec=60)


class _Money(Struct, frozen=True):
    currencyCode: str | None = None
    units: object = 0
    nanos: object = 0


class _BilledLine(Struct, frozen=True):
    totalCost: _Money | None = None
    category: str | None = None
    groupingValue: str | None = None


class _Summary(Struct, frozen=True):
    lineItems: list[_BilledLine] | None = None
    nextPageToken: str | None = None


class _FireworksAccount(Struct, frozen=True):
    name: str


class _FireworksAccounts(Struct, frozen=True):
    accounts: list[_FireworksAccount] = []


class FireworksBills:
    """Reads the bills of one account: a question for each day."""

    def __init__(self, key: str, base_url: str = "", scope: str = "", *, bounds: FetchBounds = USUAL) -> None:
        """`scope` is the account's slug; the first that the key sees without it."""
        self._scope = scope
        self._fetcher = Fetcher(
            _WHO, base_url or _ADDRESS, {"Authorization": f"Bearer {key}"}, advise=_what_to_do, bounds=bounds
        )

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """By model, or by what else is billed. Raises PollFailed."""
        first = max(first_day, last_day - _FARTHEST + 1)
        billed = Billed(_WHO, first, last_day, DOLLAR)
        async with self._fetcher.poll() as poll:
            slug = self._scope or await _slug(poll)
            for day in range(first, last_day + 1):
                for line in await _lines(poll, slug, day):
                    money = line.totalCost or _Money()
                    model = (line.groupingValue or "").rpartition("/")[2]
                    item = f"{model}, tokens" if model else line.category
                    billed.add(day, _dollars(money), money.currencyCode, project=None, line_item=item)
        return billed.costs()


def _what_to_do(status: int, message: str) -> str:
    return "The key has to be of somebody who may read the account's billing; set it as key of this account."


async def _slug(poll: Poll) -> str:
    accounts = shaped(_WHO, await poll.json("GET", "/v1/accounts"), _FireworksAccounts).accounts
    if not accounts:
        raise PollFailed("Fireworks shows this key no account; set the account's slug as scope of the account.")
    return accounts[0].name.rpartition("/")[2]


async def _lines(poll: Poll, slug: str, day: int) -> list[_BilledLine]:
    lines: list[_BilledLine] = []
    span: Query = (("startTime", _text(day)), ("endTime", _text(day + 1)))
    further: Query = ()
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        path = f"/v1/accounts/{slug}/billing/summary"
        page = shaped(_WHO, await poll.json("GET", path, query=(*span, *further)), _Summary)
        lines += page.lineItems or ()
        if not page.nextPageToken:
            return lines
        if page.nextPageToken in seen:
            break
        seen.add(page.nextPageToken)
        further = (("pageToken", page.nextPageToken),)
    raise PollFailed("Fireworks' pages do not lead on: a cursor came twice; nothing of this poll is kept")


def _dollars(money: _Money) -> Decimal:
    try:
        return _EXACT.add(exact(money.units), exact(money.nanos).scaleb(-9, _EXACT))
    except NotAnAmount:
        raise PollFailed("Fireworks sent something as an amount that is none; nothing of this poll is kept") from None


def _text(day: int) -> str:
    return f"{to_datetime(day * DAY):%Y-%m-%dT%H:%M:%SZ}"
