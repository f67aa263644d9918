"""What a channel's URL must be: a known service, one recipient, and none of Apprise's options that hide a failure."""

from __future__ import annotations

import difflib
import logging
import re
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from spendtop.alerts.schemas import ALLOWED
from spendtop.config.channels import LOCAL_SCHEMES, MAIL_SCHEMES

_SCHEMA = re.compile(r"([A-Za-z0-9][A-Za-z0-9+.-]{0,19})://")
_WEBHOOK_HOSTS = {
    "hooks.slack.com": "slack",
    "hooks.slack-gov.com": "slack",
    "discord.com": "discord",
    "discordapp.com": "discord",
}
_WEB = ("http", "https")
_OWN_RETRIES = ("retry", "wait")
_YES = frozenset({"yes", "true", "1", "on"})
_NO = frozenset({"no", "false", "0", "off"})


def check_url(url: str) -> str | None:
    """Why this URL cannot be a channel, as a sentence that never holds a part of the URL but its kind; else None."""
    return _refused_schema(url) or _refused_option(url) or _refused_by_apprise(url)


def schema_of(url: str) -> str:
    """The kind of service for people, such as `slack` or `mailto`; `?` for what is no URL."""
    found = _SCHEMA.match(url)
    if not found:
        return "?"
    schema = found[1].lower()
    if schema in _WEB and (parts := _parts(url)):
        return _WEBHOOK_HOSTS.get(parts.hostname or "", schema)
    return schema


def prepared_url(url: str) -> str:
    """The URL as it is sent to: what is too long for the service is cut, never refused or sent in pieces."""
    bare, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and not part.lower().startswith("overflow=")]
    return f"{bare}?{'&'.join([*kept, 'overflow=truncate'])}"


def split_recipients(url: str) -> list[str]:
    """A mail URL with several recipients as one URL for each; any other URL alone."""
    parts = _parts(url)
    if parts is None or parts.scheme not in MAIL_SCHEMES:
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


def _refused_schema(url: str) -> str | None:
    schema = schema_of(url)
    if schema == "?":
        return "is not a URL; it looks like KIND://..., for example mailto:// or slack://"
    if schema in ALLOWED:
        return None
    if schema in LOCAL_SCHEMES:
        return f"{schema}:// does something on this machine instead of sending a message to somebody"
    if schema in _WEB:
        return None
    near = difflib.get_close_matches(schema, ALLOWED, 1)
    hint = f"; did you mean {near[0]}://?" if near else ""
    return f"{schema}:// is not a service that Apprise knows{hint}"


def _refused_option(url: str) -> str | None:
    for key, value in parse_qsl(url.partition("?")[2], keep_blank_values=True):
        name, chosen = key.lower(), value.strip().lower()
        if name == "optional" and chosen not in _NO:
            return "has optional=, which reports failures as sent; remove it"
        if name in _OWN_RETRIES:
            return f"has {name}=; deliveries are repeated by themselves, remove it"
        if name == "redirect" and chosen not in _NO:
            return "has redirect=, which loses the message at the first redirect; remove it"
        if name == "verify" and chosen not in _YES:
            return "has verify=, which accepts any certificate; remove it"
        if name in ("cc", "bcc") and schema_of(url) in MAIL_SCHEMES:
            return f"has {name}=; make one channel for each recipient"
    return None


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


def _parts(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None
