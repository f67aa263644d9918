"""Connecting Helicone: a webhook that leads here, and its signing secret in the configuration file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from spendtop.config.file_edit import read_text, replace_private, with_item
from spendtop.config.load import Loaded
from spendtop.config.settings import Settings
from spendtop.domain.errors import ConfigError, SpendtopError, UsageError
from spendtop.domain.untrusted import clean_line
from spendtop.sources.helicone_webhooks import HeliconeWebhooks, Webhook, is_reachable
from spendtop.sources.settings import HeliconeSettings

WEBHOOK_PATH = "/webhook"
_SECTION, _KEY = "helicone", "webhook_secrets"
_VARIABLE = "SPENDTOP_HELICONE__WEBHOOK_SECRETS"
_ELSEWHERE = ("env:", "file:")
_IS_LINE = re.compile(r":\d+$")
"""How the origin of a value in a file ends."""


@dataclass(frozen=True, slots=True)
class Connected:
    webhook: Webhook
    is_new: bool


class NotKept(SpendtopError):
    """A signing secret could not be put into the configuration; the text says what to do by hand."""


def management(settings: Settings) -> HeliconeWebhooks:
    """What asks Helicone about its webhooks. Raises ConfigError without an API key."""
    helicone = settings.section(HeliconeSettings)
    key = helicone.api_key.get_secret_value()
    if not key:
        raise ConfigError(
            "Helicone's API key is not set. Make one with read and write permission and set it as api_key under"
            " [helicone]."
        )
    return HeliconeWebhooks(key, helicone.base_url)


def destination_of(url: str) -> str:
    """Where Helicone has to post to reach the listener behind a public address.

    Raises UsageError for an address to which Helicone never posts: it would skip it without a word.
    """
    try:
        parts = urlsplit(url)
        is_plain = bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)
    except ValueError:
        is_plain = False
    if not is_plain:
        raise UsageError(f"{clean_line(url)} is no address such as https://spend.example.org")
    if parts.scheme != "https":
        raise UsageError("Helicone posts to https addresses only and skips others without a word. Give one of https.")
    if not is_reachable(url):
        raise UsageError(
            f"{clean_line(parts.hostname or '')} is a private name or address, which Helicone skips without a word."
            " Give the public address of a tunnel or proxy that leads here."
        )
    path = parts.path.rstrip("/")
    return f"https://{parts.netloc}{path if path.endswith(WEBHOOK_PATH) else path + WEBHOOK_PATH}"


async def connect(webhooks: HeliconeWebhooks, destination: str) -> Connected:
    """The webhook to this address; made unless there is one, never twice. Raises PollFailed and UsageError."""
    before = {webhook.id for webhook in await webhooks.list()}
    webhook = await webhooks.create(destination)
    return Connected(webhook, webhook.id not in before)


def secrets_of(settings: Settings) -> frozenset[str]:
    """The signing secrets that are configured."""
    return frozenset(secret.get_secret_value() for secret in settings.section(HeliconeSettings).webhook_secrets)


def leading_here(webhooks: Iterable[Webhook], settings: Settings) -> list[Webhook]:
    """Those that are ours: signed with a secret that we have, or posted to our public address."""
    secrets, public = secrets_of(settings), settings.server.public_url
    here = public.rstrip("/") + WEBHOOK_PATH if public else None
    return [webhook for webhook in webhooks if webhook.secret in secrets or webhook.destination == here]


def shortcomings(webhook: Webhook) -> list[str]:
    """Why a webhook does not tell everything, a sentence each."""
    sentences = []
    if webhook.sample_rate < 100:
        sentences.append(f"It sends only {webhook.sample_rate:g} % of the requests.")
    if webhook.filtered:
        sentences.append("It sends only requests with certain properties.")
    if not webhook.includes_data:
        sentences.append("It sends no cost, tokens and model.")
    return sentences


def keep_secret(loaded: Loaded, reload: Callable[[], Loaded], secret: str) -> Path | None:
    """Put a signing secret in front of those in the configuration file; None where it is in force already.

    A collector that runs applies the saved file by itself. Raises NotKept, and then the file is as it was.
    """
    if secret in secrets_of(loaded.settings):
        return None
    path = _editable(loaded)
    try:
        before = read_text(path)
        after = with_item(before, _SECTION, _KEY, secret)
        if after is None:
            raise NotKept(_by_hand(f"{path} is not written in a way that can be edited safely", path))
        replace_private(path, after)
    except OSError as failure:
        raise NotKept(_by_hand(f"{path} cannot be replaced ({failure.strerror})", path)) from None
    try:
        if secret in secrets_of(reload().settings):
            return path
        problem = "it is not in force afterwards"
    except SpendtopError as failure:
        problem = str(failure)
    replace_private(path, before)
    raise NotKept(_by_hand(f"{path} was left as it was: {problem}", path))


def _editable(loaded: Loaded) -> Path:
    """The file that the secret belongs into. Raises NotKept where secrets come from elsewhere."""
    origin = loaded.origins.get(f"{_SECTION}.{_KEY}", "")
    if loaded.path is None:
        if origin:
            raise NotKept(f"The signing secrets come from {origin}: put this webhook's there.")
        raise NotKept(
            f"There is no configuration file to keep the signing secret in: set {_VARIABLE} to it, or run"
            " `spendtop init` and connect again."
        )
    named = _named_elsewhere(loaded.path)
    if named:
        raise NotKept(f"The signing secrets come from {', '.join(named)}, as {loaded.path} says: put this one there.")
    if origin and not _IS_LINE.search(origin):
        raise NotKept(f"The signing secrets come from {origin}: put this webhook's there.")
    return loaded.path


def _named_elsewhere(path: Path) -> list[str]:
    """Where the file says that all its secrets are: variables and files."""
    try:
        items = tomllib.loads(read_text(path)).get(_SECTION, {}).get(_KEY, [])
    except (OSError, ValueError, AttributeError):
        return []
    texts = [str(item) for item in items] if isinstance(items, list) else []
    return texts if texts and all(text.startswith(_ELSEWHERE) for text in texts) else []


def _by_hand(why: str, path: Path) -> str:
    return f"{why}. Put the signing secret into {_KEY} under [{_SECTION}] in {path} yourself."
