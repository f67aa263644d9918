"""All rows of one store copied into the tables of another one, whichever of the two databases each is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from spendtop.store.engine import SCHEMA
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, LeaseTable, QuarantineTable

Progress = Callable[[float], None]
"""Is told the share that is done, from 0 to 1."""

_ROWS_AT_ONCE = 2_000
_LARGE_ROWS_AT_ONCE = 50
_LARGE = frozenset({table_of(BodyTable), table_of(QuarantineTable)})
_OF_PROCESSES = frozenset({table_of(LeaseTable)})
"""What is so only while certain processes run on certain machines."""


def copied_tables() -> list[Table]:
    return [table for table in SQLModel.metadata.sorted_tables if table not in _OF_PROCESSES]


def row_counts(connection: Connection) -> dict[str, int]:
    """How many rows each copied table has."""
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in copied_tables()
    }


def copy_tables(source: Connection, target: Connection, progress: Progress) -> None:
    """Make the rows of the target's tables those of the source's, in the target's open transaction.

    Both have the present schema. What the source says has to be of one instant: see `Store.snapshot`.
    """
    whole = max(sum(row_counts(source).values()), 1)
    done = 0

    def tell(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done / whole)

    fill = _fill_postgresql if target.dialect.name == "postgresql" else _fill_sqlite
    for table in copied_tables():
        target.execute(delete(table))
        with closing(_parts(source, table, tell)) as parts:
            fill(target, table, parts)


def _parts(source: Connection, table: Table, tell: Callable[[int], None]) -> Generator[Sequence[Row[Any]], None, None]:
    """The table's rows in parts, in primary-key order; `tell` gets the size of each one that was taken."""
    at_once = _LARGE_ROWS_AT_ONCE if table in _LARGE else _ROWS_AT_ONCE
    in_order = select(table).order_by(*table.primary_key)
    with source.execute(in_order, execution_options={"yield_per": at_once}) as rows:
        for part in rows.partitions():
            yield part
            tell(len(part))


def _fill_sqlite(target: Connection, table: Table, parts: Iterable[Sequence[Row[Any]]]) -> None:
    insert = f'INSERT INTO "{table.name}" ({_columns(table)}) VALUES ({", ".join("?" * len(table.columns))})'
    for part in parts:
        target.exec_driver_sql(insert, [tuple(row) for row in part])


def _fill_postgresql(target: Connection, table: Table, parts: Iterable[Sequence[Row[Any]]]) -> None:
    driver: Any = target.connection.driver_connection
    copy = f'COPY "{table.name}" ({_columns(table)}) FROM STDIN'
    try:
        with driver.cursor() as cursor, cursor.copy(copy) as rows:
            for part in parts:
                for row in part:
                    rows.write_row(row)
    except target.dialect.loaded_dbapi.Error as failure:
        raise DBAPIError(copy, None, failure) from None
    if table.autoincrement_column is not None:
        _let_numbers_go_on(target, table, table.autoincrement_column.name)


def _let_numbers_go_on(target: Connection, table: Table, column: str) -> None:
    """The next row gets a number that no copied one has."""
    sequence = f"pg_get_serial_sequence('{SCHEMA}.{table.name}', '{column}')"
    target.execute(
        text(
            f'SELECT setval({sequence}, coalesce(max("{column}"), 1), max("{column}") IS NOT NULL) FROM "{table.name}"'
        )
    )


def _columns(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)
