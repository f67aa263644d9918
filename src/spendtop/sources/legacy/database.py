"""An older system's database, opened for reading only: a SQLite file, or a PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, column, create_engine, func, inspect, make_url, select
from sqlalchemy import table as table_named
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from spendtop.domain.errors import NoPermission, UsageError
from spendtop.domain.requests.request import Request
from spendtop.sources.legacy.columns import LegacyKind, NotTaken, Table, recognised
from spendtop.sources.legacy.rows import OldToken, Rows, token_of
from spendtop.sources.skipped import Skipped

_OUR_TABLE = "request_key"
_ROWS_AT_ONCE = 1_000
_ROW_ID = "rowid"


class OldDatabase:
    """The tables of an older system. Nothing is ever written."""

    def __init__(self, connection: Connection) -> None:
        """Raises UsageError for a store of ours."""
        self._connection = connection
        inspector = inspect(connection)
        names = sorted(inspector.get_table_names())
        if _OUR_TABLE in names:
            raise UsageError(
                "This is a store of spendtop, not of an older system. Use it with --database-url, or move what it holds"
                " with `spendtop export` and `spendtop import FILE`."
            )
        recognised = [self._recognised(name) for name in names]
        self.tables = [table for table in recognised if isinstance(table, Table)]
        self.left = [table for table in recognised if isinstance(table, NotTaken)]

    def count(self, table: Table) -> int:
        return int(self._connection.execute(select(func.count()).select_from(table_named(table.name))).scalar_one())

    def tokens(self) -> list[OldToken]:
        tokens = (token_of(row) for table in self._token_tables() for _, row in self._rows(table))
        return [token for token in tokens if token is not None]

    def rows(self, table: Table, now: int) -> Rows:
        """What reads the rows of a table, with the tokens that they refer to."""
        by_row: dict[object, str] = {}
        if "token_id" in table.columns:
            for each in self._token_tables():
                read = ((row.get("key"), token_of(row)) for _, row in self._rows(each))
                by_row |= {key: token.token for key, token in read if token is not None}
        return Rows(table, by_row, now)

    def requests(self, table: Table, rows: Rows) -> Iterator[Request | Skipped]:
        for key, row in self._rows(table):
            yield rows.request(row, key)

    def _recognised(self, name: str) -> Table | NotTaken:
        inspector = inspect(self._connection)
        columns = [each["name"] for each in inspector.get_columns(name)]
        key = inspector.get_pk_constraint(name)["constrained_columns"]
        if not key and self._connection.dialect.name == "sqlite":
            key = [_ROW_ID]
        return recognised(name, columns, key)

    def _token_tables(self) -> list[Table]:
        return [table for table in self.tables if table.origin.kind is LegacyKind.TOKENS]

    def _rows(self, table: Table) -> Iterator[tuple[str, dict[str, object]]]:
        """Key and values by meaning of each row, in the order of the keys."""
        width = len(table.key)
        streamed = self._connection.execution_options(yield_per=_ROWS_AT_ONCE)
        for row in streamed.execute(_select(table)):
            key = ":".join(str(part) for part in row[:width])
            yield key, dict(zip(table.columns, row[width:], strict=True))


@contextmanager
def opened(place: str) -> Iterator[OldDatabase]:
    """The database at a path or URL until the block ends.

    Raises UsageError for what is no database of the older systems, and NoPermission where it cannot be read.
    """
    engine = _engine(place)
    try:
        with engine.connect() as connection:
            yield OldDatabase(connection)
    except DBAPIError as failure:
        lines = str(failure.orig).strip().splitlines()
        reason = lines[0] if lines else type(failure.orig).__name__
        if "not a database" in reason:
            raise UsageError(
                "--from-old reads databases, and this file is none. `spendtop import FILE` reads CSV and JSON lines."
            ) from None
        raise NoPermission(
            f"The old database cannot be read: {reason}. Check its path or address, user and rights."
        ) from None
    finally:
        engine.dispose()


def _engine(place: str) -> Engine:
    if "://" not in place:
        return _sqlite(Path(place))
    try:
        url = make_url(place.replace("postgres://", "postgresql://", 1))
        backend = url.get_backend_name()
    except (ArgumentError, ValueError, SQLAlchemyError):
        raise UsageError("--from-old takes a file, or an address such as postgresql://USER@HOST:5432/NAME.") from None
    if backend == "sqlite":
        return _sqlite(Path(url.database or ""))
    if backend != "postgresql":
        raise UsageError("--from-old reads SQLite files and PostgreSQL; an older system used no other database.")
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        connect_args={
            "options": f"{url.query.get('options', '')} -c default_transaction_read_only=on -c timezone=UTC".strip(),
            "connect_timeout": 5,
        },
    )


def _sqlite(path: Path) -> Engine:
    path = path.expanduser().absolute()
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")

    def connect() -> Any:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        return connection

    return create_engine("sqlite://", creator=connect, hide_parameters=True)


def _select(table: Table) -> Select[Any]:
    """Untyped columns, as what the older systems wrote does not always fit the types that they declared."""
    key: list[ColumnElement[Any]] = [column(name) for name in table.key]
    values: list[ColumnElement[Any]] = [
        column(name).label(f"value_{place}") for place, name in enumerate(table.columns.values())
    ]
    return select(*key, *values).select_from(table_named(table.name)).order_by(*key)
