"""The configuration: its file found, read and kept from other users' eyes; then joined with the rest, and checked."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spendtop.config.channel_urls import holds_credentials
from spendtop.config.config_files import ConfigFiles, find_files
from spendtop.config.database import holds_password
from spendtop.config.layers import NAMED_LISTS, Layer, ValueOrigin, command_line_layer, environment_layer, merge
from spendtop.config.legacy_env import OldName, read_old_names
from spendtop.config.problems import advice, broken_rules, config_error, problems_of
from spendtop.config.settings import Settings, settings_class
from spendtop.config.shape import secret_paths
from spendtop.config.toml import dotted, key_lines
from spendtop.config.types import Section, Surroundings
from spendtop.domain.errors import ConfigError, NoPermission
from spendtop.domain.shell_words import shell_word

LARGEST_FILE = 1024 * 1024
"""Bytes; more is no configuration."""


@dataclass(frozen=True)
class Loaded:
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
    environ = os.environ if environ is None else environ
    model = settings_class(sections)
    old = read_old_names(files.env_file, files.folder, environ)
    file = files.document
    document = read_document(file, files.folder) if file else Layer()
    variables = {**old.variables, **environ}
    layers = (old.layer, document, environment_layer(variables, model), command_line_layer(overrides or {}))
    merged = reduce(merge, layers)
    settings = _validated(merged, model, Surroundings(variables, file.parent if file else files.folder))
    if file:
        require_private(file, document, model)
    return Loaded(
        settings=settings,
        files=files,
        warnings=(*old.warnings, *advice(settings)),
        origins=_origins(merged),
        old_names=old.names,
        environment=variables.get("ENVIRONMENT") or variables.get("ENV"),
        digest=_digest(files),
    )


def _digest(files: ConfigFiles) -> str:
    held = sha256()
    for path in (files.document, files.env_file):
        held.update(sha256(path.read_bytes() if path is not None else b"").digest())
    return held.hexdigest()[:16]


def _validated(merged: Layer, model: type[Settings], around: Surroundings) -> Settings:
    problems = list(broken_rules(merged.values))
    try:
        settings = model.model_validate(merged.values, context=around)
    except ValidationError as error:
        problems += problems_of(error, model, merged)
    if problems:
        raise config_error(problems, merged)
    return settings


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


def read_document(path: Path, folder: Path) -> Layer:
    """The file's values with their lines. Raises ConfigError and NoPermission."""
    place = str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
    text = _text(path, place)
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax_error(place, text, str(error))) from None
    except RecursionError:
        raise ConfigError(f"{place}: lists or tables are nested too deeply") from None
    return Layer(values, {key: ValueOrigin(place, line) for key, line in key_lines(text).items()})


def require_private(path: Path, layer: Layer, model: type[Section]) -> None:
    """Raises NoPermission when others can read a file that holds secrets, or can replace it."""
    if os.name != "posix" or _is_credential(path) or not _holds_secrets(layer, model):
        return
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise NoPermission(
            f"{path} holds secrets and is open to other users of this machine; run: chmod 600 {shell_word(path)}"
        )
    folder_mode = path.parent.stat().st_mode
    if folder_mode & stat.S_IWOTH and not folder_mode & stat.S_ISVTX:
        raise NoPermission(f"{path} holds secrets and anybody can replace it; run: chmod o-w {shell_word(path.parent)}")


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


def _text(path: Path, place: str) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(f"{place} is larger than {LARGEST_FILE // 1024} KiB; is it a configuration file?")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"there is no file {place}; make one with: spendtop init --config {shell_word(path)}"
        ) from None
    except PermissionError:
        raise NoPermission(f"cannot read {place}; let its owner run: chmod u+r {shell_word(path)}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{place}:{line}: is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"cannot read {place}: {error.strerror}") from None


def _syntax_error(place: str, text: str, message: str) -> str:
    """tomllib's finding as `file:line:column: ...`; keys given twice get their own words, others a hint."""
    match = re.search(r"\(at line (\d+), column (\d+)\)|\(at end of document\)", message)
    line, column = (match[1], match[2]) if match and match[1] else (str(text.count("\n") + 1), "1")
    what = re.sub(r"\s*\(at .*\)$", "", message)
    if "overwrite" in what or "Cannot declare" in what:
        what = "a key or section is given twice"
    else:
        what = f"not valid TOML ({what[:1].lower()}{what[1:]}); TOML takes one key = value per line, text in quotes"
    return f"{place}:{line}:{column}: {what}"
