"""On PostgreSQL requests and bodies are partitioned by month of arrival"""

import time
from collections.abc import Sequence

from alembic import op
from sqlalchemy import Connection, text

from spendtop.domain.clock import next_month
from spendtop.store.ids import SLOTS, arrival
from spendtop.store.partitions import KEYS, REST, add_months

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_VIEWS = text(
    "SELECT DISTINCT view.oid::regclass::text AS name, pg_get_viewdef(view.oid) AS body FROM pg_depend"
    " JOIN pg_rewrite rule ON rule.oid = pg_depend.objid JOIN pg_class view ON view.oid = rule.ev_class"
    " WHERE pg_depend.refobjid = to_regclass(:table) AND view.relkind = 'v'"
)
_INDEXES = text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = :table")
_GRANTS = text(
    "SELECT grantee, privilege_type FROM information_schema.role_table_grants"
    " WHERE table_schema = current_schema() AND table_name = :table AND grantee <> current_user"
)


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        now = time.time_ns() // 1000
        for table, key in KEYS.items():
            _divide(connection, table, key, now)
        add_months(connection, now)


def _divide(connection: Connection, table: str, key: str, now: int) -> None:
    """What is there becomes the first partition, up to the end of the present month; it is not written anew."""
    named = {"table": table}
    views = connection.execute(_VIEWS, named).all()
    indexes = connection.execute(_INDEXES, named).all()
    grants = connection.execute(_GRANTS, named).all()
    newest = connection.execute(text(f"SELECT max({key}) FROM {table}")).scalar() or 0
    end = next_month(max(now, arrival(newest))) * SLOTS
    connection.execute(text(f"ALTER TABLE {table} RENAME TO {table}_before"))
    for name, _ in indexes:
        connection.execute(text(f"ALTER INDEX {name} RENAME TO {name}_before"))
    connection.execute(
        text(
            f"CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS, PRIMARY KEY ({key}))"
            f" PARTITION BY RANGE ({key})"
        )
    )
    for name, definition in indexes:
        if name != f"{table}_pkey":
            connection.exec_driver_sql(definition)
    connection.execute(
        text(f"ALTER TABLE {table} ATTACH PARTITION {table}_before FOR VALUES FROM (MINVALUE) TO ({end})")
    )
    connection.execute(text(f"CREATE TABLE {table}_{REST} PARTITION OF {table} DEFAULT"))
    for name, body in views:
        connection.exec_driver_sql(f"CREATE OR REPLACE VIEW {name} AS {body.replace('%', '%%')}")
    for grantee, privilege in grants:
        whom = "PUBLIC" if grantee == "PUBLIC" else connection.dialect.identifier_preparer.quote_identifier(grantee)
        connection.execute(text(f"GRANT {privilege} ON {table} TO {whom}"))
