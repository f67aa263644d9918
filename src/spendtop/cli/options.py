"""The command line as one value, and what commands open with it."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from spendtop.cli.interruption import interruptible
from spendtop.domain.errors import ConfigError, SpendtopError, UsageError
from spendtop.domain.untrusted import TEXT_LIMIT, clean_line

if TYPE_CHECKING:
    from spendtop.config.config_files import ConfigFiles
    from spendtop.config.load import Loaded
    from spendtop.config.settings import Settings
    from spendtop.services.stores.known_stores import KnownStores
    from spendtop.store.engine import Store


class Options(NamedTuple):
    """What the user asked for. None is not given."""

    command: str = ""
    """One of COMMANDS; empty for the screens or the headless collector."""
    config: Path | None = None
    no_config: bool = False
    """Whether no file is to count: neither one that lies somewhere, nor the one that configured the store before."""
    env_file: Path | None = None
    database_url: str | None = None
    new_store: bool = False
    """Whether the store may be another one than before, or none."""
    host: str | None = None
    port: int | None = None
    tunnel: str | None = None
    """What opens a public address that leads to the collector."""
    no_agents: bool = False
    """Whether files of coding agents are left alone."""
    log_format: str = "text"
    debug: bool = False
    slow: bool = False
    ascii: bool = False
    no_ui: bool = False
    read_only: bool = False
    folder: Path | None = None
    """Where a demo's collector finds what its viewer prepared."""
    started_by: str = "service"
    ready_fd: int | None = None
    """A pipe to the parent that gets the ready line."""
    leash_fd: int | None = None
    """A pipe from the parent; its end ends the collector."""
    log_file: Path | None = None
    arguments: Namespace = Namespace()
    """The command's own arguments."""

    def __repr__(self) -> str:
        """Without what may hold a password."""
        return f"Options(command={self.command!r})"


class NothingRecorded(UsageError):
    """No collector ever ran on a store."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Nothing is recorded yet in {name}. Start `spendtop`, or `spendtop demo` to look around.")


def load_settings(options: Options) -> Loaded:
    """The configuration with the command line above it: by the files that were chosen, else by those that configured
    the store before, which is said on stderr. Raises ConfigError and NoPermission, and what opening the store raises.
    """
    from spendtop.config.problems import in_one

    loaded = read_settings(options)
    if loaded.problems:
        raise in_one(loaded.problems)
    return loaded


def load_readable(options: Options) -> Loaded:
    """The same for what needs no more than the store: of a broken configuration what can be read, with a line on stderr
    that says so. Raises ConfigError only where nothing tells which store it is about.
    """
    loaded = read_settings(options)
    if loaded.problems:
        first, *others = (clean_line(str(problem), TEXT_LIMIT) for problem in loaded.problems)
        if loaded.hides_store:
            raise ConfigError(f"{first}\nNothing else tells which store that is: name it with --database-url.")
        more = f" (and {len(others)} more)" if others else ""
        sys.stderr.write(f"spendtop: {first}{more}; going by the rest and by the store. `spendtop check` tells all.\n")
    return loaded


def read_settings(options: Options) -> Loaded:
    """The same with all its problems, and none of them raised."""
    from msgspec.structs import replace

    from spendtop.cli.remembered_files import files_in_force

    found = _found(options)
    loaded = _read(options, found)
    if loaded.hides_store:
        return _with_its_store(loaded)
    try:
        files, notice = files_in_force(found, loaded.settings.database.url.get_secret_value())
    except SpendtopError as failure:
        return replace(loaded, problems=(*loaded.problems, failure))
    if notice is not None:
        sys.stderr.write(f"spendtop: {clean_line(notice, TEXT_LIMIT)}\n")
    return loaded if files is found else _with_its_store(_read(options, files))


def _with_its_store(loaded: Loaded) -> Loaded:
    """Where the broken part may name the store: with the one that remembers these files, if one that is known does."""
    from msgspec.structs import replace
    from pydantic import SecretStr

    from spendtop.cli.remembered_files import store_configured_by

    if not loaded.hides_store:
        return loaded
    settings = loaded.settings
    usual = settings.database.url.get_secret_value()
    url = store_configured_by(loaded.files, [usual, *known_stores().urls])
    if url is None:
        return loaded
    database = settings.database.model_copy(update={"url": SecretStr(url)})
    return replace(loaded, settings=settings.model_copy(update={"database": database}), hides_store=False)


def settled(options: Options, loaded: Loaded) -> Options:
    """The same options, with the files by name that they led to: so that others, or a later look, go by them too."""
    files = loaded.files
    chosen = files.document if files.document is not None else options.config
    return options._replace(config=chosen, env_file=files.env_file)


def load_again(options: Options, loaded: Loaded) -> Loaded:
    """The same as the files are now, with all problems and without a word. Raises ConfigError where a file is gone."""
    same = settled(options, loaded)
    return _read(same, _found(same))


def _found(options: Options) -> ConfigFiles:
    from spendtop.config.config_files import ConfigFiles, find_files

    if not options.no_config:
        return find_files(options.config, options.env_file, Path.cwd(), os.environ)
    if options.config is not None or options.env_file is not None:
        raise UsageError("--no-config excludes --config and --env-file.")
    return ConfigFiles(here=Path.cwd(), folder=Path.cwd(), is_chosen=True)


def _read(options: Options, files: ConfigFiles) -> Loaded:
    from spendtop.config.load import read_files
    from spendtop.sources.settings import SECTIONS

    overrides: dict[str, dict[str, object]] = {
        "server": {"host": options.host, "port": options.port},
        "database": {"url": options.database_url},
    }
    return read_files(files, sections=SECTIONS, overrides=overrides)


def open_store(settings: Settings) -> Store:
    """The store that a collector keeps, for reading.

    Raises UsageError when none ran yet or the store is older than the program or being upgraded, ConfigError when it is
    newer, and StoreCorrupt, NoPermission or CannotWrite when it cannot be used.
    """
    from spendtop.store.engine import Store, named
    from spendtop.store.files import locate, prepare
    from spendtop.store.schema import head, pending, refuse_newer, version

    url, _ = locate(settings.database.url.get_secret_value())
    with ExitStack() as refused:
        store = Store(url)
        refused.callback(store.close)
        if store.path is not None:
            known_stores().refuse_a_loss(store)
            if not store.path.exists():
                raise NothingRecorded(store.name)
            if store.path.is_dir() or store.path.stat().st_size == 0:
                prepare(store.path)
        asking = nullcontext() if store.is_sqlite else interruptible("Asking the store", "Nothing was changed.")
        with asking, named(store), store.reading() as connection:
            schema = version(connection)
            unfilled = None if schema is None else pending(connection)
        if schema is None:
            raise NothingRecorded(store.name)
        refuse_newer(schema, store.name)
        if unfilled is not None:
            raise UsageError(
                f"The store {store.name} is being upgraded: {int(unfilled.share * 100)} % is done. Wait for its end; if"
                " no collector runs, start `spendtop`: it goes on."
            )
        if schema != head():
            raise UsageError(
                f"The store {store.name} is of an older spendtop. Start `spendtop` once; it upgrades the store."
            )
        refused.pop_all()
    return store


def known_stores() -> KnownStores:
    """The stores that this user has collected into."""
    from spendtop.config.paths import state_folder
    from spendtop.services.stores.known_stores import KnownStores

    return KnownStores(state_folder() / "known-stores.json")


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """The store for the length of a block. What `open_store` raises; a database that fails within it is named too."""
    from spendtop.store.engine import named

    store = open_store(settings)
    try:
        with named(store):
            yield store
    finally:
        store.close()


@contextmanager
def made_store(settings: Settings) -> Iterator[Store]:
    """Like `opened_store`, but a store that does not exist yet is made."""
    from spendtop.store.engine import Store, named
    from spendtop.store.files import locate, prepare, prepare_folder
    from spendtop.store.schema import upgrade, version

    url, _ = locate(settings.database.url.get_secret_value())
    store = Store(url)
    try:
        if store.path is not None and not store.path.exists():
            known_stores().refuse_a_loss(store)
            prepare_folder(store.path)
            prepare(store.path)
        with named(store):
            with store.reading() as connection:
                is_new = version(connection) is None
            if is_new:
                upgrade(store)
    finally:
        store.close()
    with opened_store(settings) as opened:
        yield opened
