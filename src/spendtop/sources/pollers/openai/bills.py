"""OpenAI: its bills by project, key and line item, once an hour also by user and with what was used, and all names.

`GET /v1/organization/costs` takes `group_by=user_id` (openai 3.57.0), but for some organizations not together with
`project_id`, so that it is asked apart. Names are in `/projects`, `/projects/{id}/api_keys` and `/users`: a question
per project, once a day.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from spendtop.domain.ledger.amounts import BilledName, UserPart
from spendtop.sources.pollers import Costs, KeyRefused, PollFailed
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Poll, Rejected
from spendtop.sources.pollers.listed import told_or_none
from spendtop.sources.pollers.openai.costs import OpenAICosts, costs_by_user
from spendtop.sources.pollers.openai.usage import openai_usage
from spendtop.sources.pollers.spacing import Spacing
from spendtop.sources.pollers.used_parts import uncounted

_ORGANIZATION = "/v1/organization"
_USERS_EVERY, _USAGE_EVERY, _NAMES_EVERY = 3600.0, 3600.0, 24 * 3600.0
_MOST_PROJECTS = 100
_NOT_BY_USER = "OpenAI does not split this organization's costs by user."


class _NamedProject(Struct, frozen=True):
    id: str
    name: str | None = None


class _ProjectKey(Struct, frozen=True):
    id: str
    name: str | None = None
    redacted_value: str | None = None


class _OrganizationUser(Struct, frozen=True):
    id: str
    email: str | None = None
    name: str | None = None


class OpenAIBills(OpenAICosts):
    """The bills of `OpenAICosts` with users, names and use: 12 more questions hourly, and daily one for a project."""

    def __init__(self, key: str, base_url: str = "https://api.openai.com", *, bounds: FetchBounds = USUAL) -> None:
        super().__init__(key, base_url, bounds=bounds)
        self._users, self._names = Spacing(_USERS_EVERY), Spacing(_NAMES_EVERY)
        self._usage = Spacing(_USAGE_EVERY)

    async def costs(self, first_day: int, last_day: int) -> Costs:
        """As `OpenAICosts` has them. What is not told beside them is left out, and said. Raises PollFailed."""
        costs = await super().costs(first_day, last_day)
        if self._users.is_due():
            users = await self._by_user(first_day, last_day)
            flaws = costs.flaws if users is not None else (*costs.flaws, _NOT_BY_USER)
            costs = replace(costs, users=users, flaws=flaws)
        if self._usage.is_due():
            costs = await self._with_use(costs)
        if self._names.is_due():
            costs = replace(costs, names=await self._called())
        return costs

    async def _by_user(self, first_day: int, last_day: int) -> tuple[UserPart, ...] | None:
        async with self._fetcher.poll() as poll:
            try:
                return await costs_by_user(poll, first_day, last_day)
            except (KeyRefused, Rejected):
                return None

    async def _with_use(self, costs: Costs) -> Costs:
        async with self._fetcher.poll() as poll:
            try:
                return replace(costs, used=await openai_usage(poll, costs.first_day, costs.last_day))
            except PollFailed as failure:
                self._usage.failed(failure)
                return replace(costs, flaws=(*costs.flaws, uncounted(failure)))

    async def _called(self) -> tuple[BilledName, ...]:
        """What projects, keys and users are called, as far as this key may know."""
        async with self._fetcher.poll() as poll:
            try:
                return tuple(await openai_names(poll))
            except PollFailed as failure:
                self._names.failed(failure)
                return ()


async def openai_names(poll: Poll) -> list[BilledName]:
    """What this key may know of them. Raises PollFailed for what may work the next time."""
    projects = await told_or_none(
        poll, f"{_ORGANIZATION}/projects", _NamedProject, (("limit", 100), ("include_archived", "true"))
    )
    names = [BilledName("project", each.id, each.name or "") for each in projects]
    users = await told_or_none(poll, f"{_ORGANIZATION}/users", _OrganizationUser, (("limit", 100),))
    names += [BilledName("user", each.id, each.email or each.name or "") for each in users]
    for project in projects[:_MOST_PROJECTS]:
        path = f"{_ORGANIZATION}/projects/{project.id}/api_keys"
        keys = await told_or_none(poll, path, _ProjectKey, (("limit", 100),))
        names += [BilledName("key", each.id, each.name or each.redacted_value or "", project.id) for each in keys]
    return [each for each in names if each.name]
