"""Cursor teams: what usage was charged per UTC day, by member and model, and what members may spend beyond their plan.

`POST api.cursor.com/teams/filtered-usage-events` has each call with `chargedCents`; only those of kind "Usage-based"
are charged, others are in the plan. `POST /teams/spend` has the cycle per member: `spendCents` includes
`includedSpendCents`, so that the charge is the difference (CodexBar, 2026-08). Basic authentication with the key of an
admin of a team plan.
"""

from __future__ import annotations

from base64 import b64encode
from decimal import Context, Decimal

from msgspec import Struct

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.amounts import BilledName, NotAnAmount, exact
from spendtop.domain.limits.provider_limits import ProviderLimit
from spendtop.domain.money import Usd
from spendtop.sources.pollers import Costs, Limits, PollFailed
from spendtop.sources.pollers.amounts import dollars
from spendtop.sources.pollers.cost_pages import CENT, MOST_PAGES, Billed
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, shaped

_WHO = "Cursor"
_ADDRESS = "https://api.cursor.com"
_MILLISECONDS = DAY // 1000
_PAGE = 100
_CHARGED = "usage-based"
_EXACT = Context(prec=60)


class _Event(Struct, frozen=True):
    timestamp: str | int
    userEmail: str | None = None
    model: str | None = None
    kind: str = ""
    """Usage-based where it is charged; a later spelling ends so, too."""
    chargedCents: object = None


class _EventPagination(Struct, frozen=True):
    hasNextPage: bool = False
    currentPage: int = 1


class _Events(Struct, frozen=True):
    usageEvents: list[_Event]
    pagination: _EventPagination = _EventPagination()


class _MemberSpend(Struct, frozen=True):
    userId: str | int | None = None
    name: str | None = None
    email: str | None = None
    spendCents: object = 0
    includedSpendCents: object = 0
    monthlyLimitDollars: object = None
    hardLimitOverrideDollars: object = None


class _TeamSpend(Struct, frozen=True):
    teamMemberSpend: list[_MemberSpend]
    totalPages: int = 1


def _fetcher(key: str, base_url: str, bounds: FetchBounds) -> Fetcher:
    basic = b64encode(f"{key}:".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    return Fetcher(_WHO, base_url or _ADDRESS, headers, advise=_what_to_do, bounds=bounds)


def _what_to_do(status: int, message: str) -> str:
    return "The key is an admin API key of a team plan; set it as key of this account."


class CursorBills:
    """Reads usage events, a hundred a page."""

    def __init__(self, key: str, base_url: str = "", *, bounds: FetchBounds = USUAL) -> None:
        self._fetcher = _fetcher(key, base_url, bounds)

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """By model (as line item) and member (by mail). Raises PollFailed."""
        billed = Billed(_WHO, first_day, last_day, CENT)
        mails: set[str] = set()
        span = {"startDate": first_day * _MILLISECONDS, "endDate": (last_day + 1) * _MILLISECONDS - 1}
        async with self._fetcher.poll() as poll:
            for number in range(1, MOST_PAGES + 1):
                asked = {**span, "page": number, "pageSize": _PAGE}
                page = shaped(_WHO, await poll.json("POST", "/teams/filtered-usage-events", body=asked), _Events)
                if page.pagination.currentPage != number:
                    raise PollFailed("Cursor's pages do not lead on: one came that was not asked for")
                for event in page.usageEvents:
                    if event.kind.casefold().replace("_", "-").endswith(_CHARGED):
                        mails.add(event.userEmail or "")
                        line, mail = f"{event.model or 'unknown'}, tokens", event.userEmail or ""
                        billed.add(_day(event), event.chargedCents, "USD", project=None, line_item=line, user=mail)
                if not page.pagination.hasNextPage:
                    break
            else:
                raise PollFailed(f"Cursor's answer does not end after {MOST_PAGES} pages; nothing of this poll is kept")
        return billed.costs(names=[BilledName("user", mail, mail) for mail in sorted(mails) if mail])


class CursorLimits:
    """Reads what members spent beyond the plan in their cycle, and what they may."""

    provider = "cursor"

    def __init__(self, key: str, base_url: str = "", *, bounds: FetchBounds = USUAL) -> None:
        self._fetcher = _fetcher(key, base_url, bounds)

    async def limits(self, now: int) -> Limits:
        """A row for each member. Raises PollFailed."""
        members: list[_MemberSpend] = []
        async with self._fetcher.poll() as poll:
            for number in range(1, MOST_PAGES + 1):
                answer = await poll.json("POST", "/teams/spend", body={"page": number, "pageSize": _PAGE})
                page = shaped(_WHO, answer, _TeamSpend)
                members += page.teamMemberSpend
                if number >= page.totalPages:
                    break
            else:
                raise PollFailed(f"Cursor's members do not end after {MOST_PAGES} pages; nothing of this poll is kept")
        return Limits(limits=tuple(map(_of_member, members)))


def _of_member(member: _MemberSpend) -> ProviderLimit:
    try:
        spent = _EXACT.subtract(exact(member.spendCents), exact(member.includedSpendCents))
        override = exact(member.hardLimitOverrideDollars or 0)
    except NotAnAmount:
        raise PollFailed("Cursor sent something as an amount that is none; nothing of this poll is kept") from None
    allowed = member.monthlyLimitDollars if member.monthlyLimitDollars is not None else override or None
    return ProviderLimit(
        scope="user",
        subject=str(member.userId or ""),
        name=member.email or member.name or "",
        amount=None if allowed is None else dollars(_WHO, allowed, Decimal(1)),
        used=Usd.of(_EXACT.multiply(spent, CENT)),
        interval="cycle",
    )


def _day(event: _Event) -> int:
    try:
        return int(event.timestamp) // _MILLISECONDS
    except ValueError:
        raise PollFailed("Cursor sent something as a time that is none; nothing of this poll is kept") from None
