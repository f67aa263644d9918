"""Where providers are told to push what they serve: made, looked at, tried and removed by their own APIs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from spendtop.domain.discreet import Discreet
from spendtop.domain.errors import UsageError
from spendtop.domain.sources.push_health import Destination
from spendtop.domain.sources.records import ProviderPush
from spendtop.domain.untrusted import clean_line
from spendtop.sources.helicone_webhooks import is_reachable

OUR_NAME = "spendtop"
"""What a destination is called that we make."""
TRACES_PATH = "/v1/traces"
LONGEST_ADDRESS = 2_048


class Wish(Discreet, frozen=True, kw_only=True):
    """What a destination is to be."""

    address: str
    """Public, without the path of traces."""
    secret: str
    """Of the header by which the listener knows the provider."""
    sends_content: bool = False
    workspaces: tuple[str, ...] = ()
    """Only these; empty for all."""


class Made(Struct, frozen=True):
    """A destination that leads here now."""

    destination: Destination
    is_new: bool


class Destinations(Protocol):
    """Those of one provider's account. All methods raise PollFailed; KeyRefused where the key is at fault."""

    push: ClassVar[ProviderPush]
    title: ClassVar[str]
    """What the provider is called."""

    async def all(self) -> Sequence[Destination]:
        """Those that push traces."""

    async def make(self, wish: Wish) -> Made:
        """The one that leads to this address, set as wished; made unless there is one, never twice."""

    async def delete(self, destination: Destination) -> None:
        """Remove it; one that is not there any more is fine."""


def public_address(url: str, who: str) -> str:
    """The address that a provider can push to, without the path of traces; a host alone is one by https. Raises
    UsageError with the way out."""
    url = url.strip() if "://" in url else f"https://{url.strip()}"
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").rstrip(".")
        is_plain = bool(host) and not (parts.query or parts.fragment or parts.username or parts.password)
    except ValueError:
        is_plain = False
    if not is_plain or len(url) > LONGEST_ADDRESS or not url.isascii():
        quoted = "The URL" if "@" in url else clean_line(url, 80)
        raise UsageError(f"{quoted} is no address such as https://spend.example.org")
    way_out = (
        " A tunnel gives one, such as `cloudflared tunnel --url http://127.0.0.1:8000`, and so does a proxy with a"
        " certificate in front of the collector."
    )
    if parts.scheme != "https":
        raise UsageError(f"{who} pushes to https addresses only.{way_out}")
    if port not in (None, 443):
        raise UsageError(f"{who} pushes to port 443 only, and not to {port}.{way_out}")
    is_name = not host.replace(".", "").replace(":", "").isdigit() and "." in host and ":" not in host
    if not is_reachable(url) or not is_name:
        raise UsageError(
            f"{who} pushes to public host names only, and {clean_line(host, 80)} is none: no address in numbers,"
            f" nothing on this machine or in its network.{way_out}"
        )
    return f"https://{host}{parts.path.rstrip('/').removesuffix(TRACES_PATH)}"


def leading_to(destinations: Sequence[Destination], address: str) -> Destination | None:
    """The newest one to an address."""
    return next((each for each in destinations if each.address == address), None)
