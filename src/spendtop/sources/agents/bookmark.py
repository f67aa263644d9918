"""How far a file of an agent is read, and what was left out of it."""

from __future__ import annotations

import os
from collections import Counter
from hashlib import blake2b
from io import FileIO
from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct

Tally: TypeAlias = Counter[str]
"""How much was left out, by reason, in words for people: `malformed lines`."""

_HEAD = 1024


class FileStamp(NamedTuple):
    """By what a change of a file shows."""

    size: int
    modified: int
    """Nanoseconds, as the file system tells it."""
    inode: int


def stamp_of(status: os.stat_result) -> FileStamp:
    return FileStamp(status.st_size, status.st_mtime_ns, status.st_ino)


class Bookmark(Struct, kw_only=True):
    """Of one file. All of it can be kept as JSON, so that a later start goes on where this one ended."""

    size: int = -1
    modified: int = -1
    inode: int = -1
    head: str = ""
    """Digest of the first bytes."""
    head_length: int = 0
    offset: int = 0
    """End of the last line that was taken; of a compressed file, in what it unpacks to."""
    state: Any = None
    """What the reader has to know of the lines before."""

    def is_current(self, stamp: FileStamp) -> bool:
        """Whether nothing happened to the file since it was read to its end."""
        return (self.size, self.modified, self.inode) == stamp

    def resume(self, file: FileIO, stamp: FileStamp) -> None:
        """Go on in this file, from its beginning where it is not the one of before with more behind it."""
        is_same = self.inode == stamp.inode and self.offset <= stamp.size
        if not (is_same and _digest(file, self.head_length) == self.head):
            self.offset, self.state = 0, None
        self.inode = stamp.inode
        self.head_length = min(_HEAD, stamp.size)
        self.head = _digest(file, self.head_length)
        file.seek(self.offset)

    def settle(self, stamp: FileStamp) -> None:
        """Remember that the file was read, as it was when that began: what came since is looked at again."""
        self.size, self.modified, self.inode = stamp


def _digest(file: FileIO, length: int) -> str:
    file.seek(0)
    return blake2b(file.read(length), digest_size=12).hexdigest()
