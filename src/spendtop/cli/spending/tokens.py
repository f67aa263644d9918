"""`spendtop token list`, `create`, `enable`, `disable` and `delete`."""

from __future__ import annotations

import time

from spendtop.cli.effective_limits import effective_limits
from spendtop.cli.options import Options, load_readable, made_store, opened_store
from spendtop.cli.tables import local_time, say, table
from spendtop.collector.process.store_lock import places
from spendtop.config.paths import data_folder
from spendtop.config.settings import Settings
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.untrusted import clean_line
from spendtop.services import tokens
from spendtop.services.exchange.export import ascii_json
from spendtop.services.snippets import NO_ADDRESS, snippets
from spendtop.services.stores.presence import RunningCollector, running_collector
from spendtop.services.tokens import Token
from spendtop.sources.settings import IngestSettings
from spendtop.store.engine import Store
from spendtop.store.reads.tokens.tokens import token_uses


def show(options: Options) -> int:
    settings = load_readable(options).settings
    with opened_store(settings) as store, store.reading() as connection:
        calendar = effective_limits(connection, settings).calendar
        tracked = token_uses(connection)
    if options.arguments.json:
        from spendtop.api.routes.tokens import TokenItem, TokensAnswer

        say(ascii_json(TokensAnswer(data=[TokenItem.of(use) for use in tracked]).model_dump()))
        return ExitCode.OK
    rows = [
        (
            use.token.id,
            clean_line(use.token.name),
            use.token.token,
            "on" if use.token.active else "off",
            "shadow" if use.token.shadow else "",
            use.requests,
            local_time(use.last_used_at, calendar),
        )
        for use in tracked
    ]
    headers = (">id", "name", "token", "state", "kind", ">requests", "last used")
    say(table(headers, rows) if rows else "There is no tracking token. `spendtop token create NAME` makes one.")
    return ExitCode.OK


def create(options: Options) -> int:
    arguments, settings = options.arguments, load_readable(options).settings
    with made_store(settings) as store, store.writing() as connection:
        made = tokens.create(
            connection,
            arguments.name,
            time.time_ns() // 1000,
            value=arguments.token,
            shadow=arguments.shadow,
            length=settings.section(IngestSettings).token_length,
        )
        held = running_collector(places(store, data_folder()).holder)
    say(f"Tracking token {clean_line(made.name)}: {made.token}")
    if made.shadow:
        say("Its requests are stored and shown, not counted: another source counts them already.")
    if not settings.server.ingest_keys:
        say("No ingest key is set yet: name one under ingest_keys in [server]; without it /ingest answers 403.")
    key_name = next(iter(settings.server.ingest_keys), "default")
    url = client_url(settings, held)
    if held is None:
        say(f"No collector runs on this machine now; the code below sends to {url}, where one would listen.")
    for title, text in snippets(made.token, url, key_name).items():
        say(f"\n--- {title} ---\n{text.rstrip()}")
    return ExitCode.OK


def enable(options: Options) -> int:
    return _switch(options, active=True)


def disable(options: Options) -> int:
    return _switch(options, active=False)


def delete(options: Options) -> int:
    with opened_store(load_readable(options).settings) as store:
        token = _token(store, options.arguments.token)
        with store.writing() as connection:
            tokens.remove(connection, token.id)
    say(f"{clean_line(token.name)} is deleted; what it pushed stays. Pushes under it are refused from now on.")
    return ExitCode.OK


def _switch(options: Options, *, active: bool) -> int:
    with opened_store(load_readable(options).settings) as store:
        token = _token(store, options.arguments.token)
        with store.writing() as connection:
            tokens.set_active(connection, token.id, active)
    now = "on" if active else "off; pushes under it are refused"
    say(f"{clean_line(token.name)} is switched {now}.")
    return ExitCode.OK


def _token(store: Store, reference: str) -> Token:
    with store.reading() as connection:
        token = tokens.find(connection, reference)
    if token is None:
        raise UsageError("There is no such tracking token. `spendtop token list` shows them.")
    return token


def client_url(settings: Settings, held: RunningCollector | None) -> str:
    """Where clients reach the collector that runs, else where one of this configuration would listen."""
    server = settings.server
    if server.public_url:
        return server.public_url
    if held is not None:
        return held.url
    if not server.port:
        return NO_ADDRESS
    return f"http://{'127.0.0.1' if server.is_local else server.host}:{server.port}"
