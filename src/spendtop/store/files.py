"""The SQLite file before it is opened: where it is, whether it is ours, whether it is whole."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import make_url

from spendtop.domain.errors import NO_ROOM, CannotCreate, NoPermission, SpendtopError, StoreCorrupt, StoreFull
from spendtop.domain.shell_words import shell_word

OUR_TABLE = "request_key"
_OTHERS = 0o077
_BESIDE = ("", "-wal", "-shm", ".lock", ".collector.json", ".status.json")
_CHECKED_UP_TO = 256 * 1024 * 1024
"""Bytes up to which a file is checked as a whole before it is opened."""


def locate(url: str) -> tuple[str, str | None]:
    """The store's URL, and a sentence when it is not the one that was asked for.

    A SQLite file with another program's tables is never written: the store is made beside it.
    """
    path = _path(url)
    if path is None:
        return url, None
    with _refusal_named(path), _corruption_named(path):
        if not path.is_file() or path.stat().st_size == 0:
            return url, None
        with closing(_connect(path)) as connection:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables or OUR_TABLE in tables:
        return url, None
    ours = path.with_name(f"{path.name}.spendtop.db")
    sentence = (
        f"{path} holds another program's tables and stays as it is; the store is {ours}. "
        f"To take over what it recorded:  spendtop import --from-old {shell_word(path)}"
    )
    return make_url(url).set(database=str(ours)).render_as_string(hide_password=False), sentence


def prepare_folder(path: Path) -> None:
    """Make sure that the store's folder exists. Raises NoPermission or CannotCreate."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        raise _refusal(failure, f"The folder {path.parent} cannot be made: {failure.strerror}. {_INSTEAD}") from None


def prepare(path: Path) -> None:
    """Make sure that the file exists for this user only, is a whole SQLite database, and can be written.

    Raises CannotCreate, NoPermission or StoreCorrupt, and never changes a file that has content.
    """
    with _refusal_named(path):
        if path.is_symlink():
            raise NoPermission(f"{path} is a symbolic link. Name the file that it points to with --database-url.")
        if path.is_dir():
            raise CannotCreate(f"{path} is a folder. Name a file in it with --database-url.")
        if not path.exists():
            _create(path)
        elif is_read_only(path):
            raise no_write_access(path)
        else:
            _check(path)


def is_read_only(path: Path) -> bool:
    """Whether this user may not write the file that is there, or make those that SQLite needs beside it."""
    return not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK)


def no_write_access(path: Path) -> NoPermission:
    return NoPermission(
        f"{path} or its folder is read-only. Give yourself write access (chmod u+w), or name another store with"
        " --database-url."
    )


class UnlockedConnection(sqlite3.Connection):
    """Reads a file that nobody is expected to change, without locks: to be closed after one use."""


def reading(path: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """This connection to the file, or another one where it cannot be read.

    On a full disk, and where nothing may be written, SQLite cannot make the file that those who use a store share. What
    is in no log is then read from the store as it is. Raises sqlite3.OperationalError.
    """
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError as failure:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        if not (has_no_room(failure) or is_read_only(path)) or (log.exists() and log.stat().st_size > 0):
            raise
        uri = f"{path.absolute().as_uri()}?immutable=1"
        return sqlite3.connect(uri, uri=True, check_same_thread=False, factory=UnlockedConnection)
    return connection


def has_no_room(failure: object) -> bool:
    """Whether SQLite refused something because the disk is full."""
    return getattr(failure, "sqlite_errorname", "") in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")


def tightened(path: Path, own_folder: Path) -> list[str]:
    """Take from others what they may do with the store and the files beside it, and with its folder where that is the
    program's own; a sentence for each that was open to them."""
    found = [path.with_name(path.name + suffix) for suffix in _BESIDE]
    found += [path.parent] if path.parent == own_folder else []
    return [sentence for each in found if (sentence := _tightened(each)) is not None]


def _tightened(path: Path) -> str | None:
    if not path.exists() or path.is_symlink():
        return None
    before = stat.S_IMODE(path.stat().st_mode)
    if not before & _OTHERS:
        return None
    try:
        path.chmod(before & ~_OTHERS)
    except OSError as failure:
        return f"{path} is open to others (mode {before:04o}), and that cannot be changed: {failure.strerror}."
    return f"{path} was open to others (mode {before:04o}); it is {before & ~_OTHERS:04o} from now on."


def recovery(path: Path) -> str:
    """What to do about a damaged store, as commands."""
    url, store, recovered = shell_word(f"sqlite:///{path}"), shell_word(path), shell_word(Path(f"{path}.recovered"))
    files = " ".join(shell_word(Path(f"{path}{suffix}")) for suffix in ("", "-wal", "-shm"))
    return (
        f"Put a backup in its place:  spendtop db restore BACKUP --force --database-url {url}\n"
        f"Or save what can be read:  sqlite3 {store} .recover | sqlite3 {recovered}\n"
        f"Or start anew and keep the files:  for f in {files}; do"
        ' if [ -e "$f" ]; then mv "$f" "$f.corrupt"; fi; done'
    )


_INSTEAD = "Name another store with --database-url."


def _path(url: str) -> Path | None:
    made = make_url(url)
    if made.get_backend_name() != "sqlite" or not made.database:
        return None
    return Path(made.database).expanduser()


def _connect(path: Path) -> sqlite3.Connection:
    return reading(path, sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True))


def _create(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as failure:
        raise _refusal(failure, f"The store {path} cannot be made: {failure.strerror}. {_INSTEAD}") from None


def _refusal(failure: OSError, sentence: str) -> SpendtopError:
    if failure.errno in NO_ROOM:
        return StoreFull(sentence)
    is_forbidden = failure.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    return NoPermission(sentence) if is_forbidden else CannotCreate(sentence)


def _check(path: Path) -> None:
    size = path.stat().st_size
    if size == 0:
        if path.with_name(path.name + ".status.json").exists():
            raise StoreCorrupt(f"The store {path} is empty, but it once held data.\n{recovery(path)}")
        return
    # Only SQLite may open the file: where somebody else in this process closes it, the kernel drops SQLite's locks.
    with _corruption_named(path), closing(_connect(path)) as connection:
        connection.execute("PRAGMA schema_version").fetchone()
        verdict = "ok"
        if size <= _CHECKED_UP_TO:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise StoreCorrupt(f"The store {path} is damaged: {verdict}.\n{recovery(path)}")


@contextmanager
def _refusal_named(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as failure:
        raise NoPermission(f"The store {path} cannot be reached: {failure.strerror}. {_INSTEAD}") from None


@contextmanager
def _corruption_named(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as failure:
        if isinstance(failure, sqlite3.OperationalError):
            raise NoPermission(f"The store {path} cannot be opened: {failure}. {_INSTEAD}") from None
        raise StoreCorrupt(f"The store {path} is damaged: {failure}.\n{recovery(path)}") from None
