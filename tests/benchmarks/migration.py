"""What bringing a store of schema 0003 to the present one takes, and by how much a request grows."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg

from spendtop.store.engine import Store
from spendtop.store.schema import upgrading
from tests.benchmarks.filling import filled_earlier
from tests.benchmarks.measuring import Figure
from tests.benchmarks.postgres import postgres
from tests.benchmarks.workshop import Workshop
from tests.store.earlier_store import make_schema

_GROWN = 100_000
"""Requests by which the growth of one is measured."""
_TABLES = ("request", "request_key", "total", "meta")


def migration(workshop: Workshop) -> list[Figure]:
    """Time and disk of the migration from schema 0003, and the growth of a plain text request."""
    path = filled_earlier(workshop.own("earlier") / "earlier.db", workshop.requests)
    figures = []
    if workshop.postgres_requests:
        figures += _on_postgres(workshop)
    with closing(Store(f"sqlite:///{path}")) as store:
        figures += _migrated(store, f"SQLite, {workshop.requests:,}", lambda: _file_size(path))
    return [*figures, _growth(workshop.own("growth_of_rows"))]


def _migrated(store: Store, name: str, size: Callable[[], int]) -> list[Figure]:
    before, began = size(), time.perf_counter()
    largest, longest, last = before, 0.0, began
    for _ in upgrading(store):
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
        largest = max(largest, size())
    taken = time.perf_counter() - began
    store.checkpoint()
    detail = f"{before / 1e6:.0f} → {size() / 1e6:.0f} MB, longest step {longest:.2f} s"
    return [
        Figure(f"migration on {name}", taken, 600, True, "s", detail),
        Figure(f"disk during it on {name}", largest / before, 1.3, True),
    ]


def _on_postgres(workshop: Workshop) -> list[Figure]:
    source = filled_earlier(workshop.own("copied") / "earlier.db", workshop.postgres_requests)
    with (
        postgres(workshop.own("pg")) as url,
        closing(Store(url)) as store,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        make_schema(store, "0003", {})
        _copy(source, connection)
        connection.execute("VACUUM ANALYZE")
        return _migrated(store, f"PostgreSQL, {workshop.postgres_requests:,}", lambda: _database_size(connection))


def _copy(source: Path, target: psycopg.Connection[tuple[object, ...]]) -> None:
    target.execute("SET search_path TO spendtop")
    with closing(sqlite3.connect(source)) as reading:
        for table in _TABLES:
            rows = reading.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in rows.description]
            typed = target.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND data_type = 'boolean'",
                (table,),
            )
            are_flags = {name for (name,) in typed}
            flags = [place for place, name in enumerate(names) if name in are_flags]
            with target.cursor().copy(f"COPY {table} ({', '.join(names)}) FROM STDIN") as copy:
                for row in rows:
                    values = list(row)
                    for place in flags:
                        values[place] = bool(values[place])
                    copy.write_row(values)


def _growth(folder: Path) -> Figure:
    """Of the same requests with the present schema and with what a plain text request has of its new columns."""
    before = filled_earlier(folder / "before.db", _GROWN)
    after = filled_earlier(folder / "after.db", 0)
    with closing(Store(f"sqlite:///{after}")) as store:
        list(upgrading(store))
    for path in (before, after):
        with closing(sqlite3.connect(path)) as connection:
            for (index,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'request'"
            ).fetchall():
                connection.execute(f"DROP INDEX {index}")
            if path == after:
                connection.execute("ATTACH ? AS before", (str(before),))
                names = ", ".join(row[1] for row in connection.execute("PRAGMA before.table_info(request)"))
                connection.execute(
                    f"INSERT INTO request ({names}, reported_by, service_level, provider_usage)"
                    f" SELECT {names}, 'gateway', 'standard', randomblob(23) FROM before.request ORDER BY id"
                )
            else:
                connection.execute("DELETE FROM request_key")
                connection.execute("DELETE FROM total")
            connection.commit()
            connection.execute("VACUUM")
    value = (_file_size(after) - _file_size(before)) / _GROWN
    return Figure("growth of a plain text request", value, 60, True, "bytes")


def _file_size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*") if not file.name.endswith("-shm"))


def _database_size(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
    return int(str(size))
