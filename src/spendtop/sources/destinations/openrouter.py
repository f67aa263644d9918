"""OpenRouter's Broadcast destinations: where it pushes spans of the requests that it served.

As openrouter 1.3.84 has them (`/observability/destinations`). No route tries one; its settings page has buttons.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct

from spendtop.domain.sources.push_health import Destination
from spendtop.domain.sources.records import OPENROUTER_PUSH, ProviderPush
from spendtop.sources.destinations import OUR_NAME, TRACES_PATH, Made, Wish
from spendtop.sources.destinations.account import ASKED, DestinationAccount
from spendtop.sources.pollers import wrong_kind
from spendtop.sources.pollers.http_client import FetchBounds, Rejected, shaped

ADDRESS = "https://openrouter.ai"
SETTINGS = "openrouter.ai/settings/observability"
_WHO = "OpenRouter"
_PATH = "/api/v1/observability/destinations"
_COLLECTOR = "otel-collector"
_ADDRESSES = {_COLLECTOR: "endpoint", "webhook": "url"}
"""Kinds of destination that get traces, with where their configuration has the address."""


class _BroadcastDestination(Struct):
    id: str
    type: str
    name: str | None = None
    enabled: bool = True
    config: dict[str, Any] | None = None
    privacy_mode: bool | None = None
    sampling_rate: Decimal | int | None = None
    api_key_hashes: list[str] | None = None
    filter_rules: object = None
    broadcast_generation_cost: bool | None = None


class _List(Struct):
    data: list[_BroadcastDestination]


class _One(Struct):
    data: _BroadcastDestination


class OpenRouterDestinations:
    """Asks with a management key. All methods raise PollFailed; KeyRefused where the key is at fault."""

    push: ClassVar[ProviderPush] = OPENROUTER_PUSH
    title: ClassVar[str] = _WHO

    def __init__(self, key: str, base_url: str = "", *, bounds: FetchBounds = ASKED) -> None:
        self._key = key
        headers = {"Authorization": f"Bearer {key}"}
        self._account = DestinationAccount(_WHO, _PATH, base_url or ADDRESS, headers, self._what_to_do, bounds)

    async def all(self) -> list[Destination]:
        """In OpenRouter's order."""
        try:
            listed = shaped(_WHO, await self._account.fetcher.json("GET", _PATH), _List).data
        except Rejected as rejected:
            raise _told(rejected) from None
        return [_destination(each) for each in listed if each.type in _ADDRESSES]

    async def make(self, wish: Wish) -> Made:
        """The destination to this address; one that is there already is set as wished and switched on."""

        async def settle(there: Destination | None) -> Destination:
            if there is None:
                answer = await self._account.create({"type": _COLLECTOR, **_body(wish, _COLLECTOR)})
            else:
                answer = await self._account.change("PATCH", there, _body(wish, there.kind))
            return _destination(shaped(_WHO, answer, _One).data)

        try:
            return await self._account.make(wish.address, self.all, settle)
        except Rejected as rejected:
            raise _told(rejected) from None

    async def delete(self, destination: Destination) -> None:
        """Remove it; one that is not there any more is fine."""
        await self._account.delete(destination)

    def _what_to_do(self, status: int, message: str) -> str:
        return (
            f"{wrong_kind(self._key, 'sk-or-')}Destinations are managed with a management key, which"
            " openrouter.ai/settings/management-keys makes; set it as key of the [[account]] with"
            ' provider = "openrouter".'
        )


def _body(wish: Wish, kind: str) -> dict[str, Any]:
    """Everything is told, or its sums would be samples; prompts only where they are wanted."""
    return {
        "name": OUR_NAME,
        "enabled": True,
        "config": {
            _ADDRESSES[kind]: f"{wish.address}{TRACES_PATH}",
            "headers": {"Authorization": f"Bearer {wish.secret}"},
        },
        "privacy_mode": not wish.sends_content,
        "sampling_rate": 1,
        "broadcast_generation_cost": True,
        "broadcast_generation_identity": True,
    }


def _told(rejected: Rejected) -> Rejected:
    """What the status means here."""
    match rejected.status:
        case 400 | 422:
            words = (
                f"{_WHO} did not take the destination ({rejected.status}). It takes at most 5 of a kind, and public"
                f" https addresses only; {SETTINGS} shows what is there"
            )
        case 404:
            words = f"{_WHO} does not know the destination, or Broadcast is not offered to this account (404)"
        case _:
            return rejected
    return Rejected(words, rejected.status)


def _destination(listed: _BroadcastDestination) -> Destination:
    config = listed.config or {}
    address = str(config.get(_ADDRESSES[listed.type]) or "")
    narrowed = [
        words
        for words, is_so in (
            ("some keys", listed.api_key_hashes is not None),
            ("what its filter takes", _is_filtered(listed.filter_rules)),
        )
        if is_so
    ]
    return Destination(
        id=listed.id,
        kind=listed.type,
        name=listed.name or "",
        address=address.rstrip("/").removesuffix(TRACES_PATH),
        is_enabled=listed.enabled,
        disabled_why="" if listed.enabled else "caller",
        sampling=1.0 if listed.sampling_rate is None else float(listed.sampling_rate),
        sends_content=not listed.privacy_mode,
        sends_cost=listed.broadcast_generation_cost is not False,
        part=" and ".join(narrowed),
    )


def _is_filtered(rules: object) -> bool:
    return isinstance(rules, dict) and rules.get("enabled") is not False and bool(rules.get("groups"))
