"""Anthropic: what its workspaces, API keys and members are called, and which workspace is the default one.

`GET /v1/organizations/workspaces`, `/api_keys` and `/users` (anthropic 2.14.0). The default workspace is listed only
with `include_default`: it is the one by which the two lists differ.
"""

from __future__ import annotations

from msgspec import Struct

from spendtop.domain.ledger.amounts import BilledName
from spendtop.sources.pollers.http_client import Poll, Query
from spendtop.sources.pollers.listed import told_or_none

_ORGANIZATION = "/v1/organizations"
_ALL: Query = (("limit", 1000),)


class _Workspace(Struct, frozen=True):
    id: str
    name: str | None = None


class _KeyScope(Struct, frozen=True):
    workspace_id: str | None = None


class _ApiKey(Struct, frozen=True):
    id: str
    name: str | None = None
    scope: _KeyScope | None = None


class _Member(Struct, frozen=True):
    id: str
    email: str | None = None
    name: str | None = None


class AnthropicNames(Struct, frozen=True):
    """What a key may know of them; what is refused is left out."""

    names: tuple[BilledName, ...] = ()
    default_workspace: str = ""
    """Its id; empty where it is not known."""


async def anthropic_names(poll: Poll) -> AnthropicNames:
    """Four questions. Raises PollFailed for what may work the next time."""
    archived: Query = (*_ALL, ("include_archived", "true"))
    known = await told_or_none(poll, f"{_ORGANIZATION}/workspaces", _Workspace, archived)
    with_default: Query = (*archived, ("include_default", "true"))
    all_of_them = await told_or_none(poll, f"{_ORGANIZATION}/workspaces", _Workspace, with_default)
    keys = await told_or_none(poll, f"{_ORGANIZATION}/api_keys", _ApiKey, _ALL)
    members = await told_or_none(poll, f"{_ORGANIZATION}/users", _Member, _ALL)
    ids = {each.id for each in known}
    default = [each for each in all_of_them if each.id not in ids]
    names = [
        *(BilledName("project", each.id, each.name or "") for each in all_of_them),
        *(BilledName("key", each.id, each.name or "", _workspace(each)) for each in keys),
        *(BilledName("user", each.id, each.email or each.name or "") for each in members),
    ]
    return AnthropicNames(
        names=tuple(each for each in names if each.name or each.project),
        default_workspace=default[0].id if len(default) == 1 else "",
    )


def _workspace(key: _ApiKey) -> str:
    return "" if key.scope is None else key.scope.workspace_id or ""
