"""Anthropic: what members of an organization may spend, and what the organization and its workspaces may.

`GET /v1/organizations/spend_limits/effective` (Enterprise only, no beta) and `GET /v1/organizations/spend_limits` (beta
`spend-limit-reads-2026-09-26`, on the Console in early access), both of anthropic 2.14.0: amounts are text in cents
with fractions, null is unlimited. A spend of "0" is told also where it is not available, so it is no proof of nothing.
"""

from __future__ import annotations

from msgspec import Struct

from spendtop.domain.limits.provider_limits import INTERVALS, LimitMeasure, ProviderLimit
from spendtop.domain.money import ZERO
from spendtop.sources.pollers import KeyRefused, Limits, PollFailed, wrong_kind
from spendtop.sources.pollers.amounts import dollars_or_none
from spendtop.sources.pollers.cost_pages import CENT
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Rejected
from spendtop.sources.pollers.listed import all_listed

_WHO = "Anthropic"
_KEY_BEGINS = "sk-ant-admin"
_CONFIGURED = "/v1/organizations/spend_limits"
_EFFECTIVE = f"{_CONFIGURED}/effective"
_BETA = {"anthropic-beta": "spend-limit-reads-2026-09-26"}
_BY_BILLS = frozenset({"organization", "workspace", "usage_tier"})
"""Scopes whose use is what was billed; those of members are in the effective limits, with their use."""
_NOT_TOLD = (
    "Anthropic tells this key of no spend limits: members' limits are told to Enterprise organizations only, and "
    "those of the organization while their beta lasts. An admin key of such an organization shows them."
)


class _Actor(Struct, frozen=True):
    user_id: str | None = None
    email_address: str | None = None
    name: str | None = None


class _LimitScope(Struct, frozen=True):
    type: str
    user_id: str | None = None
    workspace_id: str | None = None


class _Effective(Struct, frozen=True):
    period: str
    scope: _LimitScope
    actor: _Actor | None = None
    amount: object = None
    period_to_date_spend: object = None


class _Configured(Struct, frozen=True):
    period: str
    scope: _LimitScope
    amount: object = None
    is_enabled: bool = True


class AnthropicLimits:
    """Reads spend limits with an admin key: two questions, more where there are many members."""

    provider = "anthropic"

    def __init__(self, key: str, base_url: str = "https://api.anthropic.com", *, bounds: FetchBounds = USUAL) -> None:
        self._key = key
        headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
        self._fetcher = Fetcher(_WHO, base_url, headers, advise=self._what_to_do, bounds=bounds)

    async def limits(self, now: int) -> Limits:
        """Of whatever is told to this key. Raises PollFailed; KeyRefused where that is nothing."""
        async with self._fetcher.poll() as poll:
            effective = await _tolerant(poll, _EFFECTIVE, _Effective, None)
            configured = await _tolerant(poll, _CONFIGURED, _Configured, _BETA)
        if effective is None and configured is None:
            raise KeyRefused(_NOT_TOLD)
        shared = [each for each in configured or () if each.scope.type in _BY_BILLS]
        return Limits(limits=(*map(_of_member, effective or ()), *map(_of_all, shared)))

    def _what_to_do(self, status: int, message: str) -> str:
        return (
            f"{wrong_kind(self._key, _KEY_BEGINS)}An admin of the organization creates an admin key at "
            "console.anthropic.com/settings/admin-keys; set it as admin_key in [anthropic]."
        )


async def _tolerant(
    poll: Poll, path: str, kind: type[_Effective | _Configured], headers: dict[str, str] | None
) -> list[_Effective | _Configured] | None:
    """All entries; None where this organization or key is not told of them."""
    try:
        return await all_listed(poll, path, kind, (("limit", 100),), headers=headers)
    except (KeyRefused, Rejected) as refused:
        if refused.status not in (400, 403, 404):
            raise
        return None


def _of_member(each: _Effective | _Configured) -> ProviderLimit:
    if not isinstance(each, _Effective):
        raise PollFailed(_NOT_TOLD)
    actor = each.actor or _Actor()
    spent = dollars_or_none(_WHO, each.period_to_date_spend, CENT)
    return ProviderLimit(
        scope=each.scope.type,
        subject=each.scope.user_id or actor.user_id or "",
        name=actor.name or actor.email_address or "",
        amount=dollars_or_none(_WHO, each.amount, CENT),
        used=None if spent == ZERO else spent,
        interval=INTERVALS.get(each.period, each.period),
    )


def _of_all(each: _Effective | _Configured) -> ProviderLimit:
    return ProviderLimit(
        scope=each.scope.type,
        subject=each.scope.workspace_id or "",
        amount=dollars_or_none(_WHO, each.amount, CENT),
        measure=LimitMeasure.BILLED,
        interval=INTERVALS.get(each.period, each.period),
        enforced=isinstance(each, _Configured) and each.is_enabled,
    )
