"""Connecting a provider that pushes: a destination that leads here, and an ingest key of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from spendtop.config.account_settings import AccountSettings
from spendtop.config.file_edit import read_text, replace_private, with_entry
from spendtop.config.load import Loaded
from spendtop.config.settings import Settings
from spendtop.domain.discreet import Discreet
from spendtop.domain.errors import ConfigError, SpendtopError
from spendtop.domain.sources.push_health import Destination
from spendtop.domain.sources.records import ANTHROPIC_PUSH, OPENROUTER_PUSH, ProviderPush
from spendtop.sources.destinations import OUR_NAME, TRACES_PATH
from spendtop.sources.destinations.anthropic import AnthropicDestinations
from spendtop.sources.destinations.openrouter import OpenRouterDestinations
from spendtop.sources.settings import AnthropicSettings

_SECTION, _KEYS = "server", "ingest_keys"
_SECRET_BYTES = 32


class KeptKey(Discreet, frozen=True):
    """The ingest key that a provider sends."""

    value: str
    path: Path | None
    """The file that it was put into just now; None where it was there before."""


class Credential(Discreet, frozen=True):
    """What opens a provider's management API."""

    key: str
    base_url: str


def credential_of(push: ProviderPush, settings: Settings) -> Credential | None:
    """The key that manages destinations, if one is configured."""
    if push is ANTHROPIC_PUSH:
        anthropic = settings.section(AnthropicSettings)
        key = anthropic.admin_key.get_secret_value()
        return Credential(key, anthropic.base_url) if key else None
    account = _account(push, settings)
    return None if account is None else Credential(account.key.get_secret_value(), account.base_url)


def destinations_of(push: ProviderPush, settings: Settings) -> AnthropicDestinations | OpenRouterDestinations:
    """What asks about them. Raises ConfigError without a key."""
    credential = credential_of(push, settings)
    if credential is not None:
        return destinations_by(push, credential)
    if push is OPENROUTER_PUSH:
        raise ConfigError(
            'No key manages OpenRouter\'s destinations: add an [[account]] with name and provider = "openrouter" whose'
            " key is a management key of openrouter.ai/settings/management-keys."
        )
    raise ConfigError(
        "No key manages Anthropic's destinations: an admin of the organization makes an admin key at"
        " console.anthropic.com/settings/admin-keys; set it as admin_key under [anthropic]."
    )


def destinations_by(push: ProviderPush, credential: Credential) -> AnthropicDestinations | OpenRouterDestinations:
    """What asks about them with a key."""
    return kind_of(push)(credential.key, credential.base_url)


def kind_of(push: ProviderPush) -> type[AnthropicDestinations] | type[OpenRouterDestinations]:
    """What asks about destinations of this provider."""
    return AnthropicDestinations if push is ANTHROPIC_PUSH else OpenRouterDestinations


def is_expected(push: ProviderPush, settings: Settings) -> bool:
    """Whether its own ingest key was made, so that a destination should lead here."""
    return push.name in settings.server.ingest_keys


def leading_here(destinations: Sequence[Destination], public_url: str) -> list[Destination]:
    """Those to our public address where one is set, else those that were made by this program."""
    public = public_url.rstrip("/")
    if public and (ours := [each for each in destinations if each.address == public]):
        return ours
    return [each for each in destinations if each.name == OUR_NAME]


def keep_key(push: ProviderPush, loaded: Loaded, reload: Callable[[], Loaded]) -> KeptKey:
    """The provider's own ingest key, made and put into the configuration file unless it is there.

    A collector that runs applies the saved file by itself. Raises ConfigError, and then the file is as it was.
    """
    if is_expected(push, loaded.settings):
        return KeptKey(loaded.settings.server.ingest_keys[push.name].get_secret_value(), None)
    path = loaded.path
    if path is None:
        raise ConfigError(
            f"No configuration file is there for the ingest key {push.name}. Run `spendtop init`, and connect again."
        )
    value = secrets.token_urlsafe(_SECRET_BYTES)
    try:
        before = read_text(path)
        after = with_entry(before, _SECTION, _KEYS, push.name, value)
        if after is None:
            raise _by_hand(push, f"{path} is not written in a way that can be edited safely")
        replace_private(path, after)
    except OSError as failure:
        raise _by_hand(push, f"{path} cannot be replaced ({failure.strerror})") from None
    try:
        if is_expected(push, reload().settings):
            return KeptKey(value, path)
        problem = f"{_KEYS} under [{_SECTION}] comes from elsewhere"
    except SpendtopError as failure:
        problem = str(failure)
    replace_private(path, before)
    raise _by_hand(push, f"{path} was left as it was: {problem}")


def header_words(push: ProviderPush, address: str) -> tuple[str, ...]:
    """What is entered where a destination is made by hand."""
    endpoint = address if push is ANTHROPIC_PUSH else f"{address}{TRACES_PATH}"
    return (
        f"endpoint: {endpoint}",
        f"header: Authorization: Bearer KEY, where KEY is {push.name} in {_KEYS} under [{_SECTION}]",
    )


def _account(push: ProviderPush, settings: Settings) -> AccountSettings | None:
    """The first one there with a key."""
    return next((each for each in settings.accounts if each.provider == push.provider and each.key), None)


def _by_hand(push: ProviderPush, why: str) -> ConfigError:
    return ConfigError(
        f"{why}. Put a long random text named {push.name} into {_KEYS} under [{_SECTION}] yourself, and connect again."
    )
