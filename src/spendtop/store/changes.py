"""Noticing that the store changed, from any process: viewers poll, and on PostgreSQL collectors tell."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import URL

from spendtop.store.engine import Store

LOOK_SECONDS = 2.0
"""On PostgreSQL a change is assumed this often, for commits that nobody told of."""
NOTIFY_SECONDS = 0.1
"""At most one NOTIFY in this time."""

_CHANNEL = "spendtop"
_CONNECT_SECONDS = 5
_log = logging.getLogger(__name__)


class _Source(Protocol):
    def poll(self) -> bool: ...

    def close(self) -> None: ...


class Changes:
    """Whether the store changed since the last look, on a connection of its own. For one thread at a time."""

    def __init__(self, store: Store) -> None:
        self._source: _Source = _PostgresChanges(store.url) if store.path is None else _SqliteChanges(store.path)

    def poll(self) -> bool:
        """Whether somebody committed since the last call, or since the start. Cheap enough for 20 calls a second.

        On PostgreSQL it also says so at first and every LOOK_SECONDS, even while the server is away.
        """
        return self._source.poll()

    def close(self) -> None:
        """Close the connection."""
        self._source.close()


class _SqliteChanges:
    def __init__(self, path: Path) -> None:
        uri = path.expanduser().absolute().as_uri() + "?mode=rw"
        self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        self._version = self._read()

    def poll(self) -> bool:
        before, self._version = self._version, self._read()
        return self._version != before

    def close(self) -> None:
        self._connection.close()

    def _read(self) -> int:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)


class _PostgresChanges:
    def __init__(self, url: URL) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self._look_at = 0.0

    def poll(self) -> bool:
        due = time.monotonic() >= self._look_at
        if due:
            self._look_at = time.monotonic() + LOOK_SECONDS
        try:
            if self._connection is None and due:
                self._listen()
            told = self._connection is not None and bool(list(self._connection.notifies(timeout=0)))
        except psycopg.OperationalError:
            self.close()
            return due
        return told or due

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _listen(self) -> None:
        self._connection = _connect(self._url)
        self._connection.execute(f"LISTEN {_CHANNEL}")


class Notifier:
    """Tells viewers of a PostgreSQL store about commits, from a thread and connection of its own: a NOTIFY inside the
    writer's transactions would make all collectors' commits wait for each other. Does nothing on SQLite."""

    def __init__(self, store: Store) -> None:
        self._url = store.url
        self._news = threading.Event()
        self._closing = threading.Event()
        self._connection: psycopg.Connection[Any] | None = None
        self._thread = None if store.is_sqlite else threading.Thread(target=self._work, name="notifier", daemon=True)
        if self._thread is not None:
            self._thread.start()

    def committed(self) -> None:
        """Something was committed. Returns at once; viewers hear of it within NOTIFY_SECONDS."""
        self._news.set()

    def close(self) -> None:
        """Tell what is still untold, then end the thread."""
        self._closing.set()
        if self._thread is not None:
            self._news.set()
            self._thread.join()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._news.wait()
            self._news.clear()
            self._tell()
            self._closing.wait(NOTIFY_SECONDS)
        if self._connection is not None:
            self._connection.close()

    def _tell(self) -> None:
        try:
            if self._connection is None:
                self._connection = _connect(self._url)
            self._connection.execute(f"NOTIFY {_CHANNEL}")
        except psycopg.OperationalError as failure:
            # Viewers look by themselves every LOOK_SECONDS; the next commit connects again.
            _log.warning("viewers were not told of a commit: %s", type(failure).__name__)
            self._connection = None


def _connect(url: URL) -> psycopg.Connection[Any]:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True, connect_timeout=_CONNECT_SECONDS)
