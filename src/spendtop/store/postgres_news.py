"""Telling of commits, and hearing of them, by NOTIFY and LISTEN on connections of their own."""

from __future__ import annotations

import logging
import time
from typing import Any

import psycopg
from sqlalchemy import URL

LOOK_SECONDS = 2.0
"""A change is assumed this often, for commits that nobody told of."""

_CHANNEL = "spendtop"
_CONNECT_SECONDS = 5
_log = logging.getLogger(__name__)


class Listening:
    """Hears of commits. For one thread at a time."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self._look_at = 0.0

    def poll(self) -> bool:
        """Whether somebody told of a commit since the last call, or it is time to look without that."""
        due = time.monotonic() >= self._look_at
        if due:
            self._look_at = time.monotonic() + LOOK_SECONDS
        try:
            if self._connection is None and due:
                self._listen()
            is_told = self._connection is not None and bool(list(self._connection.notifies(timeout=0)))
        except psycopg.OperationalError:
            self.close()
            return due
        return is_told or due

    def close(self) -> None:
        """Close the connection; the next look opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _listen(self) -> None:
        self._connection = _connect(self._url)
        self._connection.execute(f"LISTEN {_CHANNEL}")


class Telling:
    """Tells of commits. For one thread at a time."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None

    def tell(self) -> None:
        """Tell all who listen that something was committed."""
        try:
            if self._connection is None:
                self._connection = _connect(self._url)
            self._connection.execute(f"NOTIFY {_CHANNEL}")
        except psycopg.Error as failure:
            # Viewers look by themselves every LOOK_SECONDS; the next commit connects again.
            _log.warning("viewers were not told of a commit: %s", type(failure).__name__)
            self._connection = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _connect(url: URL) -> psycopg.Connection[Any]:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True, connect_timeout=_CONNECT_SECONDS)
