"""All that one store or backup holds, put in the place of what another store holds, which is kept under a dated name.

A kill at any point leaves the other store as it was, or has it replaced as a whole.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, inspect, text

from spendtop.domain.clock import to_datetime
from spendtop.domain.errors import AlreadyRunning, ConfigError, StoreCorrupt
from spendtop.store import schema
from spendtop.store.backup import BackupFile, Origin, back_up, sqlite_url
from spendtop.store.engine import SCHEMA, Store
from spendtop.store.files import prepare_folder
from spendtop.store.new_file import part_of
from spendtop.store.partitions import make_months
from spendtop.store.table_copy import Progress, copied_tables, copy_tables, row_counts
from spendtop.store.verification import Verified, verify

_OF_THE_STORE = frozenset({"alembic_version", "lease", "meta"})
"""Tables that say something about a store in which nothing is recorded yet."""
_BESIDE = ("-wal", "-shm")


def is_empty(store: Store) -> bool:
    """Whether nothing is recorded there. A file that cannot be read holds something."""
    if store.path is None:
        with store.reading() as connection:
            return not _holds_rows(connection)
    if not store.path.exists() or store.path.stat().st_size == 0:
        return True
    try:
        with closing(BackupFile(store.path)) as file, file.reading() as connection:
            return not _holds_rows(connection)
    except (StoreCorrupt, ConfigError):
        return False


class Replaced(Struct, frozen=True):
    """What is in the store now."""

    verified: Verified
    kept: str | None
    """Where its former content is; None where nothing was recorded before."""


def replace(store: Store, origin: Origin, now: int, progress: Progress) -> Replaced:
    """Make the store hold what `origin` does.

    Nobody else may use the store. Raises AlreadyRunning where somebody does, CannotWrite where there is no room, and
    StoreCorrupt for a damaged origin; the store is as it was then.
    """
    if store.path is None:
        return _replace_schema(store, origin, now, progress)
    return _replace_file(store, store.path, origin, now, progress)


def _replace_file(store: Store, path: Path, origin: Origin, now: int, progress: Progress) -> Replaced:
    prepare_folder(path)
    kept = None
    if not is_empty(store):
        kept = path.with_name(f"{path.name}.before-{to_datetime(now):%Y%m%dT%H%M%S.%fZ}")

    def put(part: Path, place: Path) -> None:
        if place.exists():
            if _can_be_read(place):
                _let_go(place)
            if kept is not None:
                _keep(place, kept)
            for suffix in _BESIDE:
                _beside(place, suffix).unlink(missing_ok=True)
        part.replace(place)

    with part_of(path, put) as part:
        verified = back_up(origin, part, progress)
    return Replaced(verified, str(kept) if kept else None)


def _can_be_read(path: Path) -> bool:
    """Whether it is a database at all: SQLite drops what is beside a file that is none."""
    try:
        BackupFile(path).close()
    except StoreCorrupt:
        return False
    except ConfigError:  # of a newer spendtop
        return True
    return True


def _let_go(path: Path) -> None:
    """Have all in the file itself, and nobody else in it. Raises AlreadyRunning while another process has it open."""
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.OperationalError as failure:
            if "locked" in str(failure) or "busy" in str(failure):
                raise AlreadyRunning(f"Somebody has {path} open. Close the screens that show it, and repeat.") from None
            raise


def _keep(path: Path, kept: Path) -> None:
    """Give the file a second name, with what a damaged one has beside it."""
    for left in path.parent.glob(f"{path.name}.before-*"):
        if left.samefile(path):  # somebody was killed right here
            left.unlink()
    os.link(path, kept)
    for suffix in _BESIDE:
        if _beside(path, suffix).exists():
            _beside(path, suffix).rename(_beside(kept, suffix))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _replace_schema(store: Store, origin: Origin, now: int, progress: Progress) -> Replaced:
    """In one transaction, so that others see the one or the other."""
    kept = f"{SCHEMA}_before_{to_datetime(now):%Y%m%dt%H%M%S_%f}"
    with _at_present_schema(origin) as present:
        verified = verify(present, lambda share: progress(share / 2))
        if verified.damage:
            raise StoreCorrupt(f"{origin.name} is damaged, and was not copied. {verified.damage[0]}")
        was_recorded = _fill_schema(store, present, kept, now, lambda share: progress((1 + share) / 2))
    return Replaced(verified, f"the schema {kept} of {store.name}" if was_recorded else None)


def _fill_schema(store: Store, origin: Origin, kept: str, now: int, progress: Progress) -> bool:
    """Whether something was recorded there before, which is in the schema `kept` then."""
    with origin.snapshot() as source, store.writing() as target:
        target.execute(text("SET LOCAL statement_timeout = 0"))
        target.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        was_recorded = _holds_rows(target)
        if was_recorded:
            target.execute(text(f"ALTER SCHEMA {SCHEMA} RENAME TO {kept}"))
        else:
            target.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        target.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        schema.make(target)
        make_months(target, source, now)
        copy_tables(source, target, progress)
        if row_counts(source) != row_counts(target):
            raise StoreCorrupt(f"Not everything arrived in {store.name}; it is as it was.")
    return was_recorded


@contextmanager
def _at_present_schema(origin: Origin) -> Iterator[Origin]:
    """The origin itself, or where it is of an earlier schema an upgraded copy of it."""
    if isinstance(origin, Store) or origin.schema == schema.head():
        yield origin
        return
    with tempfile.TemporaryDirectory(prefix="spendtop-") as folder:
        copy = Path(folder) / "upgraded.db"
        back_up(origin, copy, lambda share: None)
        with closing(Store(sqlite_url(copy))) as upgraded:
            schema.upgrade(upgraded)
            yield upgraded


def _holds_rows(connection: Connection) -> bool:
    inspector = inspect(connection)
    present = set(inspector.get_table_names(schema=None if connection.dialect.name == "sqlite" else SCHEMA))
    recorded = (table.name for table in copied_tables() if table.name not in _OF_THE_STORE)
    return any(
        connection.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1')).first() is not None
        for name in recorded
        if name in present
    )
