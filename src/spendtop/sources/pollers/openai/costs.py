"""OpenAI: what it billed per UTC day, and how many tokens were used in each minute of one."""

from __future__ import annotations

from msgspec import Struct

from spendtop.domain.clock import DAY, SECOND
from spendtop.domain.ledger.amounts import UserPart
from spendtop.domain.requests.request import Usage
from spendtop.domain.untrusted import storable_name
from spendtop.domain.usage import count
from spendtop.sources.pollers import Costs, PollFailed, wrong_kind
from spendtop.sources.pollers.cost_pages import DOLLAR, Billed, all_pages
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Query, Rejected

_WHO = "OpenAI"
_KEY_BEGINS = "sk-admin-"
_COSTS = "/v1/organization/costs"
_USAGE = "/v1/organization/usage/completions"
_DAY_SECONDS = DAY // SECOND
_SPLIT: Query = (("group_by", "project_id"), ("group_by", "line_item"))
_SPLIT_BY_KEY: Query = (*_SPLIT, ("group_by", "api_key_id"))
_NOT_BY_KEY = "OpenAI does not split this organization's costs by API key."
_NO_DAYS = "OpenAI's answer names none of the days that it was asked for; nothing of this poll is kept"


class _Amount(Struct):
    value: object = None
    currency: str | None = None


class _OpenAICost(Struct):
    amount: _Amount | None = None
    user_id: str | None = None
    project_id: str | None = None
    line_item: str | None = None
    api_key_id: str | None = None


class _OpenAIDay(Struct):
    start_time: int
    results: list[_OpenAICost]


class _OpenAIDays(Struct):
    data: list[_OpenAIDay]
    has_more: bool
    next_page: str | None = None


class _Used(Struct):
    input_tokens: int
    output_tokens: int
    model: str | None = None
    input_cached_tokens: int | None = None
    input_cache_write_tokens: int | None = None


class _Minute(Struct):
    start_time: int
    results: list[_Used]


class _Minutes(Struct):
    data: list[_Minute]
    has_more: bool
    next_page: str | None = None


class MinuteOfUse(Struct, frozen=True, kw_only=True):
    """Tokens that an organization used of one model within one minute."""

    at: int
    """Begin of the minute, UTC µs."""
    model: str | None
    """None where OpenAI does not name it."""
    tokens: Usage


class OpenAICosts:
    """Reads OpenAI's organization API with an admin key. Amounts are billed ones, and settle over hours."""

    def __init__(self, key: str, base_url: str = "https://api.openai.com", *, bounds: FetchBounds = USUAL) -> None:
        self._key = key
        self._fetcher = Fetcher(
            _WHO, base_url, {"Authorization": f"Bearer {key}"}, advise=self._what_to_do, bounds=bounds
        )

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """What was billed, by project, line item and API key; all pages for these UTC days or nothing.

        Raises PollFailed.
        """
        async with self._fetcher.poll() as poll:
            try:
                return _billed(await _pages(poll, first_day, last_day, _SPLIT_BY_KEY), first_day, last_day)
            except Rejected as rejected:
                if rejected.status != 400:
                    raise
            return _billed(await _pages(poll, first_day, last_day, _SPLIT), first_day, last_day, _NOT_BY_KEY)

    async def usage(self, day: int) -> tuple[MinuteOfUse, ...]:
        """Tokens per minute and model of one UTC day, as far as completions and responses go. Raises PollFailed."""
        query: Query = (*_window(day, day), ("bucket_width", "1m"), ("limit", 1440), ("group_by", "model"))
        async with self._fetcher.poll() as poll:
            pages = await all_pages(poll, _USAGE, query, _Minutes)
        return tuple(_use(minute, used) for page in pages for minute in page.data for used in minute.results)

    def _what_to_do(self, status: int, message: str) -> str:
        create = (
            "Create an admin key with the permission api.usage.read at "
            "platform.openai.com/settings/organization/admin-keys and set it as admin_key in [openai]."
        )
        if status == 401 and "scopes" not in message and self._key.startswith(_KEY_BEGINS):
            return f"It may be mistyped or revoked: check admin_key in [openai]. {create}"
        return wrong_kind(self._key, _KEY_BEGINS) + create


def _window(first_day: int, last_day: int) -> Query:
    """UTC midnights; OpenAI takes no end on the day of the start."""
    return (("start_time", first_day * _DAY_SECONDS), ("end_time", (last_day + 1) * _DAY_SECONDS))


async def _pages(poll: Poll, first_day: int, last_day: int, split: Query) -> list[_OpenAIDays]:
    query = (*_window(first_day, last_day), ("bucket_width", "1d"), ("limit", 180), *split)
    return await all_pages(poll, _COSTS, query, _OpenAIDays)


async def costs_by_user(poll: Poll, first_day: int, last_day: int) -> tuple[UserPart, ...]:
    """What each user was billed for on these UTC days. Raises PollFailed."""
    billed = Billed(_WHO, first_day, last_day, DOLLAR)
    for page in await _pages(poll, first_day, last_day, (("group_by", "user_id"),)):
        for day in page.data:
            for cost in day.results:
                amount = cost.amount or _Amount()
                number = day.start_time // _DAY_SECONDS
                billed.add(number, amount.value, amount.currency, project=None, line_item=None, user=cost.user_id or "")
    return billed.costs().users or ()


def _billed(pages: list[_OpenAIDays], first_day: int, last_day: int, *flaws: str) -> Costs:
    billed = Billed(_WHO, first_day, last_day, DOLLAR)
    days = [day for page in pages for day in page.data]
    if not days:
        raise PollFailed(_NO_DAYS)
    for day in days:
        number, off = divmod(day.start_time, _DAY_SECONDS)
        if off:
            raise PollFailed(f"{_WHO} sent costs of something else than a UTC day; nothing of this poll is kept")
        for cost in day.results:
            amount = cost.amount or _Amount()
            billed.add(
                number,
                amount.value,
                amount.currency,
                project=cost.project_id,
                line_item=cost.line_item,
                api_key=cost.api_key_id,
            )
    return billed.costs(*flaws)


def _use(minute: _Minute, used: _Used) -> MinuteOfUse:
    return MinuteOfUse(
        at=minute.start_time * SECOND,
        model=storable_name(used.model) if used.model else None,
        tokens=Usage(
            prompt=count(used.input_tokens),
            completion=count(used.output_tokens),
            cache_read=count(used.input_cached_tokens),
            cache_write=count(used.input_cache_write_tokens),
        ),
    )
