"""`spendtop db restore` and `spendtop db move`: all of one store into another, while nobody records."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from pydantic import ValidationError

from spendtop.cli.effective_limits import now
from spendtop.cli.meter import metered
from spendtop.cli.options import Options, known_stores, load_settings, opened_store
from spendtop.cli.stores.backup import held
from spendtop.cli.tables import say
from spendtop.collector.process.store_lock import hold_alone, places
from spendtop.config.database import holds_password
from spendtop.config.paths import config_file, data_folder
from spendtop.config.settings import DatabaseSettings
from spendtop.config.types import Surroundings
from spendtop.config.violations import violation
from spendtop.domain.errors import CannotCreate, ExitCode, StoreCorrupt, UsageError
from spendtop.domain.shell_words import shell_word
from spendtop.store.backup import BackupFile, Origin
from spendtop.store.engine import Store, named
from spendtop.store.files import locate, prepare_folder
from spendtop.store.replacement import Replaced, is_empty, replace
from spendtop.store.schema import head

_REFERENCES = ("env:", "file:")


def run(options: Options) -> int:
    """Put a backup in the store's place."""
    url = load_settings(options).settings.database.url.get_secret_value()
    with closing(BackupFile(Path(options.arguments.file).expanduser())) as backup, closing(_target(url)) as store:
        if store.path is not None and store.path.exists() and store.path.samefile(backup.path):
            raise UsageError(f"{backup.path} is the store itself. Name a backup.")
        with _alone(store):
            done = _filled(store, backup, options)
            known_stores().forget(store)
    is_older = store.is_sqlite and backup.schema != head()
    words = "a whole file, of an older spendtop, that the start upgrades" if is_older else held(done.verified)
    say(f"Restored {backup.path} into {store.name}: {words}.")
    _tell(done)
    say("Start `spendtop`; it goes on from there.")
    return ExitCode.OK


def move(options: Options) -> int:
    """Copy the store to another place, on either database."""
    text = options.arguments.url
    url = _resolved(text)
    loaded = load_settings(options)
    with opened_store(loaded.settings) as origin, closing(Store(url)) as store:
        if origin.url == store.url:
            raise UsageError(f"{store.name} is where the store is already.")
        if locate(url)[0] != url:
            raise UsageError(f"{store.name} holds another program's tables, and is left alone. Name another file.")
        with _alone(origin), _alone(store):
            done = _filled(store, origin, options)
            known_stores().forget(store)
    say(f"Copied {origin.name} to {store.name}: {held(done.verified)}.")
    _tell(done)
    address = text if text.startswith(_REFERENCES) or store.path is None else f"sqlite:///{store.path}"
    say(
        f"The old store stays as it is. To use the new one, write into {loaded.path or config_file()}:\n"
        f"[database]\nurl = {json.dumps(address, ensure_ascii=False)}"
    )
    if not text.startswith(_REFERENCES):
        say(f"or try it first:  spendtop --database-url {shell_word(address)}")
    return ExitCode.OK


def _target(url: str) -> Store:
    """The store that is to be replaced, which may be damaged."""
    try:
        return Store(locate(url)[0])
    except StoreCorrupt:
        return Store(url)


def _resolved(text: str) -> str:
    """The address that the command line gives or names. Raises UsageError, which never shows it."""
    if not text.startswith(_REFERENCES) and holds_password(text):
        raise UsageError(
            "A password on the command line is seen by others. Put the whole address into a variable or a file, and"
            " name that: env:NAME or file:PATH."
        )
    try:
        if not text:
            raise UsageError("The address is empty. It is sqlite:///PATH or postgresql://USER@HOST/NAME.")
        made = DatabaseSettings.model_validate({"url": text}, context=Surroundings(os.environ, Path.cwd()))
    except ValidationError as failure:
        problem = failure.errors(include_input=False, include_url=False)[0]
        reason = violation(problem["type"], problem.get("ctx", {}), problem["msg"])
        raise UsageError(f"The address cannot be used: {reason}.") from None
    return made.url.get_secret_value()


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    files = places(store, data_folder())
    with ExitStack() as stack:
        prepare_folder(files.lock)
        stack.enter_context(named(store))
        stack.enter_context(hold_alone(store, files))
        yield


def _filled(store: Store, origin: Origin, options: Options) -> Replaced:
    if not options.arguments.force and not is_empty(store):
        raise CannotCreate(
            f"{store.name} holds something already. --force replaces it, and keeps what it holds under another name."
        )
    with metered("Copying") as tell:
        return replace(store, origin, now(), tell)


def _tell(done: Replaced) -> None:
    if done.kept is not None:
        say(f"What was there before is kept as {done.kept}; delete it once you are sure.")
    if done.verified.flaws:
        sys.stderr.write("\n".join(["Not all of it fits together, as before:", *done.verified.flaws]) + "\n")
