"""What the last change of the configuration did: applied or refused, as the collector told it."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct, json
from sqlalchemy import Connection

from spendtop.domain.untrusted import Untrusted
from spendtop.store import facts

CONFIG_NEWS = "config_news"
"""The row of `meta` that says what the last change of the configuration did, as JSON {at, ok, text}."""


@dataclass(frozen=True, slots=True)
class News:
    """The last change of the configuration."""

    at: int
    """UTC µs."""
    ok: bool
    """Whether it was applied; otherwise it was refused, and the old configuration goes on."""
    text: Untrusted
    """What changed, or why it was refused."""


class _Written(Struct, frozen=True):
    at: int
    ok: bool
    text: str


def config_news(connection: Connection) -> News | None:
    """The last change of the configuration; None when it never changed while a collector ran."""
    written = facts.get(connection, CONFIG_NEWS)
    if written is None:
        return None
    found = json.decode(written, type=_Written)
    return News(found.at, found.ok, Untrusted(found.text))
