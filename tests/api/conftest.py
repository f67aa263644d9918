"""A SQLite store and a steered recorder for the listener's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spendtop.store.engine import Store
from tests.api.listening import FakeRecorder


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """An empty SQLite store: what the listener does is the same on both databases."""
    return sqlite_store


@pytest.fixture
def readable_store(store: Store) -> Store:
    """The same, for tests in which something is asked of it."""
    return store


@pytest.fixture
def recorder() -> Iterator[FakeRecorder]:
    """Says yes to everything until it is told otherwise."""
    fake = FakeRecorder()
    yield fake
    fake.writer.shutdown()
