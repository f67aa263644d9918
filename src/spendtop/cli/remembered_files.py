"""The files that configured a store before: what a start goes by that finds none of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

from msgspec.structs import replace

from spendtop.config.config_files import ConfigFiles
from spendtop.config.legacy_env import recognized
from spendtop.domain.errors import ConfigError, SpendtopError, StoreCorrupt
from spendtop.domain.shell_words import shell_word
from spendtop.domain.untrusted import clean_line

if TYPE_CHECKING:
    from spendtop.store.reads.configuration.configured_by import ConfiguredBy


class ConfigGone(ConfigError):
    """The files that configured the store before cannot be read, and there are no others."""


def files_in_force(found: ConfigFiles, url: str) -> tuple[ConfigFiles, str | None]:
    """The files that count for the store at `url`, and a sentence where they are not those that were found.

    What somebody chose wins; else what configured the store before; else the user's own file. Raises ConfigGone, and
    what opening the store raises.
    """
    before = None if found.is_chosen else recalled(url)
    if before is None:
        return found, None
    remembered = _files(before, found)
    if (remembered.document, remembered.env_file) == (found.document, found.env_file):
        return found, None
    missing = next((path for path in (before.document, before.env_file) if path and not os.access(path, os.R_OK)), None)
    if missing is None:
        own = f" It comes before {found.document}." if found.document else ""
        return remembered, f"No configuration in this folder: taking {before.words}, which configured this store.{own}"
    gone = f"{clean_line(missing)}, which configured this store, is gone or cannot be read"
    if found.document is not None:
        return found, f"{gone}: taking {found.document}."
    raise ConfigGone(
        f"{gone}. Put it back, or name the file that counts from now on: spendtop --config FILE\n"
        f"To write a new one:  spendtop init --config {shell_word(before.document or 'spendtop.toml')}\n"
        "To start without any, this once:  spendtop --no-config"
    )


def store_configured_by(files: ConfigFiles, urls: Iterable[str]) -> str | None:
    """The first of these stores that remembers the files as those that configured it; None where none does."""
    for url in urls:
        with suppress(SpendtopError):
            before = recalled(url)
            if before is not None and before.document is not None and files.document == Path(before.document):
                return url
    return None


def recalled(url: str) -> ConfiguredBy | None:
    """What configured the store before on this host; None where nothing did, or where that cannot be read any more.

    Raises what opening the store raises, but for a damaged one, which may be about to be restored.
    """
    from spendtop.store.engine import Store, named
    from spendtop.store.files import locate
    from spendtop.store.reads.configuration.configured_by import configured_by
    from spendtop.store.schema import version

    try:
        store = Store(locate(url)[0])
    except StoreCorrupt:
        return None
    try:
        if store.path is not None and (not store.path.is_file() or store.path.stat().st_size == 0):
            return None
        with named(store), store.reading() as connection:
            return None if version(connection) is None else configured_by(connection, gethostname())
    except StoreCorrupt:
        return None
    finally:
        store.close()


def _files(before: ConfiguredBy, found: ConfigFiles) -> ConfigFiles:
    """The remembered files, and a `.env` that lies beside them now; what was relative lay beside them."""
    document = Path(before.document) if before.document else found.document
    env_file = Path(before.env_file) if before.env_file else None
    folder = next(path.parent for path in (env_file, document) if path is not None)
    env_file = env_file or recognized(folder)
    paths = tuple(path for path in (document, env_file) if path is not None)
    return replace(found, folder=folder, document=document, env_file=env_file, places=(*found.places, *paths))
