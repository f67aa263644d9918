"""Who collects for a store: a lock beside it, what the holder says about itself, and the ready line to its parent."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from spendtop.domain.condition import Condition, ConditionStatus
from spendtop.domain.errors import NO_ROOM, AlreadyRunning, CannotCreate, CannotWrite, NoPermission
from spendtop.domain.untrusted import clean_line

_LOCK_SECONDS = 1.0
_LONGEST_NAME = 40
_BLOCK = 4096
"""What is published fills whole blocks with blanks, so that more fits in its place when no block is free."""


class CollectorState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


class RunningCollector(NamedTuple):
    """The collector that holds a store, as it says itself."""

    pid: int
    state: CollectorState
    url: str
    """Where it listens, for example `http://127.0.0.1:8000`."""
    started_by: str
    """service (`--no-ui`), viewer or demo."""
    since: int
    """Start, UTC µs."""
    process_started: int = 0
    """The kernel's start time of the process, which tells it from a later one with the same number."""
    version: str = ""
    upgraded: float | None = None
    """How much of the store's upgrade is done, from 0 to 1, while one goes on."""
    conditions: tuple[Condition, ...] = ()
    """What is amiss, the worst first."""


def file_beside(database: str, suffix: str, data_folder: Path) -> Path:
    """A file beside a SQLite store, or in the data folder for a PostgreSQL URL: `spendtop.db.lock` and so on."""
    if "://" in database:
        from hashlib import sha256

        return data_folder / f"postgresql-{sha256(database.encode()).hexdigest()[:12]}{suffix}"
    return Path(database + suffix)


def running_collector(path: Path) -> RunningCollector | None:
    """Who says in `path` that it collects, if that process still lives."""
    try:
        collector = _read(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return collector if 0 < process_start(collector.pid) == collector.process_started else None


def _read(said: dict[str, Any]) -> RunningCollector:
    """What a holder says, whichever version it is of. Raises KeyError, ValueError and TypeError."""
    known = {name: said[name] for name in RunningCollector._fields if name in said}
    conditions = tuple(
        Condition(
            name=str(each["name"]),
            status=ConditionStatus(each["status"]),
            sentence=str(each["sentence"]),
            since=int(each["since"]),
        )
        for each in known.pop("conditions", ())
    )
    return RunningCollector(
        **{**known, "pid": int(known["pid"]), "state": CollectorState(known["state"])}, conditions=conditions
    )


def announce(path: Path, me: RunningCollector) -> None:
    """Write what the holder says about itself. Raises what `publish` raises."""
    usual = {**RunningCollector._field_defaults, "conditions": []}
    said = {**me._asdict(), "conditions": [condition._asdict() for condition in me.conditions]}
    publish(path, json.dumps({name: value for name, value in said.items() if value != usual.get(name)}))


def publish(path: Path, text: str) -> None:
    """Replace a file that others look into, readable by this user only; on a full disk it is written in its place.

    Raises CannotWrite when there is not even room for that, and OSError.
    """
    padded = text.ljust(-(-len(text) // _BLOCK) * _BLOCK)
    try:
        write_atomically(path, padded)
    except OSError as failure:
        if failure.errno not in NO_ROOM:
            raise
        try:
            with path.open("r+") as file:
                file.write(padded)
                file.truncate()
        except OSError:
            raise CannotWrite(f"{path} cannot be written: {failure.strerror}. Make room on its disk.") from None


def write_atomically(path: Path, text: str) -> None:
    """Replace a file as a whole, mode 0600, so that a reader never sees half of it."""
    from tempfile import mkstemp

    handle, temporary = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def process_start(pid: int) -> int:
    """The kernel's start time of a process in clock ticks, or 0 when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[19]) if fields[0] != "Z" else 0
    except (OSError, IndexError, ValueError):
        return 0 if Path("/proc/self/stat").exists() else _alive(pid)


def _alive(pid: int) -> int:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return 0
    except PermissionError:
        return 1
    return 1


@contextlib.contextmanager
def hold_lock(lock: Path, announcement: Path) -> Iterator[None]:
    """Hold the store's lock until the block ends; the kernel frees it even on kill -9.

    Raises AlreadyRunning when another collector holds it for longer than a second, and NoPermission or CannotCreate
    when the lock file cannot be made.
    """
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except PermissionError:
        raise NoPermission(
            f"The folder {lock.parent} cannot be written. Give yourself write access, or name another store"
            " with --database-url."
        ) from None
    except OSError as failure:
        if failure.errno in NO_ROOM:
            raise CannotWrite(f"The lock {lock} cannot be made: {failure.strerror}. Make room on its disk.") from None
        kind = NoPermission if failure.errno == errno.EROFS else CannotCreate
        raise kind(f"The lock {lock} cannot be made: {failure.strerror}. Free it, or name another store.") from None
    try:
        _lock(handle, lock, announcement)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, lock: Path, announcement: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                who = running_collector(announcement)
                by = f" by process {who.pid} ({who.url})" if who else ""
                store = str(lock).removesuffix(".lock")
                raise AlreadyRunning(
                    f"The store {store} is in use{by}. Use `spendtop attach` to watch it, or `spendtop stop` to"
                    " stop it."
                ) from None
            time.sleep(0.05)


@contextlib.contextmanager
def counted_as_viewer(folder: Path, name: str) -> Iterator[None]:
    """Be counted as a viewer of the store until the block ends, where that can be written; `name` is for the others."""
    mine = folder / f"{os.getpid()}-{process_start(os.getpid())}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        for left in folder.iterdir():
            if left.name.replace("-", "").isdigit() and not _lives(left.name):
                left.unlink(missing_ok=True)
        mine.touch(mode=0o600)
        mine.write_text(name)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            mine.unlink(missing_ok=True)


def viewers(folder: Path, besides: int | None = None) -> tuple[str, ...]:
    """Names of those who watch, but for the process `besides`."""
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    others = (entry for entry in entries if _lives(entry.name) and entry.name.partition("-")[0] != str(besides))
    return tuple(map(_name_of, others))


def _name_of(viewer: Path) -> str:
    """Without a name on a full disk, or where it was written by an older version."""
    with contextlib.suppress(OSError):
        return clean_line(viewer.read_text(errors="replace"), _LONGEST_NAME) or "somebody"
    return "somebody"


def _lives(name: str) -> bool:
    pid, _, started = name.partition("-")
    return pid.isdigit() and started.isdigit() and 0 < process_start(int(pid)) == int(started)
