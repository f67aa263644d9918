"""The SQLite file that a store was opened with: whether its path still leads to it, and whether all of it is there."""

from __future__ import annotations

import os
import sqlite3
from bisect import bisect
from collections.abc import Callable
from os.path import samestat
from pathlib import Path
from threading import RLock
from typing import NamedTuple

from spendtop.store.files import reading, recovery

_LOG_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_LOG_HEADER = 32
_FRAME_HEADER = 24

Ask = Callable[[str], tuple[int, ...]]
"""What a pragma of SQLite answers on a connection to the file. Raises sqlite3.DatabaseError."""


class _LogState(NamedTuple):
    header: bytes
    size: int


class HeldFile:
    """Goes by names, sizes and the write-ahead log: a descriptor of the database itself that is opened and closed here
    would drop the locks that SQLite has on it.

    May be used in any thread. A look costs a few µs.
    """

    def __init__(self, path: Path, ask: Ask) -> None:
        self._path = path
        self._log_path, self._index_path = f"{path}-wal", f"{path}-shm"
        self._ask = ask
        self._lock = RLock()
        self._held: os.stat_result | None = None
        self._size = 0
        self._log: int | None = None
        self._index: os.stat_result | None = None
        self._log_state = _LogState(b"", 0)
        self._spoilt: str | None = None

    @property
    def folder(self) -> Path:
        return self._path.parent

    def connect(self) -> sqlite3.Connection:
        """A connection to the file; the first one makes it where it is missing, and says which one is held.

        Raises sqlite3.OperationalError when the path leads to another file by now, or to none.
        """
        with self._lock:
            mode = "rwc" if self._held is None else "rw"
            connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode={mode}",
                uri=True,
                timeout=5.0,
                check_same_thread=False,
                cached_statements=256,
            )
            found = self._found()
            if self._held is None:
                self._held = found
            if found is None or self._held is None or not samestat(found, self._held):
                connection.close()
                raise sqlite3.OperationalError("the store's file was replaced or is gone")
            return connection

    def connect_for_reading(self) -> sqlite3.Connection:
        """The same, or on a full disk where nobody else has it open an UnlockedConnection."""
        return reading(self._path, self.connect())

    def release(self) -> None:
        """All connections are closed: the next one may be to another file."""
        with self._lock:
            if self._log is not None:
                os.close(self._log)
            self._held, self._log, self._spoilt = None, None, None
            self._size, self._log_state = 0, _LogState(b"", 0)

    @property
    def loss(self) -> str | None:
        """What has become of the file and what to do, in sentences; None while it is as it was written."""
        with self._lock:
            if self._held is None:
                return None
            moved = self._moved(self._held)
            if moved is not None:
                return (
                    f"The store {moved}: nothing is recorded. Put the same file back as {self._path}, and recording"
                    " goes on; or `spendtop stop`, put a backup there, and start again."
                )
            if self._spoilt is None:
                self._spoilt = self._cut()
            if self._spoilt is not None:
                return (
                    f"The store {self._spoilt}: nothing is recorded. Stop the collector (`spendtop stop`)."
                    f"\n{recovery(self._path)}"
                )
            return None

    @property
    def log_pages(self) -> int:
        """How many pages the log has got since it began, also those that are in the database by now."""
        with self._lock:
            return 0 if self._log is None else _frames(self._log)

    def log_has(self, pages: int) -> bool:
        """Whether the log has got so many, at least one: for a few looks at it, where their number takes a dozen."""
        with self._lock:
            if self._log is None:
                return False
            header = os.pread(self._log, _LOG_HEADER, 0)
            return len(header) == _LOG_HEADER and _is_of(self._log, header, pages - 1)

    def _found(self) -> os.stat_result | None:
        """What the path leads to now."""
        try:
            return os.stat(self._path)
        except OSError:
            return None

    def _moved(self, held: os.stat_result) -> str | None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return "was deleted or moved away"
        except OSError as failure:
            return f"cannot be reached any more ({failure.strerror})"
        if not samestat(found, held):
            return "was replaced by another file"
        return self._log_moved()

    def _log_moved(self) -> str | None:
        """The log, and the index of it that all who have the store open share."""
        try:
            if self._log is None or self._index is None:
                self._index = os.stat(self._index_path)
                self._log = os.open(self._log_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            elif not samestat(os.stat(self._log_path), os.fstat(self._log)):
                return "has lost its write-ahead log, which was replaced by another file"
            elif not samestat(os.stat(self._index_path), self._index):
                return "has lost the index of its write-ahead log, which was replaced by another file"
        except FileNotFoundError as failure:
            # Before anything was asked of the first connection there is none.
            return None if self._log is None else f"has lost {failure.filename}, which was deleted or moved away"
        except OSError as failure:
            return f"has a write-ahead log that cannot be reached any more ({failure.strerror})"
        return None

    def _cut(self) -> str | None:
        try:
            size, before = os.stat(self._path).st_size, self._size
        except OSError:
            return None  # it went right after it was looked for: the next look says so
        self._size = size
        if size < before and self._is_short(size):
            return "was cut off"
        return None if self._log is None else self._log_cut(self._log)

    def _is_short(self, size: int) -> bool:
        """Whether pages are missing; a VACUUM makes the file shorter too."""
        if size == 0:
            return True
        try:
            (pages,), (page,) = self._ask("PRAGMA page_count"), self._ask("PRAGMA page_size")
        except sqlite3.DatabaseError:
            return True
        return pages * page > size

    def _log_cut(self, log: int) -> str | None:
        """SQLite begins its log anew with another header, or empties it when all of it is in the database; while the
        header stays, the log grows, without a hole."""
        header, size = os.pread(log, _LOG_HEADER, 0), os.fstat(log).st_size
        if os.pread(log, _LOG_HEADER, 0) != header:
            return None
        before, self._log_state = self._log_state, _LogState(header, size)
        if size == 0:
            is_cut = before.size > 0 and self._has_frames(log)
        elif header[:4] not in _LOG_MAGIC:
            is_cut = True
        else:
            is_cut = header == before.header and (size < before.size or _ends_in_a_hole(log, before))
        return "has a write-ahead log that was cut off" if is_cut else None

    def _has_frames(self, log: int) -> bool:
        """Whether SQLite believes that there is something in its log, although it is empty."""
        try:
            _, frames, _ = self._ask("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.DatabaseError:
            frames = 1
        return frames > 0 and os.fstat(log).st_size == 0


def _frames(log: int) -> int:
    """How many frames have the salts of the log's header: a log that begins anew has others, and is written from its
    front over what it held before."""
    header, size = os.pread(log, _LOG_HEADER, 0), os.fstat(log).st_size
    if size <= _LOG_HEADER:
        return 0
    frames = range((size - _LOG_HEADER) // _frame_size(header))
    return bisect(frames, False, key=lambda number: not _is_of(log, header, number))


def _is_of(log: int, header: bytes, number: int) -> bool:
    """Whether the frame of this number, from 0, was written since the log with this header began."""
    salts = header[16:24]
    return os.pread(log, len(salts), _LOG_HEADER + number * _frame_size(header) + 8) == salts


def _frame_size(header: bytes) -> int:
    return int.from_bytes(header[8:12], "big") + _FRAME_HEADER


def _ends_in_a_hole(log: int, state: _LogState) -> bool:
    """Whether the frame that was the last whole one has become zeros: no frame is of page 0."""
    frame = _frame_size(state.header)
    frames = (state.size - _LOG_HEADER) // frame
    return frames > 0 and os.pread(log, 4, _LOG_HEADER + (frames - 1) * frame) == bytes(4)
