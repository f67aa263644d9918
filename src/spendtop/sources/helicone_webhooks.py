"""The webhooks that a Helicone account has: make one, look at them, test and remove them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct

from spendtop.domain.discreet import Discreet
from spendtop.domain.errors import UsageError
from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.sources.pollers.helicone.access import WHO, ask, helicone
from spendtop.sources.pollers.http_client import FetchBounds, Rejected

ONCE = FetchBounds(attempts=1)
"""Nothing is asked twice: a second webhook to one address would bring every event twice."""
_PATH = "/v1/webhooks"
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
"""What ends a host that is an IPv4 address in one of its odder spellings, such as 2130706433 or 0x7f.1."""
_NEVER_PUBLIC = (".local", ".internal", ".lan", ".corp", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    id: str
    destination: str
    secret: str = field(repr=False)
    """What it signs with."""
    sample_rate: float
    """Share of requests that it tells of, in percent."""
    filtered: bool
    """Whether it tells only of requests with certain properties."""
    includes_data: bool
    """Whether costs, tokens and models are told."""

    @property
    def tells_all(self) -> bool:
        """Whether it tells of every request, with its cost."""
        return self.sample_rate >= 100 and not self.filtered and self.includes_data


class _Config(Struct, rename="camel"):
    sample_rate: float | None = None
    property_filters: list[object] | None = None
    include_data: bool | None = None


class _Listed(Discreet, frozen=True):
    id: int | str
    destination: str
    hmac_key: str | None = None
    config: Raw = Raw()


class HeliconeWebhooks:
    """Asks Helicone's management API. All methods raise PollFailed; KeyRefused where the key is at fault."""

    def __init__(self, key: str, base_url: str, bounds: FetchBounds = ONCE) -> None:
        self._fetcher = helicone(key, base_url, bounds)

    async def list(self) -> tuple[Webhook, ...]:
        """All webhooks of the account, with their signing secrets."""
        async with self._fetcher.poll() as poll:
            data = await ask(poll, "GET", _PATH)
        try:
            return tuple(map(_webhook, msgspec.json.decode(data or b"[]", type=list[_Listed])))
        except (ValueError, RecursionError):
            raise PollFailed(f"{WHO}'s answer is not as documented; a newer spendtop may be needed") from None

    async def create(self, destination: str) -> Webhook:
        """The webhook to this address, which is made unless there is one.

        Raises UsageError for an address to which Helicone never sends, which it would not tell.
        """
        if not is_reachable(destination):
            raise UsageError(
                f"{WHO} sends to public https addresses only. Give one that leads here, such as a tunnel's."
            )
        webhook = await self._leading_to(destination)
        if webhook is None:
            config = {"sampleRate": 100, "propertyFilters": []}
            body = {"destination": destination, "config": config, "includeData": True}
            async with self._fetcher.poll() as poll:
                await ask(poll, "POST", _PATH, body=body)
            webhook = await self._leading_to(destination)
        if webhook is None:
            raise PollFailed(f"{WHO} took the webhook but does not list it; look at its dashboard")
        return webhook

    async def delete(self, webhook_id: str) -> None:
        """Remove a webhook; one that is not there any more is fine."""
        async with self._fetcher.poll() as poll:
            await ask(poll, "DELETE", f"{_PATH}/{_checked(webhook_id)}")

    async def test(self, webhook_id: str) -> None:
        """Have Helicone send a test event, and wait until it was taken."""
        try:
            async with self._fetcher.poll() as poll:
                await ask(poll, "POST", f"{_PATH}/{_checked(webhook_id)}/test")
        except KeyRefused:
            raise
        except Rejected as rejected:
            if rejected.status != 404:
                raise
            raise PollFailed(f"{WHO} does not have this webhook any more; connect again") from None
        except PollFailed as failure:
            raise PollFailed(
                f"{WHO}'s test event did not arrive: check that a collector runs and that the address leads to it "
                f"({failure})"
            ) from None

    async def _leading_to(self, destination: str) -> Webhook | None:
        leading = [webhook for webhook in await self.list() if webhook.destination == destination]
        return leading[-1] if leading else None


def is_reachable(destination: str) -> bool:
    """Whether Helicone sends to an address: https, and no private one by its looks."""
    try:
        parts = urlsplit(destination)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if parts.scheme != "https" or not host or host.endswith(_NEVER_PUBLIC):
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return _NUMBER.fullmatch(host.rpartition(".")[2]) is None


def _checked(webhook_id: str) -> str:
    if not (webhook_id.isascii() and webhook_id.replace("-", "").isalnum()):
        raise PollFailed(f"{WHO}'s webhooks have no such id; list them")
    return webhook_id


def _webhook(listed: _Listed) -> Webhook:
    """Its configuration comes as an object or as a text that holds one."""
    raw = bytes(listed.config) or b"{}"
    if raw.startswith(b'"'):
        raw = msgspec.json.decode(raw, type=str).encode() or b"{}"
    config = msgspec.json.decode(raw, type=_Config | None) or _Config()
    return Webhook(
        id=str(listed.id),
        destination=listed.destination,
        secret=listed.hmac_key or "",
        sample_rate=100.0 if config.sample_rate is None else config.sample_rate,
        filtered=bool(config.property_filters),
        includes_data=config.include_data is not False,
    )
