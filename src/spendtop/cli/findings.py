"""What `spendtop check` looks at; each part gives findings with what to do."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from sqlalchemy import Connection

from spendtop.alerts.channels import check_url
from spendtop.api.server import bind
from spendtop.cli.completeness import of_pollers
from spendtop.cli.finding import Finding, State
from spendtop.collector.from_settings import digest, pricer_of
from spendtop.collector.process.store_lock import places
from spendtop.config.channel_urls import schema_of
from spendtop.config.load import Loaded
from spendtop.config.paths import data_folder
from spendtop.config.settings import Settings
from spendtop.domain.catalogue import PublishedPrices
from spendtop.domain.errors import ExitCode, SpendtopError, UsageError
from spendtop.domain.sources import KeyRule, PushedSource, pushed_sources
from spendtop.domain.untrusted import clean_line
from spendtop.services.presence import Holder, holder
from spendtop.sources.receivers import Signing
from spendtop.sources.registry import READERS
from spendtop.store.engine import Store
from spendtop.store.failures import named
from spendtop.store.files import locate, prepare
from spendtop.store.reads.applied_config import applied
from spendtop.store.reads.attention import attention
from spendtop.store.schema import HEAD, refuse_newer, version

_MEBIBYTE = 1024 * 1024
_SCARCE, _TOO_LITTLE = 1024 * _MEBIBYTE, 100 * _MEBIBYTE


def failed(subject: str, failure: SpendtopError) -> Finding:
    """An error as a finding: its first sentence says what is wrong, the rest what to do."""
    text, *rest = re.split(r"\.\s", str(failure), maxsplit=1)
    return Finding(subject, State.ERROR, text, "; ".join("".join(rest).splitlines()), failure.exit_code)


def of_configuration(loaded: Loaded) -> Iterator[Finding]:
    """The file, what deserves attention in it, and the pricing hook."""
    place = f"{loaded.path}" if loaded.path else "no file; defaults, with what is said elsewhere"
    yield Finding("configuration", State.OK, place)
    for warning in loaded.warnings:
        text, _, fix = warning.partition("; ")
        yield Finding("configuration", State.WARNING, clean_line(text), clean_line(fix))
    if loaded.settings.pricing.hook:
        try:
            pricer_of(loaded.settings, PublishedPrices())
            yield Finding("pricing hook", State.OK, clean_line(loaded.settings.pricing.hook))
        except SpendtopError as failure:
            yield failed("pricing hook", failure)


def of_keys(settings: Settings) -> Iterator[Finding]:
    """The secrets that open our routes. That one is short is a warning of the configuration."""
    for source in pushed_sources(KeyRule.SIGNED):
        yield _signing(source, READERS.signed[source.name].signing(settings))
    ingest = ", ".join(map(clean_line, settings.server.ingest_keys))
    yield Finding("ingest keys", State.OK if ingest else State.NOTE, ingest or "none: /ingest answers 403")
    admin = "set" if settings.server.api_key else "none: the admin routes answer this machine only"
    yield Finding("admin key", State.OK if settings.server.api_key else State.NOTE, admin)


def _signing(source: PushedSource, signing: Signing) -> Finding:
    subject = source.label.lower()
    if signing.allow_unsigned:
        return Finding(subject, State.WARNING, "takes posts that nobody signed", f"remove {source.unsigned_setting}")
    if signing.secrets:
        return Finding(subject, State.OK, _counted(len(signing.secrets), "signing secret"))
    off = f"off: {source.path} answers 403 without a signing secret"
    return Finding(subject, State.WARNING, off, f"set {source.setting}")


def of_channels(settings: Settings) -> Iterator[Finding]:
    """Whether each channel's URL can work."""
    for channel in settings.channels:
        url = channel.url.get_secret_value()
        subject = f"channel {clean_line(channel.name)}"
        problem = check_url(url)
        if problem is None:
            yield Finding(subject, State.OK, f"{schema_of(url)}, from {channel.min_severity}")
        else:
            fix = "correct its url under [[channel]]"
            yield Finding(subject, State.ERROR, f"the URL {problem}", fix, ExitCode.CONFIG)


def of_store_and_port(settings: Settings) -> Iterator[Finding]:
    """The store with what waits in it, the collector that holds it, and the port."""
    try:
        url, elsewhere = locate(settings.database.url.get_secret_value())
    except SpendtopError as failure:
        yield failed("store", failure)
        yield from _listener(settings, None)
        return
    if elsewhere:
        text, _, fix = elsewhere.partition("; ")
        yield Finding("store", State.NOTE, text, fix)
    with closing(Store(url)) as store:
        held = holder(places(store, data_folder()).holder)
        try:
            yield from _store(store, settings, held)
        except SpendtopError as failure:
            yield failed("store", failure)
        yield from _listener(settings, held)


def _store(store: Store, settings: Settings, held: Holder | None) -> Iterator[Finding]:
    if store.path is not None:
        yield from _disk(store.path)
        if not store.path.exists():
            yield _not_made_yet(store.path)
            return
        prepare(store.path)
    with ExitStack() as stack:
        stack.enter_context(named(store))
        with store.writing() as connection:
            found = version(connection)
        refuse_newer(found, store.name)
        if found != HEAD:
            yield Finding("store", State.NOTE, f"{store.name}: made or upgraded at the next start of `spendtop`")
            return
        yield Finding("store", State.OK, f"{store.name}, schema {found}, can be written")
        connection = stack.enter_context(store.reading())
        yield from _waiting(connection)
        yield from of_pollers(connection, settings)
        if held is not None:
            yield from _applied(connection, settings)


def _not_made_yet(path: Path) -> Finding:
    folder = next(parent for parent in path.parents if parent.exists())
    if os.access(folder, os.W_OK):
        return Finding("store", State.OK, f"{path} will be made by the first start")
    fix = "give yourself write access, or name another store with --database-url"
    return Finding("store", State.ERROR, f"{folder} cannot be written", fix, ExitCode.NO_PERMISSION)


def _disk(path: Path) -> Iterator[Finding]:
    folder = next(parent for parent in path.parents if parent.exists())
    free = shutil.disk_usage(folder).free
    text = f"{free // _MEBIBYTE:,} MiB free at {folder}"
    if free < _TOO_LITTLE:
        yield Finding("disk", State.ERROR, text, "make room: without it nothing can be recorded", ExitCode.CANNOT_WRITE)
    elif free < _SCARCE:
        yield Finding("disk", State.WARNING, text, "make room, or shorten [retention]")
    else:
        yield Finding("disk", State.OK, text)


def _waiting(connection: Connection) -> Iterator[Finding]:
    found = attention(connection)
    if found.unrecognized:
        fix = "`spendtop quarantine list`; after an upgrade `spendtop quarantine retry`"
        yield Finding("quarantine", State.WARNING, f"{_counted(found.unrecognized, 'event')} not understood", fix)
    if found.tests:
        yield Finding("quarantine", State.NOTE, f"{_counted(found.tests, 'test event')}, never counted")
    if found.dead_deliveries:
        fix = "`spendtop delivery list`, then `spendtop delivery retry`"
        yield Finding(
            "deliveries", State.WARNING, f"{_counted(found.dead_deliveries, 'message')} could not be sent", fix
        )


def _applied(connection: Connection, settings: Settings) -> Iterator[Finding]:
    found = applied(connection)
    if found is not None and found.config_digest != digest(settings):
        fix = "save the file to apply it, or restart the collector with these options"
        yield Finding("configuration", State.NOTE, "differs from what the collector applied last", fix)


def _listener(settings: Settings, held: Holder | None) -> Iterator[Finding]:
    server = settings.server
    if held is not None:
        yield Finding("collector", State.OK, f"process {held.pid} listens at {held.url}")
        return
    try:
        bind(server.host, server.port).close()
        yield Finding("port", State.OK, f"{server.host}:{server.port} is free; no collector runs")
    except UsageError as failure:
        text, _, fix = str(failure).partition(". ")
        yield Finding("port", State.ERROR, text, fix, ExitCode.CONFIG)
    except SpendtopError as failure:
        yield failed("port", failure)


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
