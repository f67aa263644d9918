"""Tells when files or folders have changed on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path

SETTLE_MS = 100
"""A burst of changes counts as one once nothing happened for so long."""

LOOK_AGAIN_MS = 1_000
"""How often the files are looked at without a notice."""

Snapshot = dict[Path, tuple[int, int, int]]
"""Inode, size and nanosecond of the last change of each file that exists."""


def changes(paths: Iterable[Path], stop: asyncio.Event) -> AsyncIterator[None]:
    """Yields each time one of the files, or a file directly in one of the folders, has changed since the call.

    What exists is watched, and not the folder of a file, as each page that is written to a store beside it would be
    told. Editors replace files, so all are watched anew after each change. What does not exist yet or must not be
    read, and a link that leads elsewhere, is found by looking again. Ends when `stop` is set.
    """
    watched = tuple(paths)
    return _changes(watched, snapshot(watched), stop)


async def _changes(watched: tuple[Path, ...], seen: Snapshot, stop: asyncio.Event) -> AsyncIterator[None]:
    from watchfiles import awatch  # a viewer only takes snapshots

    while not stop.is_set():
        with suppress(FileNotFoundError):  # one is gone before it is watched
            async for _ in awatch(
                *(path for path in watched if path.exists()),
                watch_filter=None,
                recursive=False,
                ignore_permission_denied=True,
                step=SETTLE_MS,
                rust_timeout=LOOK_AGAIN_MS,
                yield_on_timeout=True,
                stop_event=stop,
            ):
                now = snapshot(watched)
                if now != seen:
                    seen = now
                    yield
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
