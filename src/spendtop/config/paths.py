"""Where the program's files live. Functions only; none of them creates anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platformdirs import PlatformDirs

CONFIG_NAME = "spendtop.toml"


def config_file() -> Path:
    """The user's configuration file, `$XDG_CONFIG_HOME/spendtop/spendtop.toml`."""
    return _folders().user_config_path / CONFIG_NAME


def places(asked_for: Path | None, folder: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where the configuration file may be, best first: as asked for, `$SPENDTOP_CONFIG`, the folder's, the user's."""
    if asked_for is None and environ.get("SPENDTOP_CONFIG"):
        asked_for = Path(environ["SPENDTOP_CONFIG"])
    return (folder / asked_for.expanduser(),) if asked_for is not None else (folder / CONFIG_NAME, config_file())


def find_file(asked_for: Path | None, folder: Path, environ: Mapping[str, str]) -> Path | None:
    """The configuration file; None = defaults. One that was asked for need not exist."""
    candidates = places(asked_for, folder, environ)
    return candidates[0] if len(candidates) == 1 else next((place for place in candidates if place.is_file()), None)


def data_folder() -> Path:
    """Where the store lives, `$XDG_DATA_HOME/spendtop`."""
    return _folders().user_data_path


def state_folder() -> Path:
    """Where logs and what the screens remember live, `$XDG_STATE_HOME/spendtop`."""
    return _folders().user_state_path


def theme_folder() -> Path:
    """Where the user's own themes live, beside the configuration file."""
    return _folders().user_config_path / "themes"


def default_database_url() -> str:
    """The store in the data folder."""
    return f"sqlite:///{data_folder() / 'spendtop.db'}"


def _folders() -> PlatformDirs:
    from platformdirs import PlatformDirs

    return PlatformDirs("spendtop", appauthor=False)
