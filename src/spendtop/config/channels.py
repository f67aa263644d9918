"""Where messages go: one Apprise URL per channel."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, SecretStr

from spendtop.config.section import Section
from spendtop.config.types import Name, Secret

LOCAL_SCHEMES = frozenset(
    {"apprise", "apprises", "dbus", "file", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"}
)
"""Apprise services that act on this machine or pull in further configuration."""

MAIL_SCHEMES = frozenset({"mailto", "mailtos"})
GENERIC_SCHEMES = frozenset({"form", "forms", "http", "json", "jsons", "xml", "xmls"})

_OUR_DUTY = {
    "optional": "it would hide failures",
    "retry": "the outbox repeats messages itself",
    "wait": "the outbox repeats messages itself",
}


def channel_query(url: str) -> dict[str, str]:
    """The last value of each parameter in an Apprise URL's query, names in lower case."""
    query = url.partition("?")[2]
    return {name.lower(): values[-1] for name, values in parse_qs(query).items()}


def holds_credentials(url: str) -> bool:
    """Whether knowing this channel's URL lets a stranger act in our name."""
    try:
        parts = urlsplit(url)
        host, password = parts.hostname or "", parts.password
    except ValueError:
        return True
    if parts.scheme.lower() in MAIL_SCHEMES:
        return bool(password or channel_query(url).get("pass"))
    return bool(password or parts.username) or parts.scheme.lower() not in GENERIC_SCHEMES or not _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked(secret: SecretStr) -> SecretStr:
    """Refuses what cannot be one message to one recipient. No message shows any part of the URL but its scheme."""
    url = secret.get_secret_value()
    if not url:
        raise ValueError("must not be empty")
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or not rest.strip("/") or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        raise ValueError("must be an Apprise URL such as mailto://, slack:// or discord://")
    if re.search(r"\s", url):
        raise ValueError("must be one URL without spaces; write spaces in it as %20")
    if scheme in LOCAL_SCHEMES:
        raise ValueError(f"{scheme}:// is not allowed: it acts on this machine instead of sending a message")
    query = channel_query(url)
    for parameter, reason in _OUR_DUTY.items():
        if parameter in query:
            raise ValueError(f"remove {parameter}= from the URL: {reason}")
    if query.get("redirect", "no").lower() in ("yes", "true", "1", "on"):
        raise ValueError("remove redirect= from the URL: a redirected message is lost")
    if query.get("verify", "yes").lower() in ("no", "false", "0", "off"):
        raise ValueError("remove verify= from the URL: the certificate is always checked")
    if scheme in MAIL_SCHEMES and (re.search(r"[,;]", query.get("to", "")) or "cc" in query or "bcc" in query):
        raise ValueError("has more than one recipient; make one [[channel]] of each")
    return secret


class ChannelSettings(Section):
    """One place that messages go to: one Apprise URL, one recipient."""

    name: Name
    """What `notify` of limits and accounts calls it."""
    url: Annotated[Secret, AfterValidator(_checked)]
    """An Apprise URL, or the webhook address that Slack or Discord gave you."""
    min_severity: Literal["info", "warning", "critical"] = "info"
    """Sends only messages of at least this severity: approaching is "warning", exceeded is "critical"."""
