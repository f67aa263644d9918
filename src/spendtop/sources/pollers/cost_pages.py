"""What a provider billed: all pages of an answer or none, and their rows gathered into a whole poll of costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from typing import Protocol, TypeVar

from spendtop.domain.ledger.amounts import BilledName, NotAnAmount, UserPart, exact
from spendtop.domain.untrusted import storable_name
from spendtop.sources.pollers import CostPart, Costs, PollFailed
from spendtop.sources.pollers.http_client import Poll, Query, shaped

MOST_PAGES = 100
_DISCARDED = "nothing of this poll is kept"
_EXACT = Context(prec=60)
DOLLAR = Decimal(1)
CENT = Decimal("0.01")


class Billed:
    """Rows of one poll."""

    def __init__(self, provider: str, first_day: int, last_day: int, unit: Decimal) -> None:
        """`unit` is what an amount of one is in US dollars."""
        self._provider = provider
        self._first_day, self._last_day = first_day, last_day
        self._unit = unit
        self._parts: list[CostPart] = []
        self._users: list[UserPart] = []
        self._has_users = True
        self._currencies: set[str] = set()
        self._flaws: Counter[str] = Counter()

    def add(
        self,
        day: int,
        value: object,
        currency: str | None,
        *,
        project: str | None,
        line_item: str | None,
        api_key: str | None = None,
        user: str | None = None,
    ) -> None:
        """One row. Days outside the poll are not whole and left out; an amount that is missing counts as nothing.

        `user` is empty where the provider names nobody, and None where it does not split by user. An amount without a
        currency is taken as US dollars, which errs towards a lower balance.
        Raises PollFailed for what is no amount.
        """
        if not self._first_day <= day <= self._last_day:
            return
        if value is None:
            self._flaws["had no amount and count as nothing"] += 1
            return
        try:
            amount = _EXACT.multiply(exact(value), self._unit)
        except NotAnAmount:
            raise PollFailed(f"{self._provider} sent something as an amount that is none; {_DISCARDED}") from None
        if currency is None:
            self._flaws["had no currency and are taken as US dollars"] += 1
        elif currency.lower() != "usd":
            self._currencies.add(storable_name(currency.upper()))
            return
        self._parts.append(
            CostPart(
                day=day,
                amount=amount,
                project=storable_name(project or ""),
                api_key=storable_name(api_key or ""),
                line_item=storable_name(line_item or ""),
            )
        )
        self._users.append(UserPart(day, storable_name(user or ""), amount))
        self._has_users &= user is not None

    def costs(
        self,
        *more_flaws: str,
        names: Iterable[BilledName] = (),
        billed_until: int | None = None,
        split: str = "",
    ) -> Costs:
        counted = tuple(f"{count:,} of {self._provider}'s amounts {what}." for what, count in self._flaws.items())
        return Costs(
            first_day=self._first_day,
            last_day=self._last_day,
            parts=tuple(self._parts),
            other_currencies=frozenset(self._currencies),
            flaws=(*counted, *more_flaws),
            users=tuple(self._users) if self._has_users else None,
            names=tuple(names),
            billed_until=billed_until,
            split=split,
        )


class Paged(Protocol):
    """What every page says of its place."""

    @property
    def has_more(self) -> bool: ...

    @property
    def next_page(self) -> str | None: ...


_Page = TypeVar("_Page", bound=Paged)


async def all_pages(
    poll: Poll, path: str, query: Query, kind: type[_Page], *, headers: Mapping[str, str] | None = None
) -> list[_Page]:
    """Every page from the first to the last.

    Raises PollFailed when one of them fails, when a cursor is missing or comes back, and after `MOST_PAGES`.
    """
    pages: list[_Page] = []
    seen: set[str] = set()
    cursor: tuple[tuple[str, str], ...] = ()
    while len(pages) < MOST_PAGES:
        page = shaped(poll.provider, await poll.json("GET", path, query=(*query, *cursor), headers=headers), kind)
        pages.append(page)
        if not page.has_more:
            return pages
        if not page.next_page or page.next_page in seen:
            raise PollFailed(f"{poll.provider}'s pages do not lead on: a cursor is missing or came twice; {_DISCARDED}")
        seen.add(page.next_page)
        cursor = (("page", page.next_page),)
    raise PollFailed(f"{poll.provider}'s answer does not end after {MOST_PAGES} pages; {_DISCARDED}")
