"""Channel URLs as Apprise sees them: whether it can send to one, and what is sent to."""

from __future__ import annotations

import logging
from typing import Any

from spendtop.config.channel_urls import refusal, schema_of


def check_url(url: str) -> str | None:
    """Why this URL cannot be a channel, in words that hold no part of it but its kind. Loads Apprise (0.3 s, 44 MB)."""
    return refusal(url) or _refused_by_apprise(url)


def prepared_url(url: str) -> str:
    """The URL as it is sent to: what is too long for the service is cut, never refused or sent in pieces."""
    bare, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and not part.lower().startswith("overflow=")]
    return f"{bare}?{'&'.join([*kept, 'overflow=truncate'])}"


def _refused_by_apprise(url: str) -> str | None:
    plugin = _plugin(url)
    if plugin is None:
        return f"is not a complete {schema_of(url)}:// URL; see github.com/caronc/apprise/wiki for its form"
    if len(plugin) > 1:
        return f"names {len(plugin)} recipients; make one channel for each"
    return None


def _plugin(url: str) -> Any:
    """Apprise's own view of the URL, or None where it has none."""
    from apprise import Apprise

    # It logs URLs that it cannot read with all their secrets.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return Apprise.instantiate(url)
