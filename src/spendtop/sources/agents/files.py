"""Finding and opening the files of agents, in folders that hold whatever users and programs put there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import TypeVar

from msgspec import DecodeError
from msgspec.json import Decoder

from spendtop.sources.agents.bookmark import Bookmark, FileStamp, Tally, stamp_of
from spendtop.sources.repaired_json import decoded

LONGEST_DOCUMENT = 64 << 20
_DEEPEST = 40
_Shape = TypeVar("_Shape")


def listed(environment: Mapping[str, str], name: str, *otherwise: Path) -> list[Path]:
    """The folders that a variable lists, separated by commas; the others where it is not set."""
    folders = [each.strip() for each in environment.get(name, "").split(",")]
    return [Path(each).expanduser() for each in folders if each] or list(otherwise)


def found(folder: Path, tally: Tally) -> Iterator[Path]:
    """All ordinary files below a folder. Folders that links lead to are entered once."""
    return _below(folder, tally, set(), _DEEPEST)


def _below(folder: Path, tally: Tally, entered: set[tuple[int, int]], depth: int) -> Iterator[Path]:
    try:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in entered or not depth:
            tally["folders that lead back to themselves"] += 1
            return
        entered.add((status.st_dev, status.st_ino))
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    except OSError:
        tally["folders without permission"] += 1
        return
    for entry in entries:
        try:
            if entry.is_dir():
                yield from _below(Path(entry.path), tally, entered, depth - 1)
            elif entry.is_file():
                yield Path(entry.path)
        except OSError:
            tally["files without permission"] += 1


def opened(path: Path) -> FileIO:
    """A file for reading. Raises OSError, also for what is no ordinary file; a pipe is not waited for."""
    file = FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("no ordinary file")
    return file


def stamp_at(path: Path) -> FileStamp:
    """Of a database with what is written beside it first, as the file itself stands still meanwhile. Raises OSError."""
    stamp = stamp_of(os.stat(path))
    if path.suffix != ".db":
        return stamp
    try:
        beside = os.stat(f"{path}-wal")
    except FileNotFoundError:
        return stamp
    return FileStamp(stamp.size + beside.st_size, max(stamp.modified, beside.st_mtime_ns), stamp.inode)


def document(path: Path, decoder: Decoder[_Shape], bookmark: Bookmark, tally: Tally) -> _Shape | None:
    """A file that its agent rewrites whole; None while it is being written, to be read later. Raises OSError."""
    with opened(path) as file:
        stamp = stamp_of(os.fstat(file.fileno()))
        bookmark.resume(file, stamp)
        if stamp.size > LONGEST_DOCUMENT:
            tally["files too long"] += 1
            bookmark.settle(stamp)
            return None
        file.seek(0)
        raw = file.read(LONGEST_DOCUMENT)
    try:
        whole = decoded(decoder, raw)
    except (DecodeError, RecursionError):
        tally["documents that are no JSON"] += 1
        return None
    bookmark.settle(stamp)
    return whole
