"""OpenRouter: what it charged per completed UTC day, by key and model, and by user.

`GET /api/v1/activity` (openrouter 1.3.84) has the last 30 completed days and never today; with `api_key_hash` or
`user_id` those of one key or user. `GET /api/v1/keys` names keys and who made them: these are the users that are asked
for. US dollars as JSON numbers. `usage` is what OpenRouter charges; what was used with a provider's own key is billed
by that provider (`byok_usage_inference`) and is no part of it. Needs a management key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.amounts import BilledName, NotAnAmount, UserPart, exact
from spendtop.sources.pollers import Costs, KeyRefused, PollFailed, wrong_kind
from spendtop.sources.pollers.amounts import day_number
from spendtop.sources.pollers.cost_pages import DOLLAR, MOST_PAGES, Billed
from spendtop.sources.pollers.day_use import DayUse
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Query, Rejected, shaped
from spendtop.sources.pollers.used_parts import Counted, whole

_WHO = "OpenRouter"
_ACTIVITY = "/api/v1/activity"
_TOLD_DAYS = 30
_MOST_HOLDERS = 50
_OVERLAP = "OpenRouter's keys were charged more than the account for a day: it is shown without keys."
_LEFT_OUT = "OpenRouter's activity is asked for by its 50 keys of the most use: {:,} more are shown without a key."
_NOT_BY_USER = "OpenRouter does not split this account's activity by user."


class _Activity(Struct, frozen=True):
    date: str
    model: str = ""
    usage: object = 0
    prompt_tokens: object = None
    completion_tokens: object = None
    requests: object = None


class _Activities(Struct, frozen=True):
    data: list[_Activity]


class _AccountKey(Struct, frozen=True):
    hash: str
    name: str = ""
    label: str = ""
    usage: object = 0
    workspace_id: str | None = None
    creator_user_id: str | None = None


class _AccountKeys(Struct, frozen=True):
    data: list[_AccountKey]


_ByModel = Mapping[tuple[int, str], DayUse]
"""By UTC day (since 1970) and model."""


class OpenRouterActivity:
    """Reads an account's activity: a question, two or more for keys, one for each key and each of their makers."""

    def __init__(self, key: str, base_url: str = "", *, bounds: FetchBounds = USUAL) -> None:
        self._key = key
        self._fetcher = Fetcher(
            _WHO,
            base_url or "https://openrouter.ai",
            {"Authorization": f"Bearer {key}"},
            advise=self._what_to_do,
            bounds=bounds,
        )

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """What was charged on completed days, by workspace (as project), key and model (as line item), and by user.
        `last_day` is today, of which nothing is told. Raises PollFailed."""
        first, last = max(first_day, last_day - _TOLD_DAYS), max(last_day - 1, first_day)
        async with self._fetcher.poll() as poll:
            whole = await _activity(poll, ())
            keys = await _keys(poll)
            used = sorted((key for key in keys if _amount(key.usage)), key=lambda key: _amount(key.usage), reverse=True)
            by_key = {key.hash: await _activity(poll, (("api_key_hash", key.hash),)) for key in used[:_MOST_HOLDERS]}
            makers = sorted({key.creator_user_id for key in used if key.creator_user_id})[:_MOST_HOLDERS]
            users = await _by_user(poll, whole, makers) if makers else None
        costs = _billed(Billed(_WHO, first, last, DOLLAR), Counted(_WHO, first, last), whole, by_key, keys)
        return replace(
            costs,
            users=None if users is None else tuple(part for part in users if first <= part.day <= last),
            flaws=(
                *costs.flaws,
                *([] if users is not None or not makers else [_NOT_BY_USER]),
                *([_LEFT_OUT.format(len(used) - _MOST_HOLDERS)] if len(used) > _MOST_HOLDERS else []),
            ),
            billed_until=last_day * DAY,
        )

    def _what_to_do(self, status: int, message: str) -> str:
        return (
            f"{wrong_kind(self._key, 'sk-or-')}Activity is told to management keys only: create one at"
            " openrouter.ai/settings/management-keys and set it as key of this account."
        )


def _billed(
    billed: Billed, counted: Counted, whole: _ByModel, by_key: Mapping[str, _ByModel], keys: list[_AccountKey]
) -> Costs:
    """Each day and model by key, and what no key is charged for."""
    workspaces = {key.hash: key.workspace_id or "" for key in keys}
    flaws: set[str] = set()
    for place, use in whole.items():
        day, model = place
        parts = {hashed: each[place] for hashed, each in by_key.items() if place in each}
        rest = use.less(parts.values())
        if rest.dollars < 0:
            flaws.add(_OVERLAP)
            parts, rest = {}, use
        for hashed, part in {**parts, "": rest}.items():
            workspace = workspaces.get(hashed, "")
            if part.dollars or not parts:
                item = f"{model}, tokens"
                billed.add(day, part.dollars, "USD", project=workspace, line_item=item, api_key=hashed)
            counted.add(day, part.counts(), project=workspace, api_key=hashed, model=model)
    names = [BilledName("key", key.hash, key.name or key.label, key.workspace_id or "") for key in keys]
    return replace(billed.costs(*flaws, names=names, split="key, model"), used=counted.used())


async def _activity(poll: Poll, query: Query) -> _ByModel:
    sums: defaultdict[tuple[int, str], DayUse] = defaultdict(DayUse)
    for each in shaped(_WHO, await poll.json("GET", _ACTIVITY, query=query), _Activities).data:
        counts = (whole(_WHO, value) for value in (each.prompt_tokens, each.completion_tokens, each.requests))
        use = DayUse(_amount(each.usage), *counts)
        place = day_number(_WHO, each.date), each.model
        sums[place] = sums[place].plus(use)
    return sums


async def _by_user(poll: Poll, whole: _ByModel, users: list[str]) -> list[UserPart] | None:
    """What each of these users was charged, and what none of them was; None where that does not add up."""
    rests: defaultdict[int, DayUse] = defaultdict(DayUse)
    for (day, _), use in whole.items():
        rests[day] = rests[day].plus(use)
    parts: list[UserPart] = []
    for user in users:
        try:
            of_user = await _activity(poll, (("user_id", user),))
        except (KeyRefused, Rejected):
            return None
        for (day, _), use in of_user.items():
            rests[day] = rests[day].less([use])
            parts.append(UserPart(day, user, use.dollars))
    if any(rest.dollars < 0 for rest in rests.values()):
        return None
    return [*parts, *(UserPart(day, "", rest.dollars) for day, rest in rests.items() if rest.dollars)]


async def _keys(poll: Poll) -> list[_AccountKey]:
    """All of the default workspace; none where they may not be known."""
    keys: dict[str, _AccountKey] = {}
    try:
        for _ in range(MOST_PAGES):
            query: Query = (("offset", len(keys)), ("include_disabled", "true"))
            page = shaped(_WHO, await poll.json("GET", "/api/v1/keys", query=query), _AccountKeys).data
            known = len(keys)
            keys |= {key.hash: key for key in page}
            if len(keys) == known:
                return [*keys.values()]
    except KeyRefused:
        return []
    raise PollFailed(f"OpenRouter's list of keys does not end after {MOST_PAGES} pages; nothing of this poll is kept")


def _amount(value: object) -> Decimal:
    try:
        return exact(value)
    except NotAnAmount:
        raise PollFailed("OpenRouter sent something as an amount that is none; nothing of this poll is kept") from None
