"""A backup: a whole store in one SQLite file, whichever database it comes from."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from spendtop.domain.errors import CannotWrite, NoPermission, StoreCorrupt, UsageError
from spendtop.store.engine import Store
from spendtop.store.files import OUR_TABLE, reading
from spendtop.store.schema import refuse_newer, upgrade, version
from spendtop.store.table_copy import Progress, copy_tables
from spendtop.store.verification import Verified, verify

_PAGES_AT_ONCE = 1_024
_SHARE_OF_COPY = 0.5


def back_up(store: Origin, part: Path, progress: Progress) -> Verified:
    """Write all that is committed in the store at one instant into an empty file, while others record; then look
    whether the copy is whole.

    Raises StoreCorrupt for a damaged store, and CannotWrite where there is no room.
    """
    if store.path is not None:
        _copy_pages(store.path, part, lambda share: progress(share * _SHARE_OF_COPY))
    else:
        with _named(store.name):
            _copy_rows(store, part, lambda share: progress(share * _SHARE_OF_COPY))
    with closing(BackupFile(part)) as copy:
        verified = verify(copy, lambda share: progress(_SHARE_OF_COPY + share * (1 - _SHARE_OF_COPY)))
    if verified.damage:
        raise StoreCorrupt(f"{store.name} is damaged, and no copy of it was kept. {verified.damage[0]}")
    return verified


def _copy_rows(store: Origin, part: Path, progress: Progress) -> None:
    try:
        with closing(Store(sqlite_url(part))) as target:
            upgrade(target)
            with store.snapshot() as source, target.writing() as connection:
                copy_tables(source, connection, progress)
    except DBAPIError as failure:
        if isinstance(failure.orig, sqlite3.Error):  # ours; the server's are for whoever opened it
            raise failure.orig from None
        raise
    _make_one_file(part)


def _copy_pages(source: Path, target: Path, progress: Progress) -> None:
    """Copy a SQLite database as it is at one instant into an empty file, which needs no other file beside it."""
    with _named(str(source)), closing(_read_only(source)) as pages, closing(sqlite3.connect(target)) as copy:
        # What is read here first is what is copied, however long that takes and whatever is written meanwhile.
        pages.execute("BEGIN")
        pages.execute("SELECT count(*) FROM sqlite_master").fetchone()
        copy.execute("PRAGMA synchronous=OFF")

        def tell(_status: int, remaining: int, whole: int) -> None:
            progress(1 - remaining / max(whole, 1))

        pages.backup(copy, pages=_PAGES_AT_ONCE, progress=tell)
    _make_one_file(target)


class BackupFile:
    """A store's file that is read where it is, and never written."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError where there is no such file, StoreCorrupt for one that is no store, ConfigError for one of
        a newer spendtop."""
        if not path.is_file():
            raise UsageError(f"There is no file {path}.")
        self.path = path
        self.name = str(path)
        self._engine = create_engine("sqlite://", creator=lambda: _read_only(path), hide_parameters=True)
        event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        with self.reading() as connection:
            tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
            if OUR_TABLE not in tables:
                raise StoreCorrupt(f"{path} is no store of spendtop, and is left alone.")
            self.schema = version(connection) or ""
        refuse_newer(self.schema, self.name)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view of the file. Raises StoreCorrupt where it turns out to be damaged."""
        try:
            with self._engine.connect() as connection, connection.begin():
                yield connection
        except OperationalError as failure:
            raise NoPermission(f"{self.path} cannot be read: {failure.orig}.") from None
        except DBAPIError as failure:
            raise StoreCorrupt(f"{self.path} is no SQLite database, or it is damaged: {failure.orig}.") from None

    def snapshot(self) -> AbstractContextManager[Connection]:
        """As `reading`: nobody writes it meanwhile."""
        return self.reading()

    def close(self) -> None:
        self._engine.dispose()


Origin = Store | BackupFile
"""What can be copied as a whole."""


def sqlite_url(path: Path) -> URL:
    """The address of a store in a file, whatever signs its name has."""
    return URL.create("sqlite", database=str(path))


def _read_only(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = reading(path, sqlite3.connect(uri, uri=True, check_same_thread=False))
    connection.isolation_level = None
    return connection


def _make_one_file(path: Path) -> None:
    """Without a write-ahead log beside it, so that it can be read from a place that cannot be written."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE").fetchone()


@contextmanager
def _named(source: str) -> Iterator[None]:
    """Raise what SQLite says while a file is copied as StoreCorrupt or CannotWrite."""
    try:
        yield
    except sqlite3.OperationalError as failure:
        raise CannotWrite(f"The copy of {source} cannot be written: {failure}. Make room, and try again.") from None
    except sqlite3.DatabaseError as failure:
        raise StoreCorrupt(f"The store {source} is damaged: {failure}. `spendtop check` says what to do.") from None
