"""Opening a store, one SQLite file or the schema `spendtop` of a PostgreSQL, and what to do when it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from spendtop.domain.errors import CannotWrite, NoPermission, SpendtopError, StoreCorrupt, StoreFull
from spendtop.store.files import UnlockedConnection, has_no_room, is_read_only, no_write_access, recovery
from spendtop.store.held_file import HeldFile

SCHEMA = "spendtop"
_NEW_FILE_PRAGMAS = ("PRAGMA page_size=8192", "PRAGMA auto_vacuum=INCREMENTAL")
"""For a file that is there already they would be a write."""
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA wal_autocheckpoint=6000",
    "PRAGMA cache_size=-4000",
    "PRAGMA temp_store=MEMORY",
)
_WAITS_FOR_READERS, _BETWEEN_TRIES = 5.0, 0.25
"""Seconds for which the write-ahead log is tried to be emptied."""
_KEEPS_WRITERS_MS = 50
"""How long one try may keep writers out."""
_NOTICES_A_LOST_SERVER = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Seconds, and milliseconds for the last: a server that is gone without a word is not waited for half an hour."""
_DAMAGED = ("malformed", "not a database", "file is encrypted", "no such table", "no such column")
_NO_SUCH_THING = ("42P01", "42703", "3F000")
"""What PostgreSQL calls a table, a column or a schema that is missing."""
_REFUSED = ("password", "authentication", "permission denied", "readonly", "read-only", "does not exist")
_FULL = ("disk is full", "no space left", "disk full", "quota exceeded")
"""As PostgreSQL says it (SQLSTATE 53100), or the system under it."""
_LOCKED = ("is locked", "lock timeout")


class Store:
    """Connections to one store. Reads are short transactions; writes take the write lock from their first statement.

    Collectors write through `store.writer` alone; a viewer or a command writes its few rows through `writing`.
    """

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # The WAL's shared-memory file needs the directory, so the path is made absolute before any fork or chdir.
        self._file = HeldFile(self.path.expanduser().absolute(), self._ask) if self.path else None
        if self._file is not None:
            self._read_engine = _sqlite_engine(self._file.connect_for_reading, "BEGIN")
            self._write_engine = _sqlite_engine(self._file.connect, "BEGIN IMMEDIATE")
        else:
            self._read_engine = _postgres_engine(self.url, "10s")
            self._write_engine = _postgres_engine(self.url, "60s")

    @property
    def path(self) -> Path | None:
        """The SQLite file, or None on PostgreSQL."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    @property
    def name(self) -> str:
        """The store for people: a file's path or host and database, never a password."""
        return str(self.path) if self.path else self.url.set(query={}).render_as_string(hide_password=True)

    @property
    def write_engine(self) -> Engine:
        """The engine whose transactions take the write lock at once."""
        return self._write_engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view of the store; keep it under 250 ms, so that the write-ahead log can be reset."""
        with self._read_engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """What is committed at this instant, for as long as a copy of it takes. The write-ahead log grows meanwhile."""
        with self.reading() as connection:
            if not self.is_sqlite:
                connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction, committed at the end of the block.

        Raises CannotWrite when the file is not what the path leads to, also when that is noticed after the commit:
        whoever was told that something is stored would not find it there.
        """
        self._refuse_a_loss()
        with self._write_engine.begin() as connection:
            yield connection
        self._refuse_a_loss()

    @contextmanager
    def rebuilding(self) -> Iterator[Connection]:
        """As `writing`, for a new schema: SQLite sorts indexes in files beside its own, where there has to be room for
        them anyway. In memory one of 10 M requests takes 650 MB."""
        if self._file is None:
            with self.writing() as connection:
                yield connection
            return
        self._refuse_a_loss()
        with (
            self._write_engine.connect() as connection,
            _sorting_in(self._file.folder, connection),
            connection.begin(),
        ):
            yield connection
        self._refuse_a_loss()

    @property
    def loss(self) -> str | None:
        """What has become of the SQLite file that was opened, and what to do; None while it is as it was written."""
        return None if self._file is None else self._file.loss

    def _refuse_a_loss(self) -> None:
        loss = self.loss
        if loss is not None:
            raise CannotWrite(loss)

    def checkpoint(self) -> None:
        """Empty SQLite's write-ahead log, so that no file holds what was deleted. Waits up to 5 s for readers, without
        keeping writers out for longer than a twentieth of a second."""
        if self.is_sqlite:
            ends = time.monotonic() + _WAITS_FOR_READERS
            while not self._emptied() and time.monotonic() < ends:
                time.sleep(_BETWEEN_TRIES)

    @property
    def wal_pages(self) -> int:
        """How many pages SQLite's write-ahead log has got since it began; 0 on PostgreSQL."""
        return 0 if self._file is None else self._file.log_pages

    def wal_has(self, pages: int) -> bool:
        """Whether it has got so many."""
        return pages == 0 or (self._file is not None and self._file.log_has(pages))

    def wal_checkpoint(self) -> None:
        """Copy what SQLite's write-ahead log holds into the database, as far as readers allow. Waits for nobody."""
        if self.is_sqlite:
            self._ask("PRAGMA wal_checkpoint(PASSIVE)")

    def _emptied(self) -> bool:
        """Whether nothing is left of the log. To take it away keeps writers out for as long as a reader is at it, so
        that is tried for a moment only."""
        self.wal_checkpoint()
        is_busy, _, _ = self._ask(f"PRAGMA busy_timeout={_KEEPS_WRITERS_MS}", "PRAGMA wal_checkpoint(TRUNCATE)")
        return not is_busy

    def close(self) -> None:
        self._read_engine.dispose()
        self._write_engine.dispose()
        if self._file is not None:
            self._file.release()

    def _ask(self, *pragmas: str) -> tuple[int, ...]:
        """The answer to the last of them, on a connection of its own: those of the pools may all be in use."""
        assert self._file is not None
        with closing(self._file.connect()) as connection:
            *_, answer = (connection.execute(pragma).fetchone() for pragma in pragmas)
            return tuple(answer)


def _sqlite_engine(connect: Callable[[], sqlite3.Connection], begin: str) -> Engine:
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=4, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        is_new = connection.execute("PRAGMA page_count").fetchone() == (0,)
        for pragma in (*(_NEW_FILE_PRAGMAS if is_new else ()), *_SQLITE_PRAGMAS):
            connection.execute(pragma)

    @event.listens_for(engine, "checkin")
    def drop(connection: Any, record: ConnectionPoolEntry) -> None:
        if isinstance(connection, UnlockedConnection):
            record.invalidate()

    def start(dbapi_connection: Any) -> None:
        dbapi_connection.driver_connection.execute(begin)

    # As an event with a statement of SQLAlchemy's it takes four times as long, with each transaction.
    engine.dialect.do_begin = start  # type: ignore[method-assign]
    return engine


@contextmanager
def _sorting_in(folder: Path, connection: Connection) -> Iterator[None]:
    """Files of SQLite's that no name leads to, also after a crash: elsewhere where the folder must not be written to.
    Outside of a transaction."""
    driver: Any = connection.connection.driver_connection
    quoted = str(folder).replace("'", "''")
    with suppress(sqlite3.OperationalError):
        driver.execute(f"PRAGMA temp_store_directory='{quoted}'")
    driver.execute("PRAGMA temp_store=FILE")
    try:
        yield
    finally:
        driver.execute("PRAGMA temp_store=MEMORY")
        driver.execute("PRAGMA temp_store_directory=''")


def _postgres_engine(url: URL, statement_timeout: str) -> Engine:
    options = (
        f"-c search_path={SCHEMA} -c statement_timeout={statement_timeout} -c lock_timeout=5s"
        " -c idle_in_transaction_session_timeout=30s -c timezone=UTC"
    )
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        paramstyle="format",
        pool_size=4,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "options": options,
            "connect_timeout": 5,
            "application_name": f"spendtop-{os.getpid()}",
            **_NOTICES_A_LOST_SERVER,
        },
    )


@contextmanager
def named(store: Store) -> Iterator[None]:
    """Raise the database's failures within the block as what `refusal` makes of them."""
    try:
        yield
    except DBAPIError as failure:
        raise refusal(store, failure) from None


def damaged(store: Store, reason: str) -> StoreCorrupt:
    """A store that cannot be used as it is, with what to do."""
    ways_out = recovery(store.path) if store.path else "Put a backup in its place:  spendtop db restore FILE"
    return StoreCorrupt(f"The store {store.name} is damaged: {reason}.\n{ways_out}")


def refusal(store: Store, failure: DBAPIError) -> SpendtopError:
    """A failure of the database in a sentence, as StoreCorrupt, NoPermission, StoreFull or CannotWrite."""
    loss = store.loss
    if loss is not None:
        return CannotWrite(loss)
    reason = str(failure.orig).strip().splitlines()[0] if str(failure.orig).strip() else type(failure).__name__
    lowered = reason.lower()
    if any(word in lowered for word in _DAMAGED) or getattr(failure.orig, "sqlstate", None) in _NO_SUCH_THING:
        return damaged(store, reason)
    if store.path is not None and store.path.exists() and is_read_only(store.path):
        return no_write_access(store.path)
    if any(word in lowered for word in _REFUSED):
        return NoPermission(f"The store {store.name} refuses us: {reason}. Check its user, password and rights.")
    if has_no_room(failure.orig) or any(word in lowered for word in _FULL):
        return StoreFull(f"The store {store.name} has no room: {reason}. Make room on its disk.")
    if any(word in lowered for word in _LOCKED):
        return CannotWrite(f"The store {store.name} is locked by another program: {reason}. End that one.")
    fix = "Name another store with --database-url." if store.path else "Start it, or check its address."
    return CannotWrite(f"The store {store.name} cannot be used: {reason}. {fix}")
