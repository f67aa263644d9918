"""The id of a store: the same wherever it is moved or copied to, another one for a store that was begun anew."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import Connection, inspect

from spendtop.store import facts
from spendtop.store.engine import SCHEMA
from spendtop.store.statements import insert_or_ignore
from spendtop.store.tables import MetaTable

_FACT = "store id"


def store_id(connection: Connection) -> str | None:
    """The id; None of a store that has none yet, and where there is no store."""
    schema = None if connection.dialect.name == "sqlite" else SCHEMA
    has_facts = inspect(connection).has_table(str(MetaTable.__tablename__), schema=schema)
    return facts.get(connection, _FACT) if has_facts else None


def ensured_id(connection: Connection) -> str:
    """The id, which is given to a store that has none yet."""
    found = facts.get(connection, _FACT)
    if found is None:
        insert_or_ignore(MetaTable, connection.dialect).run_many(connection, [(_FACT, uuid4().hex)])
        found = facts.get(connection, _FACT)
    assert found is not None
    return found
