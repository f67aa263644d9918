"""OpenAI: what the organization and its projects may spend in a month, and where somebody is told by mail.

`GET /v1/organization/spend_limit`, `/spend_alerts` and the same below `/projects/{id}` (openai 3.57.0): amounts are
whole cents, and none of them says what is used. Where no limit is set the answer is 404 or null. There is no webhook
about it.
"""

from __future__ import annotations

from msgspec import Struct

from spendtop.domain.limits.provider_limits import INTERVALS, LimitMeasure, ProviderLimit
from spendtop.sources.pollers import KeyRefused, Limits, wrong_kind
from spendtop.sources.pollers.amounts import dollars
from spendtop.sources.pollers.cost_pages import CENT
from spendtop.sources.pollers.http_client import USUAL, FetchBounds, Fetcher, Poll, Rejected, shaped
from spendtop.sources.pollers.listed import all_listed

_WHO = "OpenAI"
_KEY_BEGINS = "sk-admin-"
_ORGANIZATION = "/v1/organization"
_MOST_PROJECTS = 100
_NO_PROJECTS = (
    "OpenAI does not list this organization's projects ({status}), so that only the organization's own limits are read:"
    " an admin key that may read projects shows theirs, too."
)


class _Enforcement(Struct, frozen=True):
    status: str | None = None


class _Limit(Struct, frozen=True):
    threshold_amount: object = None
    currency: str | None = None
    interval: str = "month"
    enforcement: _Enforcement | None = None


class _Project(Struct, frozen=True):
    id: str
    name: str | None = None
    status: str | None = None


class OpenAILimits:
    """Reads limits and alerts of an organization with an admin key: two questions, and two for each active project."""

    provider = "openai"

    def __init__(self, key: str, base_url: str = "https://api.openai.com", *, bounds: FetchBounds = USUAL) -> None:
        self._key = key
        self._fetcher = Fetcher(
            _WHO, base_url, {"Authorization": f"Bearer {key}"}, advise=self._what_to_do, bounds=bounds
        )

    async def limits(self, now: int) -> Limits:
        """Those of the organization first. Raises PollFailed."""
        async with self._fetcher.poll() as poll:
            told = await _told(poll, _ORGANIZATION, "organization", "", "")
            projects, flaws = await _projects(poll)
            active = [each for each in projects if each.status in (None, "active")]
            for project in active[:_MOST_PROJECTS]:
                path = f"{_ORGANIZATION}/projects/{project.id}"
                told += await _told(poll, path, "project", project.id, project.name or project.id)
        left = len(active) - _MOST_PROJECTS
        if left > 0:
            flaws = (f"Limits of {left:,} projects behind the first {_MOST_PROJECTS} were not asked for.",)
        return Limits(limits=tuple(told), flaws=flaws)

    def _what_to_do(self, status: int, message: str) -> str:
        return (
            f"{wrong_kind(self._key, _KEY_BEGINS)}Limits are read by an admin key that may read the organization's "
            "settings: create one at platform.openai.com/settings/organization/admin-keys and set it as admin_key "
            "in [openai]."
        )


async def _projects(poll: Poll) -> tuple[list[_Project], tuple[str, ...]]:
    """All of them, or why there are none: only those of the organization are read then."""
    try:
        return await all_listed(poll, f"{_ORGANIZATION}/projects", _Project, (("limit", 100),)), ()
    except (KeyRefused, Rejected) as refused:
        if refused.status not in (403, 404):
            raise
        return [], (_NO_PROJECTS.format(status=refused.status),)


async def _told(poll: Poll, path: str, scope: str, subject: str, name: str) -> list[ProviderLimit]:
    """The limit and the alerts of one path."""
    limits = []
    limit = await _limit(poll, f"{path}/spend_limit")
    if limit is not None:
        enforced = limit.enforcement is not None and limit.enforcement.status == "enforcing"
        limits.append(_of(limit, scope, subject, name, enforced))
    try:
        alerts = await all_listed(poll, f"{path}/spend_alerts", _Limit, (("limit", 100),))
    except Rejected as rejected:
        if rejected.status != 404:
            raise
        alerts = []
    limits += [_of(each, scope, subject, name, False) for each in alerts if each.threshold_amount is not None]
    return limits


async def _limit(poll: Poll, path: str) -> _Limit | None:
    try:
        answer = await poll.json("GET", path)
    except Rejected as rejected:
        if rejected.status != 404:
            raise
        return None
    limit = None if answer is None else shaped(_WHO, answer, _Limit)
    return None if limit is None or limit.threshold_amount is None else limit


def _of(limit: _Limit, scope: str, subject: str, name: str, enforced: bool) -> ProviderLimit:
    return ProviderLimit(
        scope=scope,
        subject=subject,
        name=name,
        amount=dollars(_WHO, limit.threshold_amount, CENT),
        measure=LimitMeasure.BILLED,
        interval=INTERVALS.get(limit.interval, limit.interval),
        enforced=enforced,
    )
