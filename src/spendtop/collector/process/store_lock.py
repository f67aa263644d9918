"""Holding a store: the lock beside a SQLite file, or a slot and a lease in a PostgreSQL."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, text

from spendtop.domain.errors import AlreadyRunning
from spendtop.services.lease import Lease, Ownership, SoleOwner
from spendtop.services.presence import file_beside, hold_lock
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

    slot: int
    ownership: Ownership


@contextmanager
def hold_store(store: Store, files: Places) -> Iterator[StoreLock]:
    """Hold the store until the block ends.

    On SQLite exactly one collector does: raises AlreadyRunning otherwise. On PostgreSQL up to 63 take events.
    """
    if store.is_sqlite:
        with hold_lock(files.lock, files.holder):
            yield StoreLock(0, SoleOwner())
        return
    with _own_connection(store) as connection:
        for slot in range(COMMAND_SLOT):
            if _took(connection, slot):
                yield StoreLock(slot, Lease(f"{socket.gethostname()}:{os.getpid()}:{slot}"))
                return
    raise AlreadyRunning(f"{COMMAND_SLOT} collectors already share {store.name}. Stop one of them first.")


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
            connection = stack.enter_context(_own_connection(store))
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
    with _own_connection(store) as connection:
        if not _took(connection, COMMAND_SLOT):
            raise refusal
        yield COMMAND_SLOT


@contextmanager
def _own_connection(store: Store) -> Iterator[Connection]:
    """Not lent to others, and closed at the end of the block, which frees its locks."""
    with store.write_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()
        yield connection


def _took(connection: Connection, slot: int) -> bool:
    took = connection.execute(text("SELECT pg_try_advisory_lock(:a, :b)"), {"a": _SLOT_LOCK, "b": slot})
    return bool(took.scalar())
