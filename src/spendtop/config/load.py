"""The configuration: its file found, read and kept from other users' eyes; then joined with the rest, and checked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from spendtop.config.channel_urls import holds_credentials
from spendtop.config.config_files import ConfigFiles, find_files
from spendtop.config.database import holds_password
from spendtop.config.document import Document, read_document
from spendtop.config.layers import NAMED_LISTS, Layer, command_line_layer, environment_layer, merge
from spendtop.config.legacy_env import OldName, OldNames, overlooked, read_old_names
from spendtop.config.problems import advice, config_errors, in_one
from spendtop.config.settings import Settings, settings_class
from spendtop.config.shape import secret_paths
from spendtop.config.toml import dotted
from spendtop.config.types import Section, Surroundings
from spendtop.config.validation import validated
from spendtop.domain.errors import NoPermission, SpendtopError
from spendtop.domain.shell_words import shell_word

_STORE = ("database", "url")


class Loaded(Struct, frozen=True):
    """A checked configuration and how it came about."""

    settings: Settings
    files: ConfigFiles
    warnings: tuple[str, ...] = ()
    """Sentences about what works but deserves attention."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where each value that is not a default comes from: `server.port` to `spendtop.toml:14`. Items of lists of tables
    go by their names: `limit.daily.usd`."""
    old_names: tuple[OldName, ...] = ()
    """The older systems' variables that were found."""
    environment: str | None = None
    """What the older systems' ENVIRONMENT or ENV calls this installation."""
    digest: str = ""
    """Of what its files held."""
    problems: tuple[SpendtopError, ...] = ()
    """What is wrong, a sentence each; the settings are then what could be read all the same."""
    hides_store: bool = False
    """Whether what could not be read may say which store it is about."""

    @property
    def path(self) -> Path | None:
        """The configuration file; None where there is none."""
        return self.files.document


def load(
    path: Path | None = None,
    *,
    sections: Mapping[str, type[Section]],
    env_file: Path | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Loaded:
    """The configuration that is found; `path` and `env_file` are the files that were asked for, `folder` is the
    working directory. The rest is as `load_files` has it."""
    environ = os.environ if environ is None else environ
    files = find_files(path, env_file, (folder or Path()).resolve(), environ)
    return load_files(files, sections=sections, overrides=overrides, environ=environ)


def load_files(
    files: ConfigFiles,
    *,
    sections: Mapping[str, type[Section]],
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """The configuration: defaults < old names < file < `SPENDTOP_<SECTION>__<KEY>` < `overrides` (the command line's
    values by section and key).

    Raises ConfigError with every error, one a line, and NoPermission for files that are closed to us or open to others.
    """
    loaded = read_files(files, sections=sections, overrides=overrides, environ=environ)
    if loaded.problems:
        raise in_one(loaded.problems)
    return loaded


def read_files(
    files: ConfigFiles,
    *,
    sections: Mapping[str, type[Section]],
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """The same, of a broken configuration as much as can be read, with its problems."""
    environ = os.environ if environ is None else environ
    model = settings_class(sections)
    problems: list[SpendtopError] = []
    try:
        old, hides_store = read_old_names(files.env_file, files.folder, environ), False
    except SpendtopError as failure:
        problems.append(failure)
        old, hides_store = OldNames(), True
    file = files.document
    document = read_document(file, files.here) if file else Document(Layer())
    problems += document.problems
    hides_store = document.hides_store or (hides_store and document.layer.value(_STORE) is None)
    variables = {**old.variables, **environ}
    above = merge(environment_layer(variables, model), command_line_layer(overrides or {}))
    merged = reduce(merge, (old.layer, document.layer, above))
    taken = validated(merged, model, Surroundings(variables, file.parent if file else files.folder))
    problems += config_errors(taken.problems, merged)
    if file:
        problems += _exposure(file, document.layer, model)
    return Loaded(
        settings=taken.settings,
        files=files,
        warnings=(*_overlooked(environ, old, model, merged), *old.warnings, *advice(taken.settings)),
        origins=_origins(merged),
        old_names=old.names,
        environment=variables.get("ENVIRONMENT") or variables.get("ENV"),
        digest="" if problems else _digest(files),
        problems=tuple(problems),
        hides_store=taken.hides_store or (hides_store and above.value(_STORE) is None),
    )


def _overlooked(environ: Mapping[str, str], old: OldNames, model: type[Section], merged: Layer) -> Iterator[str]:
    named = {text.strip().removeprefix("env:") for _, text in secret_paths(model, merged.values)}
    sentence = overlooked(environ, old.variables, named)
    if sentence is not None:
        yield sentence


def _digest(files: ConfigFiles) -> str:
    held = sha256()
    for path in (files.document, files.env_file):
        held.update(sha256(path.read_bytes() if path is not None else b"").digest())
    return held.hexdigest()[:16]


def _origins(merged: Layer) -> dict[str, str]:
    """The origins of all values, lists as a whole."""
    named: dict[str, str] = {}
    for path, origin in merged.origins.items():
        if isinstance(merged.value(path), dict) or (path[0] in NAMED_LISTS and len(path) == 1):
            continue
        if path[0] in NAMED_LISTS:
            path = (path[0], str(merged.value((*path[:2], "name"))), *path[2:])
        if not any(isinstance(key, int) for key in path):
            named[dotted(path)] = str(origin)
    return named


def _exposure(path: Path, layer: Layer, model: type[Section]) -> Iterator[NoPermission]:
    """How others can read a file that holds secrets, or can replace it."""
    if os.name != "posix" or _is_credential(path) or not _holds_secrets(layer, model):
        return
    folder_mode = path.parent.stat().st_mode
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        fix = f"chmod 600 {shell_word(path)}"
        yield NoPermission(f"{path} holds secrets and is open to other users of this machine; run: {fix}")
    elif folder_mode & stat.S_IWOTH and not folder_mode & stat.S_ISVTX:
        yield NoPermission(f"{path} holds secrets and anybody can replace it; run: chmod o-w {shell_word(path.parent)}")


def _is_credential(path: Path) -> bool:
    """Whether systemd hands the file to this service alone, by an access list that looks like a group's rights."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return folder is not None and path.is_relative_to(folder)


def _holds_secrets(layer: Layer, model: type[Section]) -> bool:
    for path, text in secret_paths(model, layer.values):
        if not text.strip() or text.strip().startswith(("env:", "file:")):
            continue
        match path[0]:
            case "database":
                is_secret = holds_password(text)
            case "channel" if path[-1] == "url":
                is_secret = holds_credentials(text)
            case _:
                is_secret = True
        if is_secret:
            return True
    return False
