"""Whether the services that we need can be reached: a connection is opened and closed, nothing is sent."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from spendtop.alerts.channels import check_url
from spendtop.config.channel_urls import schema_of
from spendtop.config.settings import Settings
from spendtop.domain.untrusted import clean_line
from spendtop.sources.settings import AnthropicSettings, HeliconeSettings, OpenAISettings

_SECONDS = 5.0
_PLAIN_SCHEMAS = frozenset({"form", "forms", "json", "jsons", "xml", "xmls"})
_PORTS = {"http": 80, "https": 443}


class Target(NamedTuple):
    """Something to reach."""

    name: str
    """`helicone`, or `channel ops`."""
    host: str | None
    """None where Apprise does not tell."""
    port: int


class Reached(NamedTuple):
    """How it went: what is wrong, or None."""

    target: Target
    milliseconds: int
    problem: str | None


def probe(settings: Settings) -> list[Reached]:
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(_reach, targets(settings)))


def targets(settings: Settings) -> Iterator[Target]:
    """Providers with a key, and channels."""
    yield from _providers(settings)
    yield from _channels(settings)


def _reach(target: Target) -> Reached:
    started = time.monotonic()
    problem = None
    if target.host is not None:
        try:
            socket.create_connection((target.host, target.port), _SECONDS).close()
        except OSError as failure:
            problem = clean_line(failure.strerror or "no answer within 5 s")
    return Reached(target, round((time.monotonic() - started) * 1000), problem)


def _providers(settings: Settings) -> Iterator[Target]:
    helicone, openai = settings.section(HeliconeSettings), settings.section(OpenAISettings)
    anthropic = settings.section(AnthropicSettings)
    configured = (
        ("helicone", helicone.api_key, helicone.base_url),
        ("openai", openai.admin_key, openai.base_url),
        ("anthropic", anthropic.admin_key, anthropic.base_url),
    )
    for name, key, url in configured:
        if key:
            yield _target(name, url)


def _channels(settings: Settings) -> Iterator[Target]:
    from apprise import Apprise

    for channel in settings.channels:
        url = channel.url.get_secret_value()
        if check_url(url) is None:
            yield _channel_target(f"channel {channel.name}", schema_of(url), Apprise.instantiate(url))


def _channel_target(name: str, schema: str, plugin: Any) -> Target:
    """Where Apprise's plugin would connect to: a mail server, the service's fixed address, or the host of a plain URL;
    the "host" of other kinds of URL may be a token or a topic."""
    if smtp_host := getattr(plugin, "smtp_host", None):
        return Target(name, smtp_host, plugin.port or 25)
    fixed = [getattr(plugin, key, None) for key in ("webhook_url", "notify_url", "api_url")]
    urls = [url for url in fixed if isinstance(url, str) and url.startswith("http")]
    if urls and "{" not in urlsplit(urls[0]).netloc:
        return _target(name, urls[0])
    if schema in _PLAIN_SCHEMAS:
        return Target(name, plugin.host, plugin.port or (443 if plugin.secure else 80))
    return Target(name, None, 0)


def _target(name: str, url: str) -> Target:
    parts = urlsplit(url)
    return Target(name, parts.hostname, parts.port or _PORTS[parts.scheme])
