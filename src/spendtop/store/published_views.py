"""The views of a PostgreSQL store in another schema, where queries of older systems look for them."""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from spendtop.domain.errors import NoPermission, UsageError
from spendtop.domain.untrusted import clean_line
from spendtop.store.engine import SCHEMA, Store

NAMES = ("requests", "llm_usage")
_OURS = "made by `spendtop db views`"
"""The comment by which a view is known for one of these, which may be made anew."""
_NOT_PERMITTED = "42501"
_FOUND = text(
    "SELECT relation.relname, relation.relkind = 'v' AND obj_description(relation.oid, 'pg_class') = :ours AS is_ours"
    " FROM pg_class relation JOIN pg_namespace space ON space.oid = relation.relnamespace"
    " WHERE space.nspname = :schema AND relation.relname = ANY(:names)"
)


def publish(store: Store, schema: str) -> None:
    """Make both views there, or neither. Those that were made by this before are made anew.

    Raises UsageError for a schema that does not exist or has another relation of such a name, NoPermission where the
    database refuses.
    """
    if schema == SCHEMA:
        raise UsageError(f"The schema {SCHEMA} is the store's own, and has them. Name another one, such as public.")
    try:
        with store.writing() as connection:
            _refuse_others(connection, schema)
            quote = connection.dialect.identifier_preparer.quote_identifier
            for name in NAMES:
                view = f"{quote(schema)}.{quote(name)}"
                connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view}")
                connection.exec_driver_sql(f"CREATE VIEW {view} AS SELECT * FROM {SCHEMA}.{name}")
                connection.exec_driver_sql(f"COMMENT ON VIEW {view} IS '{_OURS}'")
    except ProgrammingError as failure:
        if getattr(failure.orig, "sqlstate", None) != _NOT_PERMITTED:
            raise
        raise NoPermission(
            f"The database does not let this user make views in {clean_line(schema)}. GRANT CREATE ON SCHEMA to it, or "
            "name another schema."
        ) from None


def _refuse_others(connection: Connection, schema: str) -> None:
    exists = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")
    if connection.execute(exists, {"schema": schema}).first() is None:
        raise UsageError(f"There is no schema {clean_line(schema)} in this database. Create it, or name another one.")
    found = connection.execute(_FOUND, {"schema": schema, "names": list(NAMES), "ours": _OURS})
    others = [row.relname for row in found if not row.is_ours]
    if others:
        raise UsageError(
            f"{clean_line(schema)} has a {' and a '.join(sorted(others))} already. Rename that, or name another schema."
        )
