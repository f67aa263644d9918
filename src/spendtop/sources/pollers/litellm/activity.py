"""LiteLLM proxy: what it counted per UTC day, money and tokens, by key, user and model.

`GET /user/daily/activity` (litellm 1.110.2): US dollars as JSON numbers; pages are cut by rows, so that a day can go on
on the next one. A model with tokens and no spend is one that the proxy has no price for, not a free one. Tags overlap
and are not asked for. Reads with a master or admin key.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct, field
from msgspec.structs import replace

from spendtop.domain.clock import DAY, to_datetime
from spendtop.domain.ledger.amounts import BilledName, NotAnAmount, exact
from spendtop.domain.ledger.bill_kinds import BillKind
from spendtop.sources.pollers import Costs, PollFailed
from spendtop.sources.pollers.amounts import day_number
from spendtop.sources.pollers.cost_pages import DOLLAR, MOST_PAGES, Billed
from spendtop.sources.pollers.day_use import DayUse
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, shaped
from spendtop.sources.pollers.used_parts import Counted, whole

_WHO = "LiteLLM"
_PAGE_SIZE = 1000
_NOTHING = DayUse()
_ROUNDING = Decimal("1e-9")
"""What sums of JSON numbers may be off."""


class _Metrics(Struct, frozen=True):
    spend: object = 0
    total_tokens: object = None
    prompt_tokens: object = None
    """The whole input."""
    completion_tokens: object = None
    api_requests: object = None

    @property
    def use(self) -> DayUse:
        """Raises PollFailed for what is no amount or count."""
        counts = (whole(_WHO, value) for value in (self.prompt_tokens, self.completion_tokens, self.api_requests))
        return DayUse(_amount(self.spend), *counts)


class _KeyFacts(Struct, frozen=True):
    key_alias: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    user_email: str | None = None


class _OfKey(Struct, frozen=True):
    metrics: _Metrics
    metadata: _KeyFacts = _KeyFacts()


class _OfModel(Struct, frozen=True):
    metrics: _Metrics
    api_key_breakdown: dict[str, _OfKey] | None = None


class _Breakdown(Struct, frozen=True):
    models: dict[str, _OfModel] | None = None
    api_keys: dict[str, _OfKey] | None = None


class _DayActivity(Struct, frozen=True):
    date: str
    metrics: _Metrics
    breakdown: _Breakdown = _Breakdown()


class _PageFacts(Struct, frozen=True):
    page: int = 1
    has_more: bool = False
    api_key_limit: int | None = None
    total_api_keys: int | None = None


class _ActivityPage(Struct, frozen=True):
    results: list[_DayActivity]
    metadata: _PageFacts = _PageFacts()


class UsedKey(Struct):
    """One key on one day; names are empty where the proxy has none."""

    name: str = ""
    team: str = ""
    user: str = ""
    mail: str = ""
    used: dict[str, DayUse] = field(default_factory=dict)
    """By model; by "" what no model is named for."""


class ActivityDay(Struct):
    """One UTC day (since 1970), all its pages together."""

    day: int
    whole: DayUse = _NOTHING
    keys: dict[str, UsedKey] = field(default_factory=dict)
    unpriced: set[str] = field(default_factory=set)
    """Models with tokens and no spend."""
    left_out: int = 0
    """Keys that the answer has no room for."""


class LitellmActivity:
    """Reads a proxy's daily activity: one question for some weeks of it."""

    def __init__(self, key: str, base_url: str, *, bounds: FetchBounds = USUAL) -> None:
        self._fetcher = Fetcher(_WHO, base_url, {"Authorization": f"Bearer {key}"}, advise=what_to_do, bounds=bounds)

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """What was spent, by team (as project), key and model (as line item), and by user. Raises PollFailed."""
        async with self._fetcher.poll() as poll:
            days = await activity_days(poll, first_day, last_day)
        billed, counted = Billed(_WHO, first_day, last_day, DOLLAR), Counted(_WHO, first_day, last_day)
        names: dict[tuple[BillKind, str], BilledName] = {}
        for day in days:
            for hashed, key in day.keys.items():
                names["key", hashed] = BilledName("key", hashed, key.name, key.team)
                if key.mail:
                    names["user", key.user] = BilledName("user", key.user, key.mail)
                for model, use in key.used.items():
                    whose = {"project": key.team, "api_key": hashed, "user": key.user}
                    billed.add(day.day, use.dollars, "USD", line_item=model, **whose)
                    counted.add(day.day, use.counts(), model=model, **whose)
            rest = day.whole.less(use for key in day.keys.values() for use in key.used.values())
            if abs(rest.dollars) >= _ROUNDING:
                billed.add(day.day, rest.dollars, "USD", project="", line_item="", user="")
            counted.add(day.day, rest.counts())
        costs = billed.costs(*_flaws(days), names=tuple(each for each in names.values() if each.name))
        return replace(costs, used=counted.used())


def what_to_do(status: int, message: str) -> str:
    return "Activity and budgets are told to the master key or a proxy admin's; set it as key of the account."


async def activity_days(poll: Poll, first_day: int, last_day: int) -> list[ActivityDay]:
    """The days that had any activity, of these UTC days since 1970 (both inclusive). Raises PollFailed."""
    days: dict[int, ActivityDay] = {}
    span = (("start_date", _text(first_day)), ("end_date", _text(last_day)), ("page_size", _PAGE_SIZE))
    for number in range(1, MOST_PAGES + 1):
        answer = await poll.json("GET", "/user/daily/activity", query=(*span, ("page", number)))
        page = shaped(_WHO, answer, _ActivityPage)
        if page.metadata.page != number:
            raise PollFailed("LiteLLM's pages do not lead on: one came that was not asked for")
        for result in page.results:
            day = day_number(_WHO, result.date)
            _add(days.setdefault(day, ActivityDay(day)), result, page.metadata)
        if not page.metadata.has_more:
            return list(days.values())
    raise PollFailed(f"LiteLLM's answer does not end after {MOST_PAGES} pages; nothing of this poll is kept")


def _add(day: ActivityDay, result: _DayActivity, facts: _PageFacts) -> None:
    day.whole = day.whole.plus(result.metrics.use)
    models, api_keys = result.breakdown.models or {}, result.breakdown.api_keys or {}
    for hashed, of_key in api_keys.items():
        _take_facts(day.keys.setdefault(hashed, UsedKey()), of_key.metadata)
    for model, of_model in models.items():
        if whole(_WHO, of_model.metrics.total_tokens) and not of_model.metrics.use.dollars:
            day.unpriced.add(model)
        for hashed, of_key in (of_model.api_key_breakdown or {}).items():
            key = day.keys.setdefault(hashed, UsedKey())
            _take_facts(key, of_key.metadata)
            _spend(key, model, of_key.metrics)
    if not any(of_model.api_key_breakdown for of_model in models.values()):
        for hashed, of_key in api_keys.items():
            _spend(day.keys[hashed], "", of_key.metrics)
    if facts.total_api_keys is not None and facts.api_key_limit is not None:
        day.left_out = max(day.left_out, facts.total_api_keys - facts.api_key_limit)


def _take_facts(key: UsedKey, facts: _KeyFacts) -> None:
    key.name, key.team = key.name or facts.key_alias or "", key.team or facts.team_id or ""
    key.user, key.mail = key.user or facts.user_id or "", key.mail or facts.user_email or ""


def _spend(key: UsedKey, model: str, metrics: _Metrics) -> None:
    key.used[model] = key.used.get(model, _NOTHING).plus(metrics.use)


def _amount(value: object) -> Decimal:
    try:
        return exact(value)
    except NotAnAmount:
        raise PollFailed("LiteLLM sent something as an amount that is none; nothing of this poll is kept") from None


def _flaws(days: list[ActivityDay]) -> Iterator[str]:
    unpriced = {model for day in days for model in day.unpriced}
    if unpriced:
        yield f"LiteLLM has no price for {len(unpriced):,} models that were used: its figures are too low there."
    left_out = max((day.left_out for day in days), default=0)
    if left_out > 0:
        yield f"LiteLLM's answer has no room for {left_out:,} keys: what they spent is shown without a key."


def _text(day: int) -> str:
    return f"{to_datetime(day * DAY):%Y-%m-%d}"
