"""Finds, joins and checks the configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spendtop.config.document import read_document, require_private
from spendtop.config.layers import NAMED_LISTS, Layer, command_line_layer, environment_layer, merge
from spendtop.config.legacy_env import OldName, read_old_names
from spendtop.config.paths import find_file, places
from spendtop.config.problems import advice, broken_rules, config_error, problems_of
from spendtop.config.settings import Settings, settings_class
from spendtop.config.toml import dotted
from spendtop.config.types import Section, Surroundings


@dataclass(frozen=True)
class Loaded:
    """A checked configuration and how it came about."""

    settings: Settings
    path: Path | None
    """The configuration file; None where there is none."""
    places: tuple[Path, ...] = ()
    """Where it was looked for, so that a file that appears later can be noticed."""
    warnings: tuple[str, ...] = ()
    """Sentences about what works but deserves attention."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where each value that is not a default comes from: `server.port` to `spendtop.toml:14`. Items of lists of tables
    go by their names: `limit.daily.usd`."""
    old_names: tuple[OldName, ...] = ()
    """The older systems' variables that were found."""
    environment: str | None = None
    """What the older systems' ENVIRONMENT or ENV calls this installation."""


def load(
    path: Path | None = None,
    *,
    sections: Mapping[str, type[Section]],
    env_file: Path | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Loaded:
    """The configuration: defaults < old names < file < `SPENDTOP_<SECTION>__<KEY>` < `overrides` (the command line's
    values by section and key).

    `path` and `env_file` are the files that were asked for; `folder` is the working directory. Raises ConfigError with
    every error, one a line, and NoPermission for files that are closed to us or open to others.
    """
    environ = os.environ if environ is None else environ
    folder = (folder or Path()).resolve()
    model = settings_class(sections)
    old = read_old_names(folder / env_file.expanduser() if env_file else None, folder, environ)
    file = find_file(path, folder, environ)
    document = read_document(file, folder) if file else Layer()
    variables = {**old.variables, **environ}
    layers = (old.layer, document, environment_layer(variables, model), command_line_layer(overrides or {}))
    merged = reduce(merge, layers)
    settings = _validated(merged, model, Surroundings(variables, file.parent if file else folder))
    if file:
        require_private(file, document, model)
    return Loaded(
        settings=settings,
        path=file,
        places=places(path, folder, environ),
        warnings=(*old.warnings, *advice(settings)),
        origins=_origins(merged),
        old_names=old.names,
        environment=variables.get("ENVIRONMENT") or variables.get("ENV"),
    )


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
