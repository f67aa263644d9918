"""OpenRouter: what a key may spend, and the budgets of its workspace.

`GET /api/v1/key` (openrouter 1.3.84) answers any key: its own limit, and in `budgets` those of its workspace with what
is spent of them. With a management key `GET /api/v1/keys` has the limits of all keys, `/workspaces/{id}/budgets`
further budgets without their use. Amounts are JSON numbers of US dollars; days, weeks and months are those of UTC.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from spendtop.domain.limits.provider_limits import INTERVALS, ProviderLimit
from spendtop.domain.money import Usd
from spendtop.sources.pollers import KeyRefused, Limits, wrong_kind
from spendtop.sources.pollers.amounts import dollars, dollars_or_none, instant
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Rejected, shaped

_WHO = "OpenRouter"
_DOLLAR = Decimal(1)
_MOST_KEYS = 1_000
_MORE_KEYS = f"Limits of OpenRouter's keys behind the first {_MOST_KEYS:,} were not asked for."


class _Budget(Struct, frozen=True):
    limit_usd: object
    scope: str = "workspace"
    budget_id: str | None = None
    spend_usd: object = None
    reset_interval: str | None = None
    resets_at: str | None = None


class _KeyLimit(Struct, frozen=True):
    label: str = ""
    name: str | None = None
    hash: str | None = None
    disabled: bool = False
    limit: object = None
    limit_remaining: object = None
    limit_reset: str | None = None
    workspace_id: str | None = None


class _OwnKey(_KeyLimit, frozen=True):
    budgets: list[_Budget] | None = None
    effective_budget: _Budget | None = None
    is_management_key: bool = False
    is_provisioning_key: bool = False


class _OwnKeyAnswer(Struct, frozen=True):
    data: _OwnKey


class _KeysAnswer(Struct, frozen=True):
    data: list[_KeyLimit]


class _WorkspaceBudget(Struct, frozen=True):
    id: str
    limit_usd: object
    reset_interval: str | None = None


class _WorkspaceBudgets(Struct, frozen=True):
    data: list[_WorkspaceBudget]


class OpenRouterLimits:
    """Reads limits and budgets with whatever key there is."""

    provider = "openrouter"

    def __init__(self, key: str, base_url: str = "", *, bounds: FetchBounds = USUAL) -> None:
        self._key = key
        base_url = base_url or "https://openrouter.ai"
        self._fetcher = Fetcher(
            _WHO, base_url, {"Authorization": f"Bearer {key}"}, advise=self._what_to_do, bounds=bounds
        )

    async def limits(self, now: int) -> Limits:
        """The key's own first, then budgets, then other keys'. Raises PollFailed."""
        async with self._fetcher.poll() as poll:
            own = shaped(_WHO, await poll.json("GET", "/api/v1/key"), _OwnKeyAnswer).data
            budgets = {budget.budget_id or str(place): budget for place, budget in enumerate(own.budgets or ())}
            effective = own.effective_budget
            if effective is not None and effective.budget_id is not None:
                budgets.setdefault(effective.budget_id, effective)
            has_more = False
            limits = [*_of_key(own), *(_of_budget(key, each) for key, each in budgets.items())]
            if own.is_management_key or own.is_provisioning_key:
                keys, has_more = await _all_keys(poll)
                limits += await _of_account(poll, keys, budgets)
        return Limits(limits=tuple(limits), flaws=(_MORE_KEYS,) if has_more else ())

    def _what_to_do(self, status: int, message: str) -> str:
        return f"{wrong_kind(self._key, 'sk-or-')}Check the key of this account in the configuration."


async def _all_keys(poll: Poll) -> tuple[list[_KeyLimit], bool]:
    """The keys of the default workspace, and whether there are more than are read; none where they may not be known."""
    keys: list[_KeyLimit] = []
    try:
        while len(keys) < _MOST_KEYS:
            query = (("offset", len(keys)),)
            page = shaped(_WHO, await poll.json("GET", "/api/v1/keys", query=query), _KeysAnswer).data
            new = [key for key in page if key not in keys]
            keys += new
            if not new:
                return keys, False
    except KeyRefused:
        return [], False
    return keys, True


async def _of_account(poll: Poll, keys: list[_KeyLimit], told: dict[str, _Budget]) -> list[ProviderLimit]:
    """What only a management key is told: limits of all keys, and budgets that are not `told` yet."""
    limits = [limit for key in keys if not key.disabled for limit in _of_key(key)]
    for workspace in sorted({key.workspace_id for key in keys if key.workspace_id}):
        try:
            answer = await poll.json("GET", f"/api/v1/workspaces/{workspace}/budgets")
        except (KeyRefused, Rejected):
            continue
        limits += [
            _of_budget(each.id, _Budget(limit_usd=each.limit_usd, reset_interval=each.reset_interval))
            for each in shaped(_WHO, answer, _WorkspaceBudgets).data
            if each.id not in told
        ]
    return limits


def _of_key(key: _KeyLimit) -> list[ProviderLimit]:
    """Use is of the window: the limit less what is left of it; `usage` is of all time."""
    amount = dollars_or_none(_WHO, key.limit, _DOLLAR)
    if amount is None:
        return []
    left = dollars_or_none(_WHO, key.limit_remaining, _DOLLAR)
    return [
        ProviderLimit(
            scope="key",
            subject=key.hash or "",
            name=key.name or key.label,
            amount=amount,
            used=None if left is None else amount - left,
            interval=_interval(key.limit_reset),
        )
    ]


def _of_budget(subject: str, budget: _Budget) -> ProviderLimit:
    amount: Usd = dollars(_WHO, budget.limit_usd, _DOLLAR)
    return ProviderLimit(
        scope=budget.scope,
        subject=subject,
        name="budget",
        amount=amount,
        used=dollars_or_none(_WHO, budget.spend_usd, _DOLLAR),
        interval=_interval(budget.reset_interval),
        resets_at=None if budget.resets_at is None else instant(_WHO, budget.resets_at),
    )


def _interval(reset: str | None) -> str:
    return "lifetime" if reset is None else INTERVALS.get(reset, reset)
