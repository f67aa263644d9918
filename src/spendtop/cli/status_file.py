"""Where the collector keeps its status, found without loading the configuration wherever that is possible."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from spendtop.cli.options import Options, load_settings
from spendtop.config.paths import data_folder, default_database_url, find_file

_SUFFIX = ".status.json"
_URL = "SPENDTOP_DATABASE__URL"
_OLD_NAMES = "SPENDTOP_OLD_NAMES"
_NAMES_A_STORE = re.compile("DATABASE|DB_FILENAME")
_PLAIN_SQLITE = re.compile(r"sqlite:///([^?]+)")


def status_file(options: Options) -> Path:
    """The file of the configured store; it need not exist. Raises ConfigError for a configuration that is wrong."""
    return _found_quickly(options, os.environ) or _found_in_settings(options)


def _found_quickly(options: Options, environ: Mapping[str, str]) -> Path | None:
    """The file, where the store is a SQLite file that is named in plain sight; else None."""
    folder = Path.cwd()
    if _old_names_may_tell(options.env_file or folder / ".env", environ):
        return None
    file = find_file(options.config, folder, environ)
    url = options.database_url or environ.get(_URL) or (_named_in(file) if file else "")
    plain = _PLAIN_SQLITE.fullmatch(default_database_url() if url == "" else url or "")
    if plain is None:
        return None
    database = ((file.parent if file else folder) / Path(plain[1]).expanduser()).resolve()
    beside = database.with_name(database.name + _SUFFIX)
    return beside if beside.exists() else None


def _old_names_may_tell(env_file: Path, environ: Mapping[str, str]) -> bool:
    """Whether a variable of the older systems, or a `.env` of theirs, might name the store."""
    try:
        text = env_file.read_text(errors="replace")
    except OSError:
        text = ""
    switched_on = environ.get(_OLD_NAMES) and any(_NAMES_A_STORE.search(name) for name in environ)
    return bool(switched_on or _NAMES_A_STORE.search(text))


def _named_in(file: Path) -> str | None:
    """The store's URL in the file, empty for the default; None where only the configuration itself can tell."""
    import tomllib

    try:
        url = tomllib.loads(file.read_text(encoding="utf-8-sig")).get("database", {}).get("url", "")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return url if isinstance(url, str) else None


def _found_in_settings(options: Options) -> Path:
    from spendtop.collector.process.store_lock import places
    from spendtop.store.engine import Store
    from spendtop.store.files import locate

    url, _ = locate(load_settings(options).settings.database.url.get_secret_value())
    return places(Store(url), data_folder()).status
