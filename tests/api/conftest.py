"""A SQLite store and a steered recorder for the listener's tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from spendtop.store.engine import Store
from tests.api.listening import FakeRecorder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A SQLite store that nothing is asked of, so it has no tables."""
    opened = Store(f"sqlite:///{tmp_path / 'spendtop.db'}")
    yield opened
    opened.close()


@pytest.fixture
def readable_store(store: Store, empty_file: Path) -> Store:
    """An empty SQLite store with tables: what the listener does is the same on both databases."""
    assert store.path is not None
    shutil.copy(empty_file, store.path)
    return store


@pytest.fixture
def recorder() -> Iterator[FakeRecorder]:
    """Says yes to everything until it is told otherwise."""
    fake = FakeRecorder()
    yield fake
    fake.writer.shutdown()
