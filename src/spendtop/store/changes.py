"""Noticing that the store changed, from any process: viewers poll, and on PostgreSQL collectors tell."""

from __future__ import annotations

import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL

from spendtop.store.engine import Store

NOTIFY_SECONDS = 0.1
"""At most one NOTIFY in this time."""


class _Source(Protocol):
    def poll(self) -> bool: ...

    def close(self) -> None: ...


class Changes:
    """Whether the store changed since the last look, on a connection of its own. For one thread at a time."""

    def __init__(self, store: Store) -> None:
        self._source: _Source = _listening(store.url) if store.path is None else _SqliteChanges(store.path)

    def poll(self) -> bool:
        """Whether somebody committed since the last call, or since the start. Cheap enough for 20 calls a second.

        On PostgreSQL it also says so at first and every LOOK_SECONDS, even while the server is away; of a SQLite file
        that cannot be asked it says so each time.
        """
        return self._source.poll()

    def close(self) -> None:
        self._source.close()


class _SqliteChanges:
    def __init__(self, path: Path) -> None:
        uri = path.expanduser().absolute().as_uri() + "?mode=rw"
        self._connect = partial(sqlite3.connect, uri, uri=True, isolation_level=None, check_same_thread=False)
        self._connection: sqlite3.Connection | None = self._connect()
        self._version: int | None = self._asked(self._connection)

    def poll(self) -> bool:
        before, self._version = self._version, self._read()
        return self._version is None or self._version != before

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _read(self) -> int | None:
        """None where the file cannot be asked: whoever reads it next finds out why."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            return self._asked(self._connection)
        except sqlite3.Error:
            self.close()
            self._connection = None
            return None

    @staticmethod
    def _asked(connection: sqlite3.Connection) -> int:
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        return int(version)


class Notifier:
    """Tells viewers of a PostgreSQL store about commits, from a thread and connection of its own: a NOTIFY inside the
    writer's transactions would make all collectors' commits wait for each other. Does nothing on SQLite."""

    def __init__(self, store: Store) -> None:
        self._url = store.url
        self._news = threading.Event()
        self._closing = threading.Event()
        self._thread = None if store.is_sqlite else threading.Thread(target=self._work, name="notifier", daemon=True)
        if self._thread is not None:
            self._thread.start()

    def committed(self) -> None:
        """Something was committed. Returns at once; viewers hear of it within NOTIFY_SECONDS."""
        self._news.set()

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._news.set()
            self._thread.join()

    def _work(self) -> None:
        from spendtop.store.postgres_news import Telling

        telling = Telling(self._url)
        while not self._closing.is_set():
            self._news.wait()
            self._news.clear()
            telling.tell()
            self._closing.wait(NOTIFY_SECONDS)
        telling.close()


def _listening(url: URL) -> _Source:
    from spendtop.store.postgres_news import Listening  # psycopg is slow to import, and SQLite does without

    return Listening(url)
