"""Errors that a user meets: one sentence that says what is wrong and what to do next."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from enum import IntEnum

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""What the operating system calls a full disk."""


class ExitCode(IntEnum):
    """Exit codes of every command; numbers follow sysexits.h."""

    OK = 0
    USAGE = 2
    APPROACHING = 10
    EXCEEDED = 11
    STORE_CORRUPT = 65
    PORT_BUSY = 69
    INTERNAL = 70
    CANNOT_CREATE = 73
    CANNOT_WRITE = 74
    ALREADY_RUNNING = 75
    NO_PERMISSION = 77
    CONFIG = 78


class SpendtopError(Exception):
    """An expected failure. Its text is shown to the user as it is and never holds a secret."""

    exit_code = ExitCode.INTERNAL


class UsageError(SpendtopError):
    """A command was called in a way that cannot work."""

    exit_code = ExitCode.USAGE


class ConfigError(SpendtopError):
    """The configuration is wrong, or the store is newer than the program."""

    exit_code = ExitCode.CONFIG


class StoreCorrupt(SpendtopError):
    """The store's file is damaged or is not a store."""

    exit_code = ExitCode.STORE_CORRUPT


class PortBusy(SpendtopError):
    """The listener's address is taken."""

    exit_code = ExitCode.PORT_BUSY


class CannotCreate(SpendtopError):
    """A file or folder cannot be made."""

    exit_code = ExitCode.CANNOT_CREATE


class CannotWrite(SpendtopError):
    """Writing failed, for example because the disk is full."""

    exit_code = ExitCode.CANNOT_WRITE


class StoreFull(CannotWrite):
    """There is no room for what is to be stored."""


class AlreadyRunning(SpendtopError):
    """Another collector holds the store."""

    exit_code = ExitCode.ALREADY_RUNNING


class NoPermission(SpendtopError):
    """The operating system or the database refuses access."""

    exit_code = ExitCode.NO_PERMISSION


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one was probably meant to be, whatever its case; None where none is near."""
    from difflib import get_close_matches  # slow to load, and rarely needed

    spelled = {each.lower(): each for each in known}
    # Of a short word half is a letter or two, which any other word has as well.
    near = get_close_matches(name.lower(), list(spelled), n=1, cutoff=0.5 if len(name) > 5 else 0.6)
    return spelled[near[0]] if near else None
