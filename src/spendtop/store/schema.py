"""The schema's version: bringing a store up to it, and refusing one that is newer.

A migration changes the schema in one transaction, at once. What takes time is its `FILLINGS`: functions that fill the
new columns and tables in parts, each in a transaction that also keeps where to go on. A fresh store needs none.
Where a store may have what a migration cannot take along, its `refuse` says so before anything is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.resources import files
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, inspect, text
from sqlmodel import SQLModel

from spendtop.domain.errors import ConfigError
from spendtop.store import facts
from spendtop.store.engine import SCHEMA, Store, damaged, named

if TYPE_CHECKING:
    from alembic.config import Config

_UPGRADE_LOCK = 0x5350454E44
_FACT = "migration"
_VERSIONS = "spendtop.store.migrations.versions"

Filling = Callable[[Connection, Any], tuple[Any, float]]
"""Fills a part, from a place that an earlier call gave or from the beginning (None). Gives where to go on, something
that JSON can hold, or None at the end; and the share that is filled."""


class Pending(Struct, frozen=True):
    """What a migration has still to fill."""

    revision: str
    filling: int = 0
    place: Any = None
    share: float = 0.0
    """Of all that the migration fills, from 0 to 1."""


@cache
def _migrations() -> Sequence[str]:
    """Names of the migrations' modules, the oldest first."""
    names = (file.name.removesuffix(".py") for file in files(_VERSIONS).iterdir() if file.name.endswith(".py"))
    return sorted(name for name in names if name[:4].isdigit())


@cache
def head() -> str:
    """The schema that this program reads and writes: what the newest migration leads to."""
    return _migrations()[-1][:4]


def upgrade(store: Store) -> str | None:
    """Bring the store's schema up to `head`.

    Returns the version that it had before when something changed ("" for an empty store), else None.
    Raises ConfigError for a store that a newer program made, CannotWrite for one with what would be lost.
    """
    with store.reading() as connection:
        before = version(connection)
    return (before or "") if list(upgrading(store)) else None


def make(connection: Connection) -> None:
    """Make the present schema where there is none, in an open transaction."""
    _migrate(connection, None)


def upgrading(store: Store) -> Iterator[float]:
    """Bring the store's schema up to `head`; gives the share that is done after each transaction.

    It may be left at any of them, and goes on there the next time. On PostgreSQL several may work at it together.
    Raises ConfigError for a store that a newer program made, CannotWrite for one with what would be lost.
    """
    while (share := _advance(store)) is not None:
        yield share


def _advance(store: Store) -> float | None:
    """The next transaction; None when there is nothing to do."""
    with store.rebuilding() as connection:
        if not store.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        before = version(connection)
        refuse_newer(before, store.name)
        left = pending(connection) if before is not None else None
        if left is not None:
            return _fill(connection, left)
        return None if before == head() else _migrate(connection, before)


def _migrate(connection: Connection, before: str | None) -> float:
    """Up to the next migration that has something to fill, or to the newest one."""
    from alembic import command

    later = [name for name in _migrations() if before is not None and name[:4] > before]
    for name in later:
        getattr(_module(name), "refuse", _refuse_nothing)(connection)
    filled = next((name[:4] for name in later if _fillings(name[:4])), None)
    command.upgrade(_alembic(connection), filled or head())
    if filled is None:
        return 1.0
    _put(connection, Pending(filled))
    return 0.0


def _fill(connection: Connection, left: Pending) -> float:
    fillings = _fillings(left.revision)
    place, share = fillings[left.filling](connection, left.place)
    done = (left.filling + share) / len(fillings)
    if place is not None:
        _put(connection, replace(left, place=place, share=done))
    elif left.filling + 1 < len(fillings):
        _put(connection, Pending(left.revision, left.filling + 1, share=done))
    else:
        facts.drop(connection, _FACT)
        if left.revision != head():
            return _migrate(connection, left.revision)
    return done


def _fillings(revision: str) -> Sequence[Filling]:
    name = next(name for name in _migrations() if name.startswith(revision))
    fillings: Sequence[Filling] = getattr(_module(name), "FILLINGS", ())
    return fillings


def _module(name: str) -> ModuleType:
    return import_module(f"{_VERSIONS}.{name}")


def _refuse_nothing(connection: Connection) -> None:
    """For a migration that takes everything along."""


def refuse_gaps(store: Store) -> None:
    """Raise StoreCorrupt when the store lacks a table or a column of its schema, which must be the newest one."""
    with named(store), store.reading() as connection:
        schema = None if store.is_sqlite else SCHEMA
        found = {
            (table, column["name"])
            for (_, table), columns in inspect(connection).get_multi_columns(schema=schema).items()
            for column in columns
        }
    wanted = {(table.name, column.name) for table in SQLModel.metadata.tables.values() for column in table.columns}
    tables = {table for table, _ in found}
    missing = {f"{table}.{column}" if table in tables else table for table, column in wanted - found}
    if missing:
        raise damaged(store, f"it lacks {', '.join(sorted(missing))}")


def pending(connection: Connection) -> Pending | None:
    """What is still to be filled before the store can be used."""
    kept = facts.get(connection, _FACT)
    return None if kept is None else msgspec.json.decode(kept, type=Pending)


def _put(connection: Connection, left: Pending) -> None:
    facts.put(connection, _FACT, msgspec.json.encode(left).decode())


def version(connection: Connection) -> str | None:
    """The schema version that the store says it has, or None for an empty store."""
    schema = None if connection.dialect.name == "sqlite" else SCHEMA
    if not inspect(connection).has_table("alembic_version", schema=schema):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def refuse_newer(revision: str | None, name: str) -> None:
    """Raise ConfigError when the store's schema is newer than this program."""
    if revision is not None and revision > head():
        from spendtop import __version__

        raise ConfigError(
            f"The store {name} has schema {revision}; spendtop {__version__} knows up to {head()}. "
            "Install a newer spendtop, or name another store with --database-url."
        )


def _alembic(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("spendtop.store") / "migrations"))
    config.attributes["connection"] = connection
    return config
