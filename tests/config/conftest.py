"""A configuration folder of its own for every test, shut off from the developer's machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from spendtop.config.load import Loaded, load
from spendtop.domain.errors import ConfigError
from spendtop.sources.settings import SECTIONS


class LoadText(Protocol):
    """Writes `spendtop.toml` (0600) and loads it."""

    def __call__(
        self,
        text: str,
        *,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Loaded: ...


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; the user's folders lie below it."""
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "xdg" / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TZ", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    return work


@pytest.fixture
def load_text(folder: Path) -> LoadText:
    def write_and_load(
        text: str,
        *,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Loaded:
        file = folder / "spendtop.toml"
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
        return load(sections=SECTIONS, environ=environ or {}, overrides=overrides, folder=folder)

    return write_and_load


@pytest.fixture
def refusal(load_text: LoadText) -> Callable[..., str]:
    """The text with which a configuration is refused."""

    def refused(text: str, environ: Mapping[str, str] | None = None) -> str:
        with pytest.raises(ConfigError) as caught:
            load_text(text, environ=environ)
        return str(caught.value)

    return refused
