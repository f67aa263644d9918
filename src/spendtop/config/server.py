"""The listener: where it listens, who may in, and how much."""

from __future__ import annotations

import ipaddress

from pydantic import Field, SecretStr, field_validator

from spendtop.config.section import Section
from spendtop.config.types import OptionalHttpUrl, Origins, Port, Secret, Texts
from spendtop.domain.sources import KeyRule, pushed_sources


def _keyed_paths() -> str:
    *paths, last = (source.path for source in pushed_sources(KeyRule.INGEST_KEY))
    return f"{', '.join(paths)} and {last}"


class RateLimit(Section):
    """A token bucket per key."""

    rpm: int = Field(default=600, ge=1)
    """Requests per minute."""
    burst: int = Field(default=600, ge=1)
    """Requests that may come at once."""
    exempt: Texts = ("/ping", "/health")
    """Paths that are never limited."""


class IngestRateLimit(RateLimit):
    """A token bucket per ingest key."""

    rpm: int = Field(default=6000, ge=1)
    """Requests per minute."""
    burst: int = Field(default=6000, ge=1)
    """Requests that may come at once."""


class ServerSettings(Section):
    """The listener: it receives webhooks and pushes, and answers the API."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on; 127.0.0.1 is this machine only."""
    port: Port = 8000
    """Port to listen on; 0 takes a free one."""
    public_url: OptionalHttpUrl = ""
    """https address under which a tunnel or proxy reaches us."""
    ngrok_authtoken: Secret = SecretStr("")
    """ngrok's authtoken, for `spendtop --tunnel ngrok`; NGROK_AUTHTOKEN in the environment does as well."""
    api_key: Secret = SecretStr("")
    """Key of the admin API; empty = local use only."""
    ingest_keys: dict[str, Secret] = Field(default_factory=dict, description=f"Named secrets for {_keyed_paths()}.")
    allowed_origins: Origins = ()
    """Origins of web pages that may call the API (CORS); none by default."""
    rate_limit: RateLimit = RateLimit()
    """How often a key may call the API."""
    ingest_rate_limit: IngestRateLimit = IngestRateLimit()
    """How often an ingest key may push usage."""

    @field_validator("ingest_keys", mode="after")
    @classmethod
    def _without_empty(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        """An empty key opens nothing, so it counts as no key."""
        return {name: key for name, key in keys.items() if key}

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the listener."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
