"""On PostgreSQL requests and bodies are partitioned by month of arrival"""

import time
from collections.abc import Sequence

from alembic import op
from sqlalchemy import Connection, text

from spendtop.domain.clock import next_month
from spendtop.domain.errors import CannotWrite
from spendtop.domain.untrusted import clean_line
from spendtop.store.ids import SLOTS, arrival
from spendtop.store.partitions import KEYS, REST, add_months

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_VIEWS = text(
    "SELECT DISTINCT view.oid::regclass::text AS name, pg_get_viewdef(view.oid) AS body,"
    " coalesce('WITH (' || array_to_string(view.reloptions, ', ') || ')', '') AS options"
    " FROM pg_depend JOIN pg_rewrite rule ON rule.oid = objid JOIN pg_class view ON view.oid = ev_class"
    " WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass"
    " AND refobjid = to_regclass(:table) AND view.relkind = 'v'"
)
_INDEXES = text(
    "SELECT quote_ident(indexname) AS name, quote_ident(indexname || '_before') AS later_name, indexdef,"
    " indexname = CAST(:table AS text) || '_pkey' AS is_key FROM pg_indexes"
    " WHERE schemaname = current_schema() AND tablename = :table"
)
_GRANTS = text(
    "SELECT concat('GRANT ', privilege_type, column_names, ' ON ', CAST(:table AS text), ' TO ',"
    " CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,"
    " CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)"
    " FROM (SELECT relacl AS acl, '' AS column_names FROM pg_class WHERE oid = to_regclass(:table)"
    " UNION ALL SELECT attacl, '(' || quote_ident(attname) || ')' FROM pg_attribute"
    " WHERE attrelid = to_regclass(:table)) AS granted, aclexplode(acl) WHERE grantee <> current_user::regrole"
)
_IN_THE_WAY = text(
    "SELECT DISTINCT CASE WHEN view.oid IS NULL THEN pg_describe_object(classid, objid, 0)"
    " ELSE pg_describe_object('pg_class'::regclass, view.oid, 0) || ' of ' || view.relowner::regrole END"
    " FROM pg_depend LEFT JOIN pg_rewrite rule ON classid = 'pg_rewrite'::regclass AND rule.oid = objid"
    " LEFT JOIN pg_class view ON view.oid = ev_class"
    " WHERE refclassid = 'pg_class'::regclass AND refobjid = to_regclass(:table)"
    " AND (view.relkind = 'v' AND pg_has_role(view.relowner, 'USAGE')"
    " AND has_schema_privilege(view.relnamespace, 'CREATE')) IS NOT TRUE"
    " AND NOT (deptype IN ('a', 'i') AND classid::regclass::text IN"
    " ('pg_class', 'pg_attrdef', 'pg_constraint', 'pg_type'))"
)
"""All that was built on a table, but for its own parts and for views that can be made to look at another one."""


def refuse(connection: Connection) -> None:
    """Raise CannotWrite for what would be left behind on a part of a table."""
    if connection.dialect.name != "postgresql":
        return
    found = {clean_line(each) for table in KEYS for each in connection.execute(_IN_THE_WAY, {"table": table}).scalars()}
    if found:
        raise CannotWrite(
            f"The store cannot be upgraded, as its tables {' and '.join(KEYS)} are divided by month, and others have"
            f" built on them: {', '.join(sorted(found))}. Drop what is named here, start spendtop again, and make it"
            " anew then. The store is as it was."
        )


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        now = time.time_ns() // 1000
        connection.execute(text(f"LOCK TABLE {', '.join(KEYS)}"))
        refuse(connection)  # again, as nobody can build on them any more
        for table, key in KEYS.items():
            _divide(connection, table, key, now)
        add_months(connection, now)


def _divide(connection: Connection, table: str, key: str, now: int) -> None:
    """What is there becomes the first partition, up to the end of the present month; it is not written anew."""
    named = {"table": table}
    views = connection.execute(_VIEWS, named).all()
    indexes = connection.execute(_INDEXES, named).all()
    grants = connection.execute(_GRANTS, named).scalars().all()
    newest = connection.execute(text(f"SELECT max({key}) FROM {table}")).scalar() or 0
    end = next_month(max(now, arrival(newest))) * SLOTS
    statements = [
        f"ALTER TABLE {table} RENAME TO {table}_before",
        *(f"ALTER INDEX {each.name} RENAME TO {each.later_name}" for each in indexes),
        f"CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS, PRIMARY KEY ({key}))"
        f" PARTITION BY RANGE ({key})",
        *(each.indexdef for each in indexes if not each.is_key),
        f"ALTER TABLE {table} ATTACH PARTITION {table}_before FOR VALUES FROM (MINVALUE) TO ({end})",
        f"CREATE TABLE {table}_{REST} PARTITION OF {table} DEFAULT",
        *(f"CREATE OR REPLACE VIEW {name} {options} AS {body}" for name, body, options in views),
        *grants,
    ]
    for statement in statements:
        connection.exec_driver_sql(statement.replace("%", "%%"))
