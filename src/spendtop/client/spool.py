"""Events on disk until they are delivered: a folder of small segments that processes share.

Whoever writes or sends a segment holds its `flock`. The kernel lets go of it when that process dies, however it dies,
so a segment without a lock is anybody's to send.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

SEGMENT_BYTES = 1024 * 1024
SEGMENT_EVENTS = 256
"""A segment that reaches one of these is closed; it is posted as a whole."""


class Spool:
    """A bounded folder of events, the oldest first. All methods may be called in any thread."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Raises OSError for a folder that cannot be made or written."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._segment_bytes = min(SEGMENT_BYTES, most_bytes // 4)
        self._room = 0
        self._mine: set[Path] = set()
        self._current: _Segment | None = None
        self._turn = Lock()
        self.lost = 0
        """Events that were given up for want of room."""
        self._make_folder()
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"{folder} cannot be written")

    def append(self, event: bytes) -> None:
        """Keep an event, in place of the oldest where there is no more room. Raises OSError when it cannot be kept."""
        line = event + b"\n"
        with self._turn:
            if len(line) > self._room and not self._has_made_room(len(line)):
                self.lost += 1
                return
            segment = self._current or self._open()
            segment.write(line)
            self._room -= len(line)
            if segment.size >= self._segment_bytes or segment.events >= SEGMENT_EVENTS:
                self._seal()

    def seal(self) -> None:
        """Close the segment that is being written, so that it can be sent."""
        with self._turn:
            self._seal()

    def closed_segments(self) -> list[Path]:
        """Segments that may be sent, the oldest first."""
        with self._turn:
            current = self._current.path if self._current else None
            return [path for path in self._paths() if path != current]

    @contextmanager
    def claimed(self, path: Path) -> Iterator[list[bytes] | None]:
        """The events of a segment, for this process alone; the segment is removed at the end of the block.

        None where another process has it. An exception in the block leaves it to be sent again.
        """
        segment = _claim(path)
        if segment is None:
            yield None
            return
        try:
            yield segment.read()
            segment.remove()
        finally:
            segment.release()

    def has_unsent(self) -> bool:
        """Whether something that this process appended lies here still."""
        with self._turn:
            self._mine = {path for path in self._mine if path.exists()}
            return bool(self._mine)

    def after_fork(self) -> None:
        """In a forked child: leave the segment to the parent, which writes it on."""
        self._turn = Lock()
        self._mine = set()
        if self._current is not None:
            self._current.forget()
            self._current = None

    def _open(self) -> _Segment:
        self._make_folder()
        while True:
            path = self._folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}.jsonl"
            segment = _Segment(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            if segment.has_locked():
                break
            segment.forget()  # another process was quicker to claim it
        self._current = segment
        self._mine.add(path)
        return segment

    def _seal(self) -> None:
        if self._current is not None:
            self._current.release()
            self._current = None

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.jsonl"))

    def _has_made_room(self, size: int) -> bool:
        """Drops the oldest segments until `size` bytes fit; other processes' appends since are not seen."""
        total = sum(map(_size, self._paths()))
        if total + size > self._most_bytes:
            self._seal()
            for path in self._paths():
                total -= self._dropped(path)
                if total + size <= self._most_bytes:
                    break
        self._room = min(max(0, self._most_bytes - total), max(size, self._segment_bytes))
        return size <= self._room

    def _dropped(self, path: Path) -> int:
        """The bytes that are free now."""
        segment = _claim(path)
        if segment is None:
            return 0
        self.lost += len(segment.read())
        segment.remove()
        segment.release()
        return segment.size


class _Segment:
    """One open file of events, a line each."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self.events = 0

    def has_locked(self) -> bool:
        """Whether it is this process's now."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return os.fstat(self._descriptor).st_nlink > 0

    def write(self, line: bytes) -> None:
        left = memoryview(line)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
            raise
        self.size += len(line)
        self.events += 1

    def read(self) -> list[bytes]:
        """Its whole lines: the last may have been cut by the end of its process."""
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            return file.read().split(b"\n")[:-1]

    def remove(self) -> None:
        with suppress(FileNotFoundError):
            self.path.unlink()

    def release(self) -> None:
        """Also for children that were forked meanwhile and hold the file open."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)

    def forget(self) -> None:
        """Without a word to the parent, with which a forked child shares the lock."""
        os.close(self._descriptor)


def _claim(path: Path) -> _Segment | None:
    """The segment, locked; None where another process has it or has sent it, or it is none of ours."""
    try:
        segment = _Segment(path, os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW))
    except OSError:
        return None
    if segment.has_locked():
        return segment
    segment.forget()
    return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
