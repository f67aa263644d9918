"""`spendtop init`: writes a commented configuration."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from getpass import getpass
from pathlib import Path
from typing import Any

from spendtop.cli.options import Options
from spendtop.cli.tables import say
from spendtop.config.legacy_env import read_old_names
from spendtop.config.load import load
from spendtop.config.paths import CONFIG_NAME
from spendtop.config.settings import Settings
from spendtop.config.template import render
from spendtop.config.types import to_decimal
from spendtop.domain.errors import CannotCreate, ExitCode, NoPermission, UsageError
from spendtop.sources.settings import SECTIONS, HeliconeSettings

Values = dict[str, Any]
"""Nested as in a TOML document."""


def run(options: Options) -> int:
    """Write the file, say what is in it and what comes next."""
    path = (options.config or Path(CONFIG_NAME)).expanduser()
    if os.path.lexists(path):
        raise _exists(path)
    values = _from_env(options) if options.arguments.from_env else _fresh()
    for section, key, value in _overrides(options):
        values.setdefault(section, {})[key] = value
    _write(path, render(SECTIONS, values))
    loaded = load(path, sections=SECTIONS, environ={}, folder=path.absolute().parent)
    settings = loaded.settings
    say(f"Wrote {path} (0600).")
    for warning in loaded.warnings:
        say(f"  note: {warning}")
    for step in _helicone(settings):
        say(step)
    say("Next: `spendtop check`, then `spendtop`.")
    return ExitCode.OK


def _helicone(settings: Settings) -> Iterator[str]:
    """What Helicone has to be told, and what it tells us."""
    server = settings.server
    if server.public_url:
        yield f"In Helicone, add the webhook {server.public_url.rstrip('/')}/webhook."
    else:
        here = f"http://{server.host}:{server.port}"
        yield f"Helicone needs a public https address that leads to {here}: put it into public_url under [server]."
    if not settings.section(HeliconeSettings).webhook_secrets:
        yield "The signing secret that Helicone shows goes into webhook_secrets under [helicone]."


def _fresh() -> Values:
    values: Values = {
        "server": {"api_key": secrets.token_urlsafe(32), "ingest_keys": {"default": secrets.token_urlsafe(32)}}
    }
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return values
    say("Three questions; Enter skips one.")
    if secret := getpass("Signing secret of the Helicone webhook (not shown): ").strip():
        values["helicone"] = {"webhook_secrets": [secret]}
    if usd := _asked("Limit per day in USD: ", _amount_problem):
        values["limit"] = [{"name": "daily", "window": "day", "usd": to_decimal(usd)}]
    if url := _asked("Where messages go, an Apprise URL such as slack://... or mailto://...: ", _channel_problem):
        values["channel"] = [{"name": "ops", "url": url}]
    return values


def _asked(question: str, problem_of: Callable[[str], str | None]) -> str:
    """The answer, asked for until it is usable or empty."""
    while True:
        answer = input(question).strip()
        problem = problem_of(answer) if answer else None
        if problem is None:
            return answer
        say(f"  {problem}")


def _amount_problem(text: str) -> str | None:
    try:
        return None if to_decimal(text) > 0 else "must be more than 0"
    except ValueError as wrong:
        return str(wrong)


def _channel_problem(text: str) -> str | None:
    from spendtop.alerts.channels import check_url

    problem = check_url(text)
    return f"This URL {problem}." if problem else None


def _from_env(options: Options) -> Values:
    """What the old names say. All of it is checked before anything is written."""
    folder = Path.cwd()
    env_file = folder / options.env_file.expanduser() if options.env_file else None
    old = read_old_names(env_file, folder, os.environ)
    if not old.names:
        raise UsageError("There is no .env of an older system here. Name one with --env-file PATH.")
    load(Path(os.devnull), sections=SECTIONS, env_file=env_file, folder=folder)
    for name in old.names:
        say(f"  {name.name} from {name.place}: {name.effect}")
    return old.layer.values


def _overrides(options: Options) -> list[tuple[str, str, object]]:
    """What the command line says about the configuration."""
    overrides = [
        ("server", "host", options.host),
        ("server", "port", options.port),
        ("database", "url", options.database_url),
    ]
    return [each for each in overrides if each[2] is not None]


def _write(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise _exists(path) from None
    except PermissionError:
        raise NoPermission(f"{path} cannot be written. Name another place with --config PATH.") from None
    except OSError as failure:
        raise CannotCreate(f"{path} cannot be made: {failure.strerror}. Name another place with --config.") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _exists(path: Path) -> UsageError:
    return UsageError(f"{path} exists already and stays as it is. Move it away, or name another with --config PATH.")
