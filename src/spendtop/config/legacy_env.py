"""The environment names of the older systems that spendtop replaces, as a layer below the configuration file."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

from spendtop.config.channel_urls import HOOK_FIELDS
from spendtop.config.database import database_url
from spendtop.config.layers import Layer, ValueOrigin
from spendtop.config.types import Surroundings, to_decimal
from spendtop.domain.errors import ConfigError, NoPermission
from spendtop.domain.shell_words import shell_word

SWITCH = "SPENDTOP_OLD_NAMES"
"""Set to 1, the old names count in the process environment too."""

INGEST_PORT = 5001
"""Where the older usage service listened by default."""

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
HOOK_NAMES = {"SLACK_WEBHOOK_URL": "slack", "DISCORD_WEBHOOK_URL": "discord"}
"""Variable to channel name, which is also whose webhooks its are shaped like."""

_NATIVE_HOOK = re.compile(
    r"https://(?:hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/)", re.IGNORECASE
)
_FINGERPRINT = re.compile(r"HELICONE_WEBHOOK_SECRET|\w*_SPEND_LIMIT|INGEST_KEY|OPENAI_ADMIN_KEY")
_PLACEHOLDER = re.compile(
    r"<.*>|.*\.\.\..*|.*….*|(?:.*[-_])?x{3,}|(?:.*[-_/])?your(?:[_/ ]|-(?!name)).*"
    r"|change[-_ ]?me|replace[-_ ]?me|placeholder|todo|none|null|undefined|example",
    re.IGNORECASE | re.DOTALL,
)
"""What examples have in place of a value. `your-name` and what begins so can be a user."""
_LISTS = frozenset({"ALLOWED_ORIGINS", "RATE_LIMIT_EXEMPT", "ALERT_EMAIL_TO", "ALERT_RECIPIENT_EMAIL"})
_BETWEEN_ITEMS = re.compile(r"[,;\s]+(?![^<]*>)")
_LIMITS = {
    "HOURLY_SPEND_LIMIT": ("hourly", "1h"),
    "DAILY_SPEND_LIMIT": ("daily", "day"),
    "MONTHLY_SPEND_LIMIT": ("monthly", "month"),
}
_DATABASE = ("DATABASE_URL", "DATABASE_PATH", "DB_FILENAME")
_PORTS = ("PORT", "SERVER_PORT")


def _text(text: str) -> object:
    return text


def _one(text: str) -> object:
    return [text]


def _many(text: str) -> list[str]:
    return [part for part in re.split(r"[,\s]+", text.strip("[]").replace('"', "").replace("'", "")) if part]


def _number(text: str) -> object:
    return int(text) if re.fullmatch(r"[+-]?\d+", text, re.ASCII) else text


_VALUES: dict[str, tuple[tuple[str, ...], Callable[[str], object]]] = {
    "HELICONE_API_KEY": (("helicone", "api_key"), _text),
    "HELICONE_WEBHOOK_SECRET": (("helicone", "webhook_secrets"), _one),
    "HOST": (("server", "host"), _text),
    "NGROK_AUTHTOKEN": (("server", "ngrok_authtoken"), _text),
    "API_KEY": (("server", "api_key"), _text),
    "INGEST_KEY": (("server", "ingest_keys", "default"), _text),
    "RATE_LIMIT_RPM": (("server", "rate_limit", "rpm"), _number),
    "RATE_LIMIT_BURST": (("server", "rate_limit", "burst"), _number),
    "RATE_LIMIT_EXEMPT": (("server", "rate_limit", "exempt"), _many),
    "INGEST_RPM": (("server", "ingest_rate_limit", "rpm"), _number),
    "INGEST_BURST": (("server", "ingest_rate_limit", "burst"), _number),
    "PROVIDER": (("ingest", "default_provider"), _text),
    "TRACKING_TOKEN_LENGTH": (("ingest", "token_length"), _number),
    "OPENAI_ADMIN_KEY": (("openai", "admin_key"), _text),
}
_REMARKS = {
    "REDIS_URL": "nothing needs it: queue and cache live in the store",
    "DEBUG": "not taken; start with --debug instead",
    "ENVIRONMENT": "only named in /metrics",
    "ENV": "only named in /metrics",
}
NAMES = frozenset(
    {*_VALUES, *_REMARKS, *_LIMITS, *_DATABASE, *_PORTS, *MAIL_NAMES, *HOOK_NAMES, "ALLOWED_ORIGINS", "OPENAI_MODEL"}
)
"""Every name that is understood."""


class OldName(Struct, frozen=True):
    """One variable that was found, where, and what it does here."""

    name: str
    place: str
    effect: str


@dataclass(frozen=True)
class OldNames:
    layer: Layer = field(default_factory=Layer)
    names: tuple[OldName, ...] = ()
    warnings: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """All variables of the `.env` that was taken, for `env:NAME` and `SPENDTOP_...` in it."""


@dataclass(frozen=True)
class _SetNames:
    """The old names that are set, with the place each comes from."""

    values: dict[str, str] = field(repr=False)
    places: dict[str, str]

    def origin(self, name: str) -> ValueOrigin:
        return ValueOrigin(self.places[name], detail=name)


def recognized(folder: Path) -> Path | None:
    """The folder's `.env`, if it is one of ours by its fingerprints. Another project's is never taken."""
    path = folder / ".env"
    return path if any(_FINGERPRINT.fullmatch(name) for name in _read(path, asked_for=False)) else None


def read_old_names(path: Path | None, folder: Path, environ: Mapping[str, str]) -> OldNames:
    """The old names in the `.env` at `path`, if any, and in the process environment if its switch is set.

    The process environment wins. `folder` is what relative paths in them mean. Raises ConfigError and NoPermission for
    an unreadable file.
    """
    file = _read(path, asked_for=True) if path is not None else {}
    place = "" if path is None else str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
    raw = {name: (text, place) for name, text in file.items() if name in NAMES}
    if environ.get(SWITCH) == "1":
        raw |= {name: (_uncommented(text), "environment") for name, text in environ.items() if name in NAMES}
    values = {name: _without_placeholders(name, text) for name, (text, _) in raw.items()}
    names = _SetNames(
        {name: text for name, text in values.items() if text},
        {name: source for name, (_, source) in raw.items() if values[name]},
    )
    layer, effects, warnings = Layer(), dict(_REMARKS), _warnings(values, raw, path)
    for step in (_add_values, _add_listener, _add_database, _add_limits, _add_channels):
        for name, effect in step(layer, names, folder):
            effects[name] = effect
    if (missing := missing_for_mail(names.values)) and MAIL_NAMES & names.values.keys():
        warnings.append(missing)
    listed = tuple(OldName(name, names.places[name], effects.get(name, "not needed")) for name in names.values)
    return OldNames(layer, listed, tuple(warnings), file)


Effects = Iterator[tuple[str, str]]
"""Names with what each of them did."""


def _add_values(layer: Layer, names: _SetNames, _folder: Path) -> Effects:
    for name, (path, convert) in _VALUES.items():
        if name in names.values:
            layer.set(path, convert(names.values[name]), names.origin(name))
            yield name, ".".join(path)
    if origins := names.values.get("ALLOWED_ORIGINS"):
        listed = [origin.rstrip("/") for origin in _many(origins)]
        usable = [origin for origin in listed if re.fullmatch(r"https?://[^/*]+", origin)]
        layer.set(("server", "allowed_origins"), usable, names.origin("ALLOWED_ORIGINS"))
        left_out = ", ".join(sorted(set(listed) - set(usable)))
        yield "ALLOWED_ORIGINS", "server.allowed_origins" + (f", without {left_out}" if left_out else "")


def _add_listener(layer: Layer, names: _SetNames, _folder: Path) -> Effects:
    ports = [name for name in _PORTS if name in names.values]
    for name in ports[:1]:
        layer.set(("server", "port"), _number(names.values[name]), names.origin(name))
        yield name, "server.port"
    for name in ports[1:]:
        yield name, f"not used: {ports[0]} wins"
    if not ports and "INGEST_KEY" in names.values:
        layer.set(("server", "port"), INGEST_PORT, names.origin("INGEST_KEY"))
        yield "INGEST_KEY", f"server.ingest_keys.default, and server.port {INGEST_PORT}"


def _add_database(layer: Layer, names: _SetNames, folder: Path) -> Effects:
    used = [name for name in _DATABASE if name in names.values]
    for name in used[:1]:
        text = names.values[name]
        url = text if "://" in text else f"sqlite:///{text}"
        try:
            url = database_url(url, Surroundings(folder=folder))
        except ValueError as error:
            raise ConfigError(f"{names.origin(name)}: {error}") from None
        layer.set(("database", "url"), url, names.origin(name))
        yield name, "database.url"
    for name in used[1:]:
        yield name, f"not used: {used[0]} wins"


def _add_limits(layer: Layer, names: _SetNames, _folder: Path) -> Effects:
    model = names.values.get("OPENAI_MODEL")
    for name, (limit, window) in _LIMITS.items():
        if name not in names.values:
            continue
        if _is_zero(names.values[name]):
            yield name, "no limit: it is 0"
            continue
        item: dict[str, object] = {"name": limit, "window": window, "usd": names.values[name], "warn": [0.8]}
        if model:
            item["reserve"] = f"model:{model}"
        layer.append("limit", item, names.origin(name))
        yield name, f'limit "{limit}"'
    if model:
        yield "OPENAI_MODEL", "reserve price of these limits, for requests without a known price"


def _add_channels(layer: Layer, names: _SetNames, _folder: Path) -> Effects:
    if MAIL_NAMES & names.values.keys() and not missing_for_mail(names.values):
        origin = names.origin("ALERT_RECIPIENT_EMAIL" if "ALERT_RECIPIENT_EMAIL" in names.values else "ALERT_EMAIL_TO")
        channels = list(mail_channels(names.values))
        for channel, url in channels:
            layer.append("channel", {"name": channel, "url": url}, origin)
        for name in MAIL_NAMES & names.values.keys():
            yield name, "channel " + ", ".join(f'"{channel}"' for channel, _ in channels)
    for name, channel in HOOK_NAMES.items():
        if name in names.values:
            url = hook_url(names.values[name], HOOK_FIELDS[channel])
            layer.append("channel", {"name": channel, "url": url}, names.origin(name))
            yield name, f'channel "{channel}"'


def _read(path: Path, asked_for: bool) -> dict[str, str]:
    """The variables of a `.env`; none where an unasked one is missing."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        if asked_for:
            raise ConfigError(f"there is no file {path}; give --env-file the path of a .env") from None
        return {}
    except PermissionError:
        if asked_for:
            raise NoPermission(f"cannot read {path}; let its owner run: chmod u+r {shell_word(path)}") from None
        return {}
    except UnicodeDecodeError:
        if asked_for:
            raise ConfigError(f"{path} is not UTF-8 text") from None
        return {}
    from dotenv import dotenv_values

    return {name: value or "" for name, value in dotenv_values(stream=io.StringIO(text)).items()}


def overlooked(environ: Mapping[str, str], taken: Mapping[str, str], named: Collection[str]) -> str | None:
    """Which old names in the process environment do not count, as a sentence; None where nobody can mean them.

    Left out are those with the value that a `.env` was `taken` with, and those that the configuration `named` as
    `env:NAME`. Whoever sets the switch has decided.
    """
    if SWITCH in environ:
        return None
    found = [
        name
        for name, text in sorted(environ.items())
        if name in NAMES
        and _FINGERPRINT.fullmatch(name)
        and name not in named
        and _without_placeholders(name, _uncommented(text)) not in ("", taken.get(name, "").strip())
    ]
    if not found:
        return None
    return f"the old names {', '.join(found)} in the environment do not count; set {SWITCH}=1 beside them to take them"


def _warnings(values: Mapping[str, str], raw: Mapping[str, tuple[str, str]], path: Path | None) -> list[str]:
    warnings = []
    unset = sorted(name for name, text in values.items() if not text)
    if unset:
        warnings.append(f"blank or placeholder values count as unset: {', '.join(unset)}")
    partly = sorted(name for name in _LISTS & values.keys() if values[name] and values[name] != raw[name][0].strip())
    if partly:
        warnings.append(f"placeholders are left out of: {', '.join(partly)}")
    if path is not None and raw and path.stat().st_mode & 0o077:
        warnings.append(f"{path} can be read by other users of this machine; close it: chmod 600 {shell_word(path)}")
    return warnings


def _uncommented(text: str) -> str:
    """A value as `docker --env-file` passes it, without the quotes and inline comment that a `.env` allows."""
    text = text.strip()
    quoted = re.fullmatch(r"""(["'])(.*)\1(?:\s+#.*)?""", text, re.DOTALL)
    return quoted[2] if quoted else re.sub(r"(?:^|\s+)#.*$", "", text, flags=re.DOTALL)


def _without_placeholders(name: str, text: str) -> str:
    """The value without what only stands for one; of a list, without such items. Empty where nothing is left."""
    text = text.strip()
    items = _BETWEEN_ITEMS.split(text) if name in _LISTS else [text]
    real = [item for item in items if not _PLACEHOLDER.fullmatch(item.strip("[]\"'"))]
    return text if len(real) == len(items) else ",".join(filter(None, real))


def _is_zero(text: str) -> bool:
    try:
        return to_decimal(text) == 0
    except ValueError:
        return False


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
