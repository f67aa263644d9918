"""LiteLLM proxy: the budgets of its keys.

`GET /user/daily/activity` names the keys of the last days, `GET /key/info?key=HASH` has their budgets (litellm
1.110.2): US dollars as JSON numbers. `spend` is of the budget's window, `total_spend` of all time; a budget that is
used up is answered with 422. Reads with a master or admin key; a proxy without a database has neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct, field

from spendtop.domain.clock import DAY
from spendtop.domain.limits.provider_limits import ProviderLimit
from spendtop.sources.pollers import KeyRefused, Limits
from spendtop.sources.pollers.amounts import dollars, dollars_or_none, instant
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Rejected, shaped
from spendtop.sources.pollers.litellm.activity import activity_days, what_to_do

_WHO = "LiteLLM"
_DOLLAR = Decimal(1)
_KEYS_OF = 7
"""Days whose keys are asked about."""
_MOST_KEYS = 50
_GONE = frozenset({"expired", "revoked", "deleted"})


class _ModelBudget(Struct, frozen=True):
    budget_limit: object = None
    time_period: str | None = None


class _ModelUse(Struct, frozen=True):
    current_spend: object = None
    budget_reset_at: str | None = None


class _BudgetRow(Struct, frozen=True):
    soft_budget: object = None


class _KeyBudget(Struct, frozen=True):
    key_alias: str | None = None
    key_name: str | None = None
    status: str | None = None
    spend: object = None
    max_budget: object = None
    budget_duration: str | None = None
    budget_reset_at: str | None = None
    model_max_budget: dict[str, _ModelBudget | Decimal | int | None] | None = None
    model_max_budget_usage: dict[str, _ModelUse] | None = None
    linked: _BudgetRow | None = field(name="litellm_budget_table", default=None)


class _KeyAnswer(Struct, frozen=True):
    info: _KeyBudget
    key: str = ""


class LitellmLimits:
    """Reads the budgets of the keys that were used lately: a question for each, after one that names them."""

    provider = "litellm"

    def __init__(self, key: str, base_url: str, *, bounds: FetchBounds = USUAL) -> None:
        self._fetcher = Fetcher(_WHO, base_url, {"Authorization": f"Bearer {key}"}, advise=what_to_do, bounds=bounds)

    async def limits(self, now: int) -> Limits:
        """Key by key. Raises PollFailed."""
        today = now // DAY
        limits: list[ProviderLimit] = []
        async with self._fetcher.poll() as poll:
            days = await activity_days(poll, today - _KEYS_OF + 1, today)
            keys = {key: used.name for day in days for key, used in day.keys.items()}
            for key in list(keys)[:_MOST_KEYS]:
                try:
                    answer = await poll.json("GET", "/key/info", query=(("key", key),))
                except (KeyRefused, Rejected) as refused:
                    if refused.status == 401:
                        raise
                    continue
                info = shaped(_WHO, answer, _KeyAnswer).info
                if info.status not in _GONE:
                    limits += _of_key(key, keys[key], info)
        left = len(keys) - _MOST_KEYS
        flaws = (f"Budgets of {left:,} keys behind the first {_MOST_KEYS} were not asked for.",)
        return Limits(limits=tuple(limits), flaws=flaws if left > 0 else ())


def _of_key(key: str, alias: str, info: _KeyBudget) -> Iterator[ProviderLimit]:
    name = info.key_alias or alias or info.key_name or ""
    spent = dollars_or_none(_WHO, info.spend, _DOLLAR)
    resets_at = None if info.budget_reset_at is None else instant(_WHO, info.budget_reset_at)
    soft = None if info.linked is None else info.linked.soft_budget
    for budget, enforced in ((info.max_budget, True), (soft, False)):
        if budget is not None:
            yield ProviderLimit(
                scope="key",
                subject=key,
                name=name,
                amount=dollars(_WHO, budget, _DOLLAR),
                used=spent,
                interval=info.budget_duration or "lifetime",
                resets_at=resets_at,
                enforced=enforced,
            )
    uses: Mapping[str, _ModelUse] = info.model_max_budget_usage or {}
    for model, budget_of in (info.model_max_budget or {}).items():
        use = uses.get(model, _ModelUse())
        of_model = budget_of if isinstance(budget_of, _ModelBudget) else _ModelBudget(budget_limit=budget_of)
        if of_model.budget_limit is not None:
            yield ProviderLimit(
                scope="key",
                subject=f"{key}/{model}",
                name=f"{name} {model}".strip(),
                amount=dollars(_WHO, of_model.budget_limit, _DOLLAR),
                used=dollars_or_none(_WHO, use.current_spend, _DOLLAR),
                interval=of_model.time_period or "lifetime",
                resets_at=None if use.budget_reset_at is None else instant(_WHO, use.budget_reset_at),
            )
