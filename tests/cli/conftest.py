"""Commands as a user calls them: words in, exit code and both streams out. The store is the user's own, in a home that
the test made."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from socket import gethostname
from typing import NamedTuple, Protocol

import pytest

from spendtop.__main__ import main
from spendtop.config.paths import data_folder
from spendtop.store.engine import Store
from spendtop.store.reads.configuration import configured_by
from spendtop.store.reads.configuration.configured_by import ConfiguredBy
from tests.store.conftest import Recorded


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class Cli(Protocol):
    """Runs one command in this process."""

    def __call__(self, *words: str) -> Said: ...


@pytest.fixture(autouse=True)
def _same_umask_afterwards() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Calls `main` with these words."""

    def call(*words: str) -> Said:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


@pytest.fixture
def home_store(empty_file: Path) -> Iterator[Store]:
    """The store that commands find without any configuration, empty."""
    data_folder().mkdir(parents=True)
    shutil.copy(empty_file, data_folder() / "spendtop.db")
    store = Store(f"sqlite:///{data_folder() / 'spendtop.db'}")
    yield store
    store.close()


@pytest.fixture
def spent(home_store: Store) -> Recorded:
    """Puts requests into that store."""
    return Recorded(home_store)


def minutes_ago(count: int) -> int:
    """UTC µs; commands read the real clock."""
    return time.time_ns() // 1000 - count * 60_000_000


def write_config(text: str, name: str = "spendtop.toml") -> Path:
    """A configuration in the working directory, closed to others."""
    path = Path(name)
    path.touch(mode=0o600)
    path.write_text(text)
    return path.absolute()


def remember(store: Store, document: Path | None, env_file: Path | None = None) -> None:
    """The store was configured by these files on this host."""
    names = [str(path) if path is not None else None for path in (document, env_file)]
    value = ConfiguredBy(document=names[0], env_file=names[1], digest="", at=0)
    with store.writing() as connection:
        configured_by.keep(connection, gethostname(), value)
