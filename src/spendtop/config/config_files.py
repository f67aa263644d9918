"""Which files a configuration comes from: those that were asked for, that lie here, or the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from spendtop.config.legacy_env import recognized
from spendtop.config.paths import find_file, places


class ConfigFiles(Struct, frozen=True, kw_only=True):
    """The files that a configuration comes from; without any it is the defaults."""

    here: Path
    """The working directory: files in it are told by their names alone."""
    folder: Path
    """Where relative paths of a `.env` or of variables begin."""
    document: Path | None = None
    """The `spendtop.toml`."""
    env_file: Path | None = None
    """The `.env` of an older system that is taken."""
    places: tuple[Path, ...] = ()
    """Where they are looked for, so that a change of them, or one that appears later, can be noticed."""
    is_chosen: bool = False
    """Whether somebody asked for one of them, or one lies in the working directory."""


def find_files(path: Path | None, env_file: Path | None, folder: Path, environ: Mapping[str, str]) -> ConfigFiles:
    """What the lookup finds; `path` and `env_file` are the files that were asked for, which need not exist."""
    document = find_file(path, folder, environ)
    taken = folder / env_file.expanduser() if env_file is not None else recognized(folder)
    looked_at = places(path, folder, environ)
    return ConfigFiles(
        here=folder,
        folder=folder,
        document=document,
        env_file=taken,
        places=(*looked_at, *([taken] if taken else [])),
        is_chosen=taken is not None or document == looked_at[0],
    )
