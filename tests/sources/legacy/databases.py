"""Databases as the older systems left them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

Tables = Mapping[str, tuple[str, Iterable[tuple[Any, ...]]]]
"""Name to the definition of the columns and the rows."""


def sqlite_file(path: Path, tables: Tables) -> Path:
    """A SQLite file with these tables."""
    with closing(sqlite3.connect(path)) as connection:
        for name, (columns, rows) in tables.items():
            connection.execute(f"CREATE TABLE {name} ({columns})")
            for row in rows:
                connection.execute(f"INSERT INTO {name} VALUES ({','.join('?' * len(row))})", row)
        connection.commit()
    return path


def postgres_tables(url: str, tables: Tables) -> None:
    """These tables in the public schema."""
    with psycopg.connect(url) as connection:
        for name, (columns, rows) in tables.items():
            connection.execute(f"CREATE TABLE {name} ({columns})".encode())
            for row in rows:
                connection.execute(f"INSERT INTO {name} VALUES ({','.join(['%s'] * len(row))})".encode(), row)


def drop_postgres_tables(url: str, names: Iterable[str]) -> None:
    """Without these tables again."""
    with psycopg.connect(url) as connection:
        for name in names:
            connection.execute(f"DROP TABLE IF EXISTS {name}".encode())
