"""Single facts about the store, in the table `meta`."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from spendtop.store.statements import table_of
from spendtop.store.tables import MetaTable

_META = table_of(MetaTable)


def put(connection: Connection, name: str, value: str) -> None:
    """Set a fact."""
    connection.execute(delete(_META).where(_META.c.name == name))
    connection.execute(_META.insert().values(name=name, value=value))


def get(connection: Connection, name: str) -> str | None:
    """A fact, or None when it was never set."""
    return connection.execute(select(_META.c.value).where(_META.c.name == name)).scalar()
