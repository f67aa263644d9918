"""Stores with the present schema and nothing in them. Migrations make each once; a test gets a copy, or what the
last one left, emptied: that takes a tenth of the time."""

from __future__ import annotations

from pathlib import Path

import psycopg

from spendtop.store.engine import SCHEMA, Store
from spendtop.store.schema import head, upgrade


def make_file(path: Path) -> Path:
    """A SQLite store, for `shutil.copy`: closed, so that all of it is in this one file."""
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    with store.writing() as connection:
        connection.exec_driver_sql("SELECT 1")
    store.close()
    path.chmod(0o600)  # as a start makes it
    return path


class EmptyPostgres:
    """The store in the database at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._made: object = None
        self._indexes: set[str] = set()
        self._emptying = ""

    def prepare(self) -> None:
        """Empty it, whatever the last test did to it. It is made anew where its schema is not the one made here."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for name in _indexes(connection) - self._indexes if self._made is not None else ():
                connection.execute(f"DROP INDEX {SCHEMA}.{name}")  # as two sources that tell the same make one
            if self._made is not None and _schema(connection) == self._made:
                connection.execute(self._emptying)
                return
        self.drop()
        store = Store(self.url)
        upgrade(store)
        store.close()
        with psycopg.connect(self.url, autocommit=True) as connection:
            self._made = _schema(connection)
            self._indexes = _indexes(connection)
            self._emptying = _emptying(connection)

    def drop(self) -> None:
        """Drop it, and what restores kept of earlier ones."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for (name,) in connection.execute(f"SELECT nspname FROM pg_namespace WHERE nspname LIKE '{SCHEMA}%'"):
                connection.execute(f"DROP SCHEMA {name} CASCADE")


def _indexes(connection: psycopg.Connection[tuple[object, ...]]) -> set[str]:
    """Those of no constraint."""
    return {
        str(name)
        for (name,) in connection.execute(
            "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relnamespace = to_regnamespace(%s)"
            " AND NOT relispartition AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)",
            [SCHEMA],
        )
    }


def _schema(connection: psycopg.Connection[tuple[object, ...]]) -> object:
    """Stands for the parts of our schemas and for what changed them last; None where there are none."""
    (digest,) = connection.execute(_DIGEST).fetchone() or (None,)
    return digest


_DIGEST = f"""
WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname LIKE '{SCHEMA}%'),
     tables AS (SELECT oid, xmin FROM pg_class WHERE relnamespace IN (SELECT oid FROM ours)),
     parts AS (
         SELECT oid, 0 AS number, xmin FROM tables
         UNION ALL SELECT attrelid, attnum, xmin FROM pg_attribute WHERE attrelid IN (SELECT oid FROM tables)
         UNION ALL SELECT oid, 0, xmin FROM pg_constraint WHERE connamespace IN (SELECT oid FROM ours)
         UNION ALL SELECT oid, 0, xmin FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours)
         UNION ALL SELECT oid, 0, xmin FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM tables)
     )
SELECT md5(string_agg(concat_ws(' ', oid, number, xmin), ',' ORDER BY oid, number)) FROM parts
"""


def _emptying(connection: psycopg.Connection[tuple[object, ...]]) -> str:
    """Deletes all rows: TRUNCATE writes new files for every table and index, which takes many times as long."""
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [SCHEMA]).fetchall()
    numbers = connection.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = %s", [SCHEMA]).fetchall()
    return ";".join(
        [
            "BEGIN",
            "SET LOCAL session_replication_role = replica",  # in any order
            *(f"DELETE FROM {SCHEMA}.{name}" for (name,) in tables),
            *(f"SELECT setval('{SCHEMA}.{name}', 1, false)" for (name,) in numbers),
            f"INSERT INTO {SCHEMA}.alembic_version VALUES ('{head()}')",
            "COMMIT",
        ]
    )
