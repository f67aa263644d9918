"""Channels from the mail, Slack and Discord names of the older systems."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode, urlsplit

DEFAULT_MAIL_SERVER = "smtp.gmail.com"
DEFAULT_MAIL_PORT = "587"
TLS_FROM_THE_START = "465"

MAIL_NAMES = frozenset(
    {
        "EMAIL_USERNAME",
        "EMAIL_PASSWORD",
        "ALERT_EMAIL_TO",
        "SMTP_SERVER",
        "SMTP_PORT",
        "SMTP_USERNAME",
        "SMTP_PASSWORD",
        "SMTP_EMAIL",
        "ALERT_RECIPIENT_EMAIL",
    }
)
HOOK_NAMES = {"SLACK_WEBHOOK_URL": ("slack", "text"), "DISCORD_WEBHOOK_URL": ("discord", "content")}
"""Variable to channel name, and to the key under which such a service expects its text."""

_NATIVE_HOOK = re.compile(
    r"https://(?:hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/)", re.IGNORECASE
)


def recipients(values: Mapping[str, str]) -> list[str]:
    """Every address that mail goes to, each once."""
    text = f"{values.get('ALERT_RECIPIENT_EMAIL', '')},{values.get('ALERT_EMAIL_TO', '')}"
    return list(dict.fromkeys(address for address in re.split(r"[,;\s]+", text) if address))


def missing_for_mail(values: Mapping[str, str]) -> str:
    """What keeps the mail names from making a channel, as a sentence; empty when nothing does."""
    user, password = _login(values)
    if not recipients(values):
        return "mail is off: neither ALERT_EMAIL_TO nor ALERT_RECIPIENT_EMAIL names a recipient"
    if "SMTP_SERVER" not in values and not (user and password):
        return f"mail is off: {DEFAULT_MAIL_SERVER} needs a user and a password (EMAIL_USERNAME, EMAIL_PASSWORD)"
    return ""


def mail_channels(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and Apprise URL of one channel per recipient: `email`, `email-2`, ..."""
    for number, address in enumerate(recipients(values), 1):
        yield ("email" if number == 1 else f"email-{number}"), _mail_url(values, address)


def hook_url(url: str, text_key: str) -> str:
    """The Apprise URL for a Slack or Discord webhook address.

    Apprise takes the services' own addresses as they are. Other hosts that speak the same dialect are posted JSON.
    """
    url = re.sub(r"^https://(?:canary|ptb)\.discord", "https://discord", url, flags=re.IGNORECASE)
    parts = urlsplit(url)
    if _NATIVE_HOOK.match(url) or parts.scheme not in ("http", "https"):
        return url
    scheme = "jsons" if parts.scheme == "https" else "json"
    query = "&".join(part for part in (parts.query, f":message={text_key}") if part)
    return f"{scheme}://{parts.netloc}{parts.path}?{query}"


def _login(values: Mapping[str, str]) -> tuple[str, str]:
    user = values.get("SMTP_USERNAME") or values.get("EMAIL_USERNAME") or values.get("SMTP_EMAIL", "")
    return user, values.get("SMTP_PASSWORD") or values.get("EMAIL_PASSWORD", "")


def _mail_url(values: Mapping[str, str], recipient: str) -> str:
    user, password = _login(values)
    server = values.get("SMTP_SERVER", DEFAULT_MAIL_SERVER)
    port = values.get("SMTP_PORT", DEFAULT_MAIL_PORT)
    sender = values.get("SMTP_EMAIL") or (user if "@" in user else recipient)
    is_local = server in ("localhost", "127.0.0.1", "::1")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user and password else ""
    query = {"smtp": server, "from": sender, "to": recipient}
    if not is_local:
        query["mode"] = "ssl" if port == TLS_FROM_THE_START else "starttls"
    return f"{'mailto' if is_local else 'mailtos'}://{login}{server}:{port}?{urlencode(query)}"
