"""`spendtop check`: a line for everything that has to be right, with what to do where it is not."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from spendtop.alerts.channels import check_url
from spendtop.cli.interruption import interruptible
from spendtop.cli.options import Options, read_settings
from spendtop.cli.setup import findings
from spendtop.cli.setup.finding import Finding, FindingState
from spendtop.cli.setup.push_findings import of_pushes
from spendtop.cli.setup.screen_findings import of_screens
from spendtop.cli.tables import say, table
from spendtop.config.channel_urls import schema_of
from spendtop.config.load import Loaded
from spendtop.config.settings import Settings
from spendtop.domain.errors import ExitCode
from spendtop.domain.untrusted import clean_line
from spendtop.sources.settings import AnthropicSettings, HeliconeSettings, OpenAISettings

_SECONDS = 5.0
_PLAIN_SCHEMAS = frozenset({"form", "forms", "json", "jsons", "xml", "xmls"})
_PORTS = {"http": 80, "https": 443}


def run(options: Options) -> int:
    """Print all findings; the exit code is that of the first error. Of a wrong configuration the rest is checked."""
    loaded = read_settings(options)
    checked = list(_findings(loaded.settings, loaded))
    if options.arguments.probe:
        checked += _probed(loaded.settings)
    rows = [(each.subject, each.state.value, each.text, each.fix) for each in checked]
    say(table(("what", "state", "found", "what to do"), rows))
    _say_origins(loaded)
    errors = [each for each in checked if each.state is FindingState.ERROR]
    warnings = sum(each.state is FindingState.WARNING for each in checked)
    say("")
    if errors:
        say(f"{len(errors)} of {len(checked)} checks failed.")
        return errors[0].code
    say(f"All checks passed, {warnings} with a warning." if warnings else "All checks passed.")
    return ExitCode.OK


def _findings(settings: Settings, loaded: Loaded) -> Iterator[Finding]:
    yield from findings.of_configuration(loaded)
    if loaded.hides_store:
        yield findings.of_hidden_store()
    else:
        yield from findings.of_store_and_port(loaded)
    yield from findings.of_keys(settings)
    yield from of_pushes(settings)
    yield from findings.of_accounts(settings)
    if loaded.files.env_file is None:
        yield from findings.of_agents(settings)
    yield from findings.of_channels(settings)
    yield from of_screens(settings.ui)


def _say_origins(loaded: Loaded) -> None:
    """Where values come from, never what they are: some are secrets."""
    if loaded.origins:
        say("")
        say(table(("set", "where"), [list(map(clean_line, pair)) for pair in loaded.origins.items()]))
    if loaded.old_names:
        say("")
        names = [[clean_line(text) for text in (old.name, old.place, old.effect)] for old in loaded.old_names]
        say(table(("old name", "where", "what it does here"), names))


def _probed(settings: Settings) -> Iterator[Finding]:
    for reached in probe(settings):
        name, host, port = f"probe {reached.target.name}", reached.target.host, reached.target.port
        if host is None:
            yield Finding(
                name, FindingState.NOTE, "Apprise does not tell where it would connect to", "`spendtop channel test`"
            )
        elif reached.problem is None:
            yield Finding(name, FindingState.OK, f"reached in {reached.milliseconds} ms")
        else:
            fix = f"see whether this machine may connect to port {port} of that service"
            yield Finding(name, FindingState.ERROR, f"cannot be reached: {reached.problem}", fix, ExitCode.CONFIG)


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
    waiting = interruptible("Looking what can be reached", "Nothing was changed.")
    with waiting, ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(_reach, targets(settings)))


def targets(settings: Settings) -> Iterator[Target]:
    """Providers with a key, whoever publishes the price list, and channels."""
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
    if settings.pricing.update:
        yield _target("price list", settings.pricing.update_url)


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
