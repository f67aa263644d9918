"""Holding a store: the lock beside a SQLite file, or a slot and a lease in a PostgreSQL."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from spendtop.domain.errors import AlreadyRunning
from spendtop.services.stores.lease import Lease, Ownership, SoleOwner
from spendtop.services.stores.presence import file_beside, hold_lock
from spendtop.store.engine import Store
from spendtop.store.ids import COMMAND_SLOT, SLOTS

_SLOT_LOCK = 0x53504E44


class Places(Struct, frozen=True):
    """Files that belong to a store."""

    lock: Path
    holder: Path
    status: Path
    viewers: Path


def places(store: Store, data_folder: Path) -> Places:
    """Where a store's files are: beside a SQLite file, or in the data folder."""
    name = str(store.path) if store.path else store.url.render_as_string(hide_password=True)
    return Places(
        lock=file_beside(name, ".lock", data_folder),
        holder=file_beside(name, ".collector.json", data_folder),
        status=file_beside(name, ".status.json", data_folder),
        viewers=file_beside(name, ".viewers", data_folder),
    )


class StoreLock(Struct, frozen=True):
    """What holding gives: the number in our ids and shards, and who may evaluate and deliver."""

    hold: FileHold | SlotHold
    ownership: Ownership


class FileHold:
    """The lock on a SQLite store, which only the end of the process loses."""

    slot = 0
    """The number in our ids and shards."""

    def renew(self) -> None:
        """Nothing to do."""


class SlotHold:
    """A slot of a PostgreSQL store, held by a session of its own, which the server or the network may end."""

    def __init__(self, store: Store) -> None:
        """Take the first slot that is free. Raises AlreadyRunning where none is, and what the database raises."""
        self._store = store
        self._session = _session(store)
        self.slot = self._free_slot(range(COMMAND_SLOT))

    def renew(self) -> None:
        """Where the session was lost, take the slot again; another one where somebody took it meanwhile.

        Raises AlreadyRunning where none is free, and what the database raises while it is away.
        """
        if not self._session.closed:
            try:
                self._session.execute(text("SELECT 1"))
                return
            except DBAPIError:
                self.release()
        self._session = _session(self._store)
        self.slot = self._free_slot([self.slot, *(slot for slot in range(COMMAND_SLOT) if slot != self.slot)])

    def release(self) -> None:
        """Leave the slot to others."""
        if not self._session.closed:
            driver: Any = self._session.connection.driver_connection if not self._session.invalidated else None
            self._session.close()
            if driver is not None:
                driver.close()

    def _free_slot(self, slots: Iterable[int]) -> int:
        """The first that can be had, taken. Without one the session is closed."""
        try:
            for slot in slots:
                if _took(self._session, slot):
                    return slot
        except BaseException:
            self.release()
            raise
        self.release()
        raise AlreadyRunning(f"{COMMAND_SLOT} collectors already share {self._store.name}. Stop one of them first.")


@contextmanager
def hold_store(store: Store, files: Places) -> Iterator[StoreLock]:
    """Hold the store until the block ends.

    On SQLite exactly one collector does: raises AlreadyRunning otherwise. On PostgreSQL up to 63 take events.
    """
    if store.is_sqlite:
        with hold_lock(files.lock, files.holder):
            yield StoreLock(FileHold(), SoleOwner())
        return
    hold = SlotHold(store)
    try:
        # Numbers of processes and names of hosts come again; what is random does not.
        yield StoreLock(hold, Lease(f"{socket.gethostname()}:{os.getpid()}:{token_hex(4)}"))
    finally:
        hold.release()


@contextmanager
def hold_alone(store: Store, files: Places) -> Iterator[None]:
    """Hold the store with nobody beside, neither a collector nor a command that records, until the block ends.

    Raises AlreadyRunning while there is one.
    """
    with ExitStack() as stack:
        if store.is_sqlite:
            stack.enter_context(hold_lock(files.lock, files.holder))
            stack.enter_context(importing(store, files))
        else:
            connection = stack.enter_context(_locking(store))
            for slot in range(SLOTS):
                if not _took(connection, slot):
                    raise AlreadyRunning(
                        f"A collector or an import uses {store.name}. Stop it first: `spendtop stop` on its machine."
                    )
        yield


@contextmanager
def importing(store: Store, files: Places) -> Iterator[int]:
    """Hold what one import at a time may hold, beside any collector, until the block ends; gives the slot of its ids.

    Raises AlreadyRunning when another import holds it.
    """
    refusal = AlreadyRunning(f"Another import into {store.name} is under way. Wait for its end, then repeat.")
    if store.is_sqlite:
        with ExitStack() as stack:
            try:
                stack.enter_context(hold_lock(files.lock.with_suffix(".import.lock"), files.holder))
            except AlreadyRunning:
                raise refusal from None
            yield COMMAND_SLOT
        return
    with _locking(store) as connection:
        if not _took(connection, COMMAND_SLOT):
            raise refusal
        yield COMMAND_SLOT


def _session(store: Store) -> Connection:
    """A connection that is not lent to others; its end frees its locks."""
    connection = store.write_engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.detach()
    return connection


@contextmanager
def _locking(store: Store) -> Iterator[Connection]:
    """The same until the block ends. Its locks are free at once, not when the server has noticed its end."""
    with _session(store) as connection:
        try:
            yield connection
        finally:
            with suppress(DBAPIError):
                connection.execute(text("SELECT pg_advisory_unlock_all()"))


def _took(connection: Connection, slot: int) -> bool:
    took = connection.execute(text("SELECT pg_try_advisory_lock(:a, :b)"), {"a": _SLOT_LOCK, "b": slot})
    return bool(took.scalar())
