"""`spendtop init`: writes a commented configuration."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from getpass import getpass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from spendtop.cli.options import Options
from spendtop.cli.remembered_files import files_in_force
from spendtop.cli.tables import say
from spendtop.config.config_files import find_files
from spendtop.config.database import database_url
from spendtop.config.legacy_env import read_old_names
from spendtop.config.load import load, load_files
from spendtop.config.paths import CONFIG_NAME, config_file
from spendtop.config.settings import Settings
from spendtop.config.template import render
from spendtop.config.types import Surroundings, to_decimal
from spendtop.domain.errors import CannotCreate, ExitCode, NoPermission, SpendtopError, UsageError
from spendtop.domain.shell_words import shell_word
from spendtop.sources.settings import SECTIONS, HeliconeSettings

Values = dict[str, Any]
"""Nested as in a TOML document."""


def run(options: Options) -> int:
    """Write the file, say what is in it and what comes next."""
    path = _place(options)
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
    for step in _first_steps(settings):
        say(step)
    named = "" if _is_found(options, path) else f" --config {shell_word(path)}"
    say(f"Next: `spendtop check{named}`, then `spendtop{named}`.")
    return ExitCode.OK


def _place(options: Options) -> Path:
    """Where the file goes: as asked for, into this folder, or, where every start finds it, into the user's."""
    if options.config is not None:
        return options.config.expanduser()
    return Path(CONFIG_NAME) if options.arguments.here else config_file()


def _is_found(options: Options, path: Path) -> bool:
    """Whether a start here goes by the new file without being told to."""
    found = find_files(None, options.env_file, Path.cwd(), os.environ)
    if found.document != path.absolute():
        return False
    with suppress(SpendtopError):
        url = load_files(found, sections=SECTIONS).settings.database.url.get_secret_value()
        return files_in_force(found, url)[0] is found
    return True


def _first_steps(settings: Settings) -> Iterator[str]:
    """How the provider that one has, or a gateway, gets to push here."""
    server = settings.server
    if not server.public_url:
        here = f"http://{server.host}:{server.port}"
        yield f"Who pushes needs a public https address that leads to {here}: put it into public_url under [server]."
    public = server.public_url.rstrip("/")
    address = shell_word(public or "URL")
    yield "Anthropic: an admin key goes into admin_key under [anthropic]."
    yield f"  Then `spendtop anthropic connect {address}` has it push each request."
    yield 'OpenRouter: a management key goes into an [[account]] with provider = "openrouter".'
    yield f"  Then `spendtop openrouter connect {address}` does the same."
    if public:
        yield f"In Helicone, add the webhook {public}/webhook, or run `spendtop helicone connect {address}`."
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
    files = replace(find_files(None, options.env_file, Path.cwd(), os.environ), document=None)
    old = read_old_names(files.env_file, files.folder, os.environ)
    if not old.names:
        raise UsageError("There is no .env of an older system here. Name one with --env-file PATH.")
    load_files(files, sections=SECTIONS)
    for name in old.names:
        say(f"  {name.name} from {name.place}: {name.effect}")
    return old.layer.values


def _overrides(options: Options) -> list[tuple[str, str, object]]:
    """What the command line says about the configuration. A file elsewhere names the store by its whole path."""
    url = options.database_url
    if url is not None and _place(options) == config_file():
        with suppress(ValueError):  # the file's own check says what is wrong with it
            url = database_url(url, Surroundings(folder=Path.cwd()))
    overrides = [("server", "host", options.host), ("server", "port", options.port), ("database", "url", url)]
    return [each for each in overrides if each[2] is not None]


def _write(path: Path, text: str) -> None:
    try:
        if path == config_file():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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
