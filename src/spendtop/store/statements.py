"""Fixed SQL for the hot path: a Core statement compiled once per dialect, run through the driver."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache, wraps
from importlib import import_module
from itertools import chain
from typing import Any, ParamSpec

from sqlalchemy import Connection, Dialect, Executable, Select, Table, bindparam, case, func, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement
from sqlmodel import SQLModel

_Of = ParamSpec("_Of")
_MOST_ROWS = 64
"""Rows that one statement takes."""
_SPARSE_FROM, _MOST_SETS = 32, 32
"""Rows from which on columns without any value are looked for, and how many sets of columns are remembered."""
_COPIED_FROM = 8
"""Rows from which on COPY is worth its own way to the server and back."""


def table_of(model: type[SQLModel]) -> Table:
    """The Core table behind a SQLModel class."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def insert_into(table: Table, dialect: Dialect) -> Any:
    """INSERT with ON CONFLICT, which both dialects have. The one that is not used is not loaded: 2 MB, a 50th of a
    collector's start."""
    return import_module(f"sqlalchemy.dialects.{dialect.name}").insert(table)


def placeholder(dialect: Dialect) -> str:
    """What stands for a value in the driver's SQL."""
    return "?" if dialect.paramstyle == "qmark" else "%s"


class Fixed:
    """One statement as the driver takes it: SQL text with positional parameters in the order of `names`."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self.names: list[str] = list(getattr(compiled, "positiontup", None) or ())
        self._row = f"({', '.join('?' * len(self.names))})"
        self._texts: dict[int, str] = {}
        self._takes_rows = dialect.name == "sqlite" and f"VALUES {self._row}" in self.sql

    def run_many(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run for each row; a row holds the values in the order of `names`."""
        if not self._takes_rows:
            if rows:
                connection.exec_driver_sql(self.sql, list(rows))
            return
        # SQLite's driver gives the interpreter away for every row of executemany, and waits to get it back: while
        # another thread is busy, few statements of many rows are several times faster. Powers of two keep them few.
        start = 0
        while start < len(rows):
            size = min(_MOST_ROWS, 1 << ((len(rows) - start).bit_length() - 1))
            if size not in self._texts:
                many = f"VALUES {', '.join([self._row] * size)}"
                self._texts[size] = self.sql.replace(f"VALUES {self._row}", many, 1)
            cursor_of(connection, self._texts[size], tuple(chain.from_iterable(rows[start : start + size])))
            start += size


class Sparse(Fixed):
    """An INSERT of all columns that leaves those out in which none of many rows has a value: in SQLite nothing costs as
    much as something, and requests of one source have none in a third of their columns."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        super().__init__(_insert_of(table, dialect), dialect)
        self._of_columns = lru_cache(_MOST_SETS)(
            lambda names: Fixed(_insert_of(table, dialect, names), dialect)  # those that are left out have no default
        )

    def run_many(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        if len(rows) < _SPARSE_FROM:
            super().run_many(connection, rows)
            return
        columns = dict(zip(self.names, zip(*rows, strict=True), strict=True))
        some = {name: values for name, values in columns.items() if values.count(None) < len(rows)}
        of_some = self._of_columns(tuple(some))
        of_some.run_many(connection, list(zip(*map(some.__getitem__, of_some.names), strict=True)))


class Copied(Fixed):
    """An INSERT of all columns that goes by COPY where there are many rows: a third of the work on PostgreSQL."""

    def __init__(self, statement: ClauseElement, table: Table, dialect: Dialect) -> None:
        super().__init__(statement, dialect)
        self._copy = f"COPY {table.name} ({', '.join(self.names)}) FROM STDIN"

    def run_many(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        if len(rows) < _COPIED_FROM:
            super().run_many(connection, rows)
            return
        driver: Any = connection.connection.driver_connection
        try:
            with driver.cursor() as cursor, cursor.copy(self._copy) as copy:
                for row in rows:
                    copy.write_row(row)
        except connection.dialect.loaded_dbapi.Error as failure:
            raise _as_usual(connection, self._copy, failure) from failure


def cursor_of(connection: Connection, sql: str, values: tuple[Any, ...] = ()) -> Any:
    """The driver's own cursor of a statement: without what SQLAlchemy prepares for each, 11 µs."""
    driver: Any = connection.connection.driver_connection
    try:
        return driver.execute(sql, values)
    except connection.dialect.loaded_dbapi.Error as failure:
        raise _as_usual(connection, sql, failure) from failure


def tuples_of(connection: Connection, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """All rows of a statement as the driver has them: names for their columns take twice as long as the rows."""
    driver: Any = connection.connection.driver_connection
    try:
        rows: list[tuple[Any, ...]] = driver.execute(sql, values).fetchall()
    except connection.dialect.loaded_dbapi.Error as failure:
        raise _as_usual(connection, sql, failure) from failure
    return rows


def _as_usual(connection: Connection, sql: str, failure: Exception) -> Exception:
    """What the driver raised, as SQLAlchemy raises it."""
    dialect = connection.dialect
    return DBAPIError.instance(sql, None, failure, dialect.loaded_dbapi.Error, dialect=dialect)


def _compiled_once(make: Callable[_Of, Fixed]) -> Callable[_Of, Fixed]:
    """Compiling takes longer than most statements, and is the same for every store of a kind."""
    made: dict[tuple[object, ...], Fixed] = {}

    @wraps(make)
    def found(*of: _Of.args, **named: _Of.kwargs) -> Fixed:
        key = tuple(each.name if isinstance(each, Dialect) else each for each in (*of, *named.values()))
        if key not in made:
            made[key] = make(*of, **named)
        return made[key]

    return found


@_compiled_once
def insert_row(model: type[SQLModel], dialect: Dialect) -> Fixed:
    """INSERT of all columns, in the table's column order."""
    table = table_of(model)
    return (
        Copied(_insert_of(table, dialect), table, dialect) if dialect.name == "postgresql" else Sparse(table, dialect)
    )


def _insert_of(table: Table, dialect: Dialect, names: Collection[str] | None = None) -> Any:
    """INSERT of these columns, or of all."""
    wanted = table.columns.keys() if names is None else names
    return insert_into(table, dialect).values({name: bindparam(name) for name in wanted})


@_compiled_once
def insert_or_ignore(model: type[SQLModel], dialect: Dialect) -> Fixed:
    """INSERT that leaves an existing row with the same primary key as it is."""
    table = table_of(model)
    statement = _insert_of(table, dialect)
    return Fixed(statement.on_conflict_do_nothing(), dialect)


@_compiled_once
def insert_or_add(model: type[SQLModel], dialect: Dialect) -> Fixed:
    """INSERT that adds the non-key columns to an existing row with the same primary key."""
    table = table_of(model)
    statement = _insert_of(table, dialect)
    added = {c.name: table.c[c.name] + statement.excluded[c.name] for c in table.columns if not c.primary_key}
    return Fixed(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=added), dialect)


def insert_sums(model: type[SQLModel], rows: Select[Any], dialect: Dialect) -> Executable:
    """INSERT of the rows that a SELECT of all columns gives, which adds as `insert_or_add` does."""
    table = table_of(model)
    statement = insert_into(table, dialect).from_select([column.name for column in table.columns], rows)
    added = {c.name: table.c[c.name] + statement.excluded[c.name] for c in table.columns if not c.primary_key}
    inserted: Executable = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=added)
    return inserted


@_compiled_once
def insert_or_replace(model: type[SQLModel], dialect: Dialect) -> Fixed:
    """INSERT that overwrites the non-key columns of an existing row with the same primary key."""
    table = table_of(model)
    statement = _insert_of(table, dialect)
    replaced = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
    return Fixed(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=replaced), dialect)


@_compiled_once
def insert_or_replace_shorter(model: type[SQLModel], column: str, dialect: Dialect) -> Fixed:
    """INSERT that overwrites an existing row with the same primary key where its value of `column` is shorter."""
    table = table_of(model)
    statement = _insert_of(table, dialect)
    replaced = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
    is_longer = func.length(statement.excluded[column]) > func.length(table.c[column])
    return Fixed(
        statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=replaced, where=is_longer), dialect
    )


@_compiled_once
def insert_or_keep_larger(model: type[SQLModel], dialect: Dialect) -> Fixed:
    """INSERT that leaves the larger value of each non-key column in an existing row with the same primary key."""
    table = table_of(model)
    statement = _insert_of(table, dialect)
    new = statement.excluded
    larger = {c.name: case((new[c.name] > c, new[c.name]), else_=c) for c in table.columns if not c.primary_key}
    return Fixed(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=larger), dialect)


@_compiled_once
def update_row(model: type[SQLModel], dialect: Dialect) -> Fixed:
    """UPDATE of all non-key columns by primary key; `names` says the order of values."""
    table = table_of(model)
    (key,) = table.primary_key
    statement = (
        update(table)
        .where(key == bindparam("key_" + key.name))
        .values({c.name: bindparam("new_" + c.name) for c in table.columns if not c.primary_key})
    )
    return Fixed(statement, dialect)
