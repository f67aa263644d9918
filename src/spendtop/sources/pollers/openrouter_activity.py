"""OpenRouter: what it charged per completed UTC day, by key and model.

`GET /api/v1/activity` (openrouter 1.3.84) has the last 30 completed days and never today; with `api_key_hash` those of
one key, whose names `GET /api/v1/keys` has. US dollars as JSON numbers. `usage` is what OpenRouter charges; what was
used with a provider's own key is billed by that provider (`byok_usage_inference`) and is no part of it. Needs a
management key.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Context, Decimal

from msgspec import Struct

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.amounts import BilledName, NotAnAmount, exact
from spendtop.sources.pollers import Costs, KeyRefused, PollFailed, wrong_kind
from spendtop.sources.pollers.amounts import day_number
from spendtop.sources.pollers.cost_pages import DOLLAR, Billed
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Query, shaped

_WHO = "OpenRouter"
_ACTIVITY = "/api/v1/activity"
_TOLD_DAYS = 30
_MOST_KEYS = 50
_EXACT = Context(prec=60)
_NOTHING = Decimal(0)
_OVERLAP = "OpenRouter's keys were charged more than the account for a day: it is shown without keys."


class _Activity(Struct, frozen=True):
    date: str
    model: str = ""
    usage: object = 0


class _Activities(Struct, frozen=True):
    data: list[_Activity]


class _AccountKey(Struct, frozen=True):
    hash: str
    name: str = ""
    label: str = ""
    usage: object = 0
    workspace_id: str | None = None


class _AccountKeys(Struct, frozen=True):
    data: list[_AccountKey]


_ByModel = defaultdict[tuple[int, str], Decimal]
"""US dollars by UTC day (since 1970) and model."""


class OpenRouterActivity:
    """Reads an account's activity: a question, one for its keys, and one for each key that was ever used."""

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
        """What was charged on completed days, by workspace (as project), key and model (as line item). `last_day` is
        today, of which nothing is told. Raises PollFailed."""
        first, last = max(first_day, last_day - _TOLD_DAYS), max(last_day - 1, first_day)
        async with self._fetcher.poll() as poll:
            whole = await _activity(poll, ())
            keys = await _keys(poll)
            used = [key for key in keys if _amount(key.usage)][:_MOST_KEYS]
            by_key = {key.hash: await _activity(poll, (("api_key_hash", key.hash),)) for key in used}
        billed = Billed(_WHO, first, last, DOLLAR)
        workspaces = {key.hash: key.workspace_id or "" for key in keys}
        flaws: set[str] = set()
        for (day, model), amount in whole.items():
            parts = {hashed: each[day, model] for hashed, each in by_key.items() if each.get((day, model))}
            rest = _EXACT.subtract(amount, _sum(parts))
            if rest < 0:
                flaws.add(_OVERLAP)
                parts, rest = {}, amount
            for hashed, part in {**parts, "": rest}.items():
                if part or not parts:
                    billed.add(
                        day,
                        part,
                        "USD",
                        project=workspaces.get(hashed, ""),
                        line_item=f"{model}, tokens",
                        api_key=hashed,
                    )
        return billed.costs(
            *flaws,
            names=[BilledName("key", key.hash, key.name or key.label, key.workspace_id or "") for key in keys],
            billed_until=last_day * DAY,
            split="key, model",
        )

    def _what_to_do(self, status: int, message: str) -> str:
        return (
            f"{wrong_kind(self._key, 'sk-or-')}Activity is told to management keys only: create one at"
            " openrouter.ai/settings/management-keys and set it as key of this account."
        )


async def _activity(poll: Poll, query: Query) -> _ByModel:
    sums: _ByModel = defaultdict(Decimal)
    for each in shaped(_WHO, await poll.json("GET", _ACTIVITY, query=query), _Activities).data:
        place = day_number(_WHO, each.date), each.model
        sums[place] = _EXACT.add(sums[place], _amount(each.usage))
    return sums


async def _keys(poll: Poll) -> list[_AccountKey]:
    """All of the default workspace; none where they may not be known."""
    keys: dict[str, _AccountKey] = {}
    try:
        while True:
            query: Query = (("offset", len(keys)), ("include_disabled", "true"))
            page = shaped(_WHO, await poll.json("GET", "/api/v1/keys", query=query), _AccountKeys).data
            known = len(keys)
            keys |= {key.hash: key for key in page}
            if len(keys) == known:
                return [*keys.values()]
    except KeyRefused:
        return []


def _sum(parts: dict[str, Decimal]) -> Decimal:
    whole = _NOTHING
    for part in parts.values():
        whole = _EXACT.add(whole, part)
    return whole


def _amount(value: object) -> Decimal:
    try:
        return exact(value)
    except NotAnAmount:
        raise PollFailed("OpenRouter sent something as an amount that is none; nothing of this poll is kept") from None
