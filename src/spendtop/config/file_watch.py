"""Tells when files or folders have changed on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path

SETTLE_MS = 100
"""A burst of changes counts as one once nothing happened for so long."""

LOOK_AGAIN_MS = 1_000
"""How often the files are looked at without a notice, for file systems that send none."""

Snapshot = dict[Path, tuple[int, int, int]]
"""Inode, size and nanosecond of the last change of each file that exists."""


def changes(paths: Iterable[Path], stop: asyncio.Event) -> AsyncIterator[None]:
    """Yields each time one of the files, or a file directly in one of the folders, has changed since the call.

    Folders are watched, not files, because editors replace files; also the folders that links point into. A path that
    does not exist yet counts from when it appears. Ends when `stop` is set.
    """
    watched = tuple(paths)
    return _changes(watched, snapshot(watched), stop)


async def _changes(watched: tuple[Path, ...], seen: Snapshot, stop: asyncio.Event) -> AsyncIterator[None]:
    from watchfiles import awatch  # a viewer only takes snapshots

    while not stop.is_set():
        folders = _folders(watched)
        async for _ in awatch(
            *folders,
            watch_filter=None,
            recursive=False,
            step=SETTLE_MS,
            rust_timeout=LOOK_AGAIN_MS,
            yield_on_timeout=True,
            stop_event=stop,
        ):
            now = snapshot(watched)
            if now != seen:
                seen = now
                yield
            if _folders(watched) != folders:
                break


def snapshot(paths: Iterable[Path]) -> Snapshot:
    """How the files, and the files directly in the folders, are now."""
    present: Snapshot = {}
    for path in paths:
        for file in _files(path):
            with suppress(OSError):
                status = file.stat()
                present[file] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return present


def _files(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError:
        return [path]


def _folders(paths: Iterable[Path]) -> set[Path]:
    """The folders in which something has to happen before one of the paths can change."""
    folders: set[Path] = set()
    for path in paths:
        for step in _steps(path.absolute()):
            folder = step if step.is_dir() else step.parent
            while not folder.is_dir():
                folder = folder.parent
            folders.add(folder)
    return folders


def _steps(path: Path) -> set[Path]:
    """The path, every link that it leads through, and where it ends."""
    steps: set[Path] = set()
    while path not in steps:
        steps.add(path)
        if path.is_symlink():
            path = path.parent / path.readlink()
    return steps | {path.resolve()}
