"""Tells when files or folders have changed on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path

LOOK_EVERY = 0.1
"""Seconds. Notices of the system would come for each page that is written to a store in the same folder."""

Snapshot = dict[Path, tuple[int, int, int]]
"""Inode, size and nanosecond of the last change of each file that exists."""


def changes(paths: Iterable[Path], stop: asyncio.Event) -> AsyncIterator[None]:
    """Yields each time one of the files, or a file directly in one of the folders, has changed since the call, and has
    stayed as it is from one look to the next.

    A path that does not exist yet counts from when it appears. Ends when `stop` is set.
    """
    watched = tuple(paths)
    return _changes(watched, snapshot(watched), stop)


async def _changes(watched: tuple[Path, ...], told: Snapshot, stop: asyncio.Event) -> AsyncIterator[None]:
    last = told
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await stop.wait()
        if stop.is_set():
            return
        now = snapshot(watched)
        if now == last != told:
            told = now
            yield
        last = now


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
