"""Channel URLs as Apprise sees them: whether it can send to one, and what is sent to."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlunsplit

from spendtop.config.channel_urls import MAIL_SCHEMAS, parts_of, refusal, schema_of


def check_url(url: str) -> str | None:
    """Why this URL cannot be a channel, in words that hold no part of it but its kind. Loads Apprise (0.3 s, 44 MB)."""
    return refusal(url) or _refused_by_apprise(url)


def prepared_url(url: str) -> str:
    """The URL as it is sent to: what is too long for the service is cut, never refused or sent in pieces."""
    bare, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and not part.lower().startswith("overflow=")]
    return f"{bare}?{'&'.join([*kept, 'overflow=truncate'])}"


def split_recipients(url: str) -> list[str]:
    """A mail URL with several recipients as one URL for each; any other URL alone."""
    parts = parts_of(url)
    if parts is None or parts.scheme not in MAIL_SCHEMAS:
        return [url]
    options = parse_qsl(parts.query, keep_blank_values=True)
    named = [unquote(part) for part in parts.path.split("/") if part]
    named += [address for key, value in options if key.lower() == "to" for address in re.split(r"[,;\s]+", value)]
    recipients = list(dict.fromkeys(address for address in named if address))
    if len(recipients) < 2:
        return [url]
    others = urlencode([(key, value) for key, value in options if key.lower() != "to"], quote_via=quote)
    queries = [f"{others}&to={quote(address)}" if others else f"to={quote(address)}" for address in recipients]
    return [urlunsplit(parts._replace(path="", query=query)) for query in queries]


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
