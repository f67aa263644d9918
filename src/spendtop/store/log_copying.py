"""SQLite's write-ahead log, copied into the database beside the writer, so that no commit has to."""

from __future__ import annotations

import logging
import sqlite3
import threading

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from spendtop.store.engine import Store

_ENOUGH = 4_000
"""Rows written from which on it is worth while: about 10 MB of log."""
_TOO_MANY = 2 * _ENOUGH
"""Rows from which on the rest is copied also while somebody waits."""
_MOST_PAGES = 6_000
"""Of the log; a commit that finds more copies them after all, so that it has an end whatever happens here."""
_PASSES = 2
"""How often all is copied before what came meanwhile is little."""
_log = logging.getLogger(__name__)


class LogCopying:
    """SQLite begins its log anew when all of it is copied and before anything else is written. So most is copied while
    the writer goes on, and the rest between two of its transactions. Does nothing on PostgreSQL."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = self._copied = 0
        """As the writer's connection counts them: written, and written when all was copied last."""
        self._wanted = threading.Event()
        self._is_under_way = self._leaves_rest = self._stopping = False
        self._thread = threading.Thread(target=self._work, name="log copying", daemon=True)

    def start(self) -> None:
        if self._store.is_sqlite:
            self._thread.start()

    def stop(self) -> None:
        """The store may be closed then."""
        self._stopping = True
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def wrote(self, connection: Connection) -> None:
        """Called by the writer in each transaction, when all is written."""
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            return
        before, self._rows = self._rows, driver.total_changes
        if before == 0 or self._rows < before:  # a connection that is new to us
            driver.execute(f"PRAGMA wal_autocheckpoint={_MOST_PAGES}")
            self._copied = 0

    def between(self, somebody_waits: bool) -> None:
        """Called by the writer after each transaction."""
        uncopied = self._rows - self._copied
        if self._leaves_rest and (not somebody_waits or uncopied >= _TOO_MANY):
            self._copy()
            self._copied = self._rows
            self._is_under_way = self._leaves_rest = False
        elif uncopied >= _ENOUGH and not self._is_under_way:
            self._is_under_way = True
            self._wanted.set()

    def copy_most(self) -> None:
        """Copy what is there, beside the writer."""
        for _ in range(_PASSES):
            self._copy()
        self._leaves_rest = True

    def _work(self) -> None:
        while self._wanted.wait() and not self._stopping:
            self._wanted.clear()
            self.copy_most()

    def _copy(self) -> None:
        """What cannot be copied stays in the log."""
        try:
            self._store.copy_log()
        except (DBAPIError, sqlite3.Error) as failure:
            _log.debug("the write-ahead log was not copied: %s", failure)
