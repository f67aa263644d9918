"""The file that a collector's output goes to when a viewer started it: bounded while it runs, and no line is lost.

Collectors of several stores write to one file. Who finds it too long puts it aside; the others follow.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from spendtop.collector.supervisor import pause

LIMIT = 5 * 1024 * 1024
"""Bytes from which on the file is put aside; one older file is kept."""
_LOOK_SECONDS = 1.0
_OUTPUTS = (1, 2)


def earlier(path: Path) -> Path:
    """Where the lines before those in the file are."""
    return path.with_name(f"{path.name}.1")


def opened(path: Path) -> int:
    """A descriptor that appends to the file, which only this user may read; put aside first where it is too long.

    Raises OSError.
    """
    put_aside(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def put_aside(path: Path, limit: int = LIMIT) -> None:
    """Give a file that is too long another name, and make an empty one in its place. Who writes to it goes on there.

    Raises OSError.
    """
    try:
        old = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(old, fcntl.LOCK_EX)  # two that look at once are to put it aside once
        if os.fstat(old).st_size <= limit or not _leads_to(old, path):
            return
        new = path.with_name(f"{path.name}.new")
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        earlier(path).unlink(missing_ok=True)
        earlier(path).hardlink_to(path)  # so that the name never leads nowhere
        new.replace(path)
    finally:
        os.close(old)


class LogFile:
    """Keeps the output of this process in the file of this name, as far as it goes there when this is made."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._outputs = [output for output in _OUTPUTS if _leads_to(output, path)]

    async def run(self, stop: asyncio.Event) -> None:
        """Look every second until the stop event."""
        while not stop.is_set():
            with suppress(OSError):  # on a full disk it does not grow either
                self.look()
            await pause(stop, _LOOK_SECONDS)

    def look(self) -> None:
        """Put a file that is too long aside, and write to the one that has its name now. Raises OSError."""
        put_aside(self._path, self._limit)
        strayed = [output for output in self._outputs if not _leads_to(output, self._path)]
        if strayed:
            new = opened(self._path)
            for output in strayed:
                os.dup2(new, output)
            os.close(new)


def _leads_to(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
