"""The schema's version: bringing a store up to it, and refusing one that is newer."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from spendtop.domain.errors import ConfigError
from spendtop.store.engine import SCHEMA, Store

if TYPE_CHECKING:
    from alembic.config import Config

_UPGRADE_LOCK = 0x5350454E44


@cache
def head() -> str:
    """The schema that this program reads and writes: what the newest migration leads to."""
    migrations = files("spendtop.store.migrations.versions").iterdir()
    return max(file.name[:4] for file in migrations if file.name[:4].isdigit())


def upgrade(store: Store) -> str | None:
    """Bring the store's schema up to `head` in one transaction.

    Returns the version that it had before when something changed ("" for an empty store), else None.
    Raises ConfigError for a store that a newer program made.
    """
    with store.writing() as connection:
        if not store.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        before = version(connection)
        if before == head():
            return None
        refuse_newer(before, store.name)
        from alembic import command

        command.upgrade(_alembic(connection), head())
        return before or ""


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
