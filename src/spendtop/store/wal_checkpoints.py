"""Checkpoints of SQLite's write-ahead log, made beside the writer, so that no commit has to make one."""

from __future__ import annotations

import logging
import sqlite3
import threading

from sqlalchemy.exc import DBAPIError

from spendtop.store.engine import Store

_ENOUGH = 1_250
"""Pages that came into the log from which on a checkpoint is worth while: about 10 MB."""
_TOO_MANY = 2 * _ENOUGH
"""Pages from which on it is ended also while somebody waits."""
_PASSES = 2
"""How often all is copied before what came meanwhile is little."""
_log = logging.getLogger(__name__)


class WalCheckpoints:
    """SQLite begins its log anew when all of it is in the database and before anything else is written. So most is
    copied while the writer goes on, and the rest between two of its transactions. Does nothing on PostgreSQL."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._done = 0
        """Pages of the log at the end of the last checkpoint."""
        self._wanted = threading.Event()
        self._is_under_way = self._leaves_rest = self._stopping = False
        self._thread = threading.Thread(target=self._work, name="WAL checkpoints", daemon=True)

    def start(self) -> None:
        if self._store.is_sqlite:
            self._thread.start()

    def stop(self, patience: float | None = None) -> None:
        """Wait at most `patience` seconds for a checkpoint that is under way; the store may be closed then."""
        self._stopping = True
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(patience)

    def between(self, somebody_waits: bool) -> None:
        """Called by the writer after each transaction."""
        if self._is_under_way and not self._leaves_rest:
            return
        try:
            self._take_step(somebody_waits)
        except OSError as failure:
            _log.debug("the write-ahead log cannot be looked at: %s", failure)

    def _take_step(self, somebody_waits: bool) -> None:
        if not self._store.wal_has(self._done):
            self._done = 0
        if self._leaves_rest:
            if not somebody_waits or self._store.wal_has(self._done + _TOO_MANY):
                pages = self._store.wal_pages
                self._checkpoint()
                self._done = pages
                self._is_under_way = self._leaves_rest = False
        elif self._store.wal_has(self._done + _ENOUGH):
            self._is_under_way = True
            self._wanted.set()

    def copy_most(self) -> None:
        """Copy what is there, beside the writer."""
        for _ in range(_PASSES):
            self._checkpoint()
        self._leaves_rest = True

    def _work(self) -> None:
        while self._wanted.wait() and not self._stopping:
            self._wanted.clear()
            self.copy_most()

    def _checkpoint(self) -> None:
        """What cannot be copied stays in the log."""
        try:
            self._store.wal_checkpoint()
        except (DBAPIError, sqlite3.Error) as failure:
            _log.debug("there was no checkpoint of the write-ahead log: %s", failure)
