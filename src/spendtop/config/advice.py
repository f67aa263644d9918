"""What works but deserves a warning."""

from __future__ import annotations

from collections.abc import Iterator

from spendtop.config.settings import AccountSettings, LimitSettings, Settings
from spendtop.config.types import Section, duration_text
from spendtop.domain.clock import MINUTE

SHORTEST_KEY = 16
"""Characters below which a key can be guessed."""


def advice(settings: Settings) -> Iterator[str]:
    """One sentence for each doubtful setting."""
    yield from _listener(settings)
    yield from _frequent_polls(settings)
    yield from _silent_limits(settings)


def _listener(settings: Settings) -> Iterator[str]:
    server = settings.server
    if not server.is_local and not server.api_key:
        yield (
            f"server.host {server.host} is open to other machines without server.api_key: "
            "they reach only signed and keyed routes and health"
        )
    if server.public_url and not server.api_key:
        yield (
            "server.public_url is set without server.api_key: a proxy or tunnel that calls us by the name of this"
            " machine opens the admin API to everybody; set server.api_key"
        )
    keys = {"server.api_key": server.api_key} | {
        f"server.ingest_keys.{n}": key for n, key in server.ingest_keys.items()
    }
    for name, key in keys.items():
        if 0 < len(key) < SHORTEST_KEY:
            yield f"{name} is short; use at least {SHORTEST_KEY} characters"


def _frequent_polls(settings: Settings) -> Iterator[str]:
    named: list[tuple[str, Section]] = [(name, value) for name, value in settings if isinstance(value, Section)]
    named += [(f'account "{account.name}"', account) for account in settings.declared_accounts]
    for name, section in named:
        interval = getattr(section, "poll_every", None)
        if interval is not None and interval < MINUTE:
            yield f"{name} poll_every {duration_text(interval)} is below 1m: the provider may answer 429"


def _silent_limits(settings: Settings) -> Iterator[str]:
    notifying: tuple[LimitSettings | AccountSettings, ...] = (*settings.limits, *settings.accounts)
    if settings.limits and not settings.channels:
        yield "limits are shown on screen only: there is no [[channel]]"
    for channel in settings.channels:
        if notifying and not any(one.notify is None or channel.name in one.notify for one in notifying):
            yield f'channel "{channel.name}" is named by no limit and no account: it stays silent'
