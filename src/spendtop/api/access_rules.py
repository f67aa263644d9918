"""The settings in the form in which each request needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from spendtop.config.settings import Settings
from spendtop.sources.receivers import SignedReceiver, Signing


@dataclass(frozen=True, slots=True, repr=False)
class Rules:
    """Who may in, and how often. Secrets are bytes; an empty `api_key` means local use only."""

    api_key: bytes
    ingest_keys: Mapping[str, bytes]
    """By name."""
    allowed_origins: frozenset[bytes]
    signing: Mapping[str, Signing]
    """By source."""
    per_minute: int
    burst: int
    never_limited: frozenset[str]
    ingest_per_minute: int
    ingest_burst: int
    ingest_never_limited: frozenset[str]

    @classmethod
    def of(cls, settings: Settings, signed: Mapping[str, type[SignedReceiver]]) -> Rules:
        """The rules that these settings ask for."""
        server = settings.server
        return cls(
            api_key=_bytes(server.api_key),
            ingest_keys={name: _bytes(key) for name, key in server.ingest_keys.items()},
            allowed_origins=frozenset(origin.encode() for origin in server.allowed_origins),
            signing={name: receiver.signing(settings) for name, receiver in signed.items()},
            per_minute=server.rate_limit.rpm,
            burst=server.rate_limit.burst,
            never_limited=frozenset(server.rate_limit.exempt),
            ingest_per_minute=server.ingest_rate_limit.rpm,
            ingest_burst=server.ingest_rate_limit.burst,
            ingest_never_limited=frozenset(server.ingest_rate_limit.exempt),
        )


def current_rules(settings: Callable[[], Settings], signed: Mapping[str, type[SignedReceiver]]) -> Callable[[], Rules]:
    """Gives the rules in force; they are built again only when the settings have been replaced."""
    known: tuple[Settings, Rules] | None = None

    def rules() -> Rules:
        nonlocal known
        latest = settings()
        if known is None or known[0] is not latest:
            known = (latest, Rules.of(latest, signed))
        return known[1]

    return rules


def _bytes(secret: SecretStr) -> bytes:
    return secret.get_secret_value().encode()
