"""A store with something in every table, and all that it holds."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, Row, Table, select

from spendtop.domain.clock import DAY, HOUR
from spendtop.store import day_totals, dictionaries
from spendtop.store.engine import Store
from spendtop.store.table_copy import copied_tables
from spendtop.store.verification import verify
from tests.store.conftest import Recorded

AT = 20_000 * DAY + 7 * HOUR
TEXT = "ünïcode 😀 \"'\\\t\r\n€ \\N NULL"
_OF_RECORDING = frozenset({"request", "request_key", "body", "dictionary", "total", "day_total", "meta"})


def fill(store: Store, requests: int = 40) -> None:
    """Requests of several days with prompts and totals, by hour and by day; two made-up rows in every other table."""
    recorded = Recorded(store)
    recorded.add(
        recorded.request(
            AT + number * 5 * HOUR,
            None if number % 7 == 0 else number * 1_000_003,
            user_id=f"user {number % 3}" if number % 4 else None,
            model=TEXT if number == 1 else "gpt-4o",
            session_id=f"session {number % 5}" if number % 2 else None,
            request_body=b'{"messages":[]}' if number % 3 else None,
            response_body=f'{{"said":"{number}"}}'.encode() if number % 3 else None,
        )
        for number in range(requests)
    )
    with store.writing() as connection:
        while day_totals.add_hours(connection, AT + 2 * DAY):
            pass
        dictionaries.add(connection, (files("spendtop.store") / "body.dict").read_bytes(), AT)
        for table in copied_tables():
            if table.name not in _OF_RECORDING:
                connection.execute(table.insert(), [made_up_row(table, number) for number in range(2)])
    revise(store)


def revise(store: Store) -> None:
    """Have what belongs to something belong to what is there."""
    with store.writing() as connection:
        tables = {table.name: table for table in copied_tables()}
        some = connection.execute(select(tables["request"].c.id)).scalars().first()
        connection.execute(tables["revision"].update().values(request_id=some))
        delivery = connection.execute(select(tables["delivery"].c.id)).scalars().first()
        connection.execute(tables["delivery_attempt"].update().values(delivery_id=delivery))
        alert = connection.execute(select(tables["alert"].c.id)).scalars().first()
        connection.execute(tables["alert_transition"].update().values(alert_id=alert))


def content(store: Store) -> dict[str, list[Row[Any]]]:
    """All rows of all tables, in primary-key order."""
    with store.reading() as connection:
        found = {
            table.name: list(connection.execute(select(table).order_by(*table.primary_key)))
            for table in copied_tables()
        }
    assert all(found.values()), [name for name, rows in found.items() if not rows]
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def is_whole(store: Store) -> bool:
    verified = verify(store, lambda share: None)
    assert (verified.damage, verified.flaws) == ((), ())
    return True


def made_up_row(table: Table, number: int) -> dict[str, Any]:
    """A value for each column but a number that the database gives; other rows for other numbers."""
    return {
        column.name: _value(column, number)
        for column in table.columns
        if not (column.name == "id" and column.primary_key)
    }


def _value(column: Column[Any], number: int) -> Any:
    if column.nullable and number == 0:
        return None
    if isinstance(column.type, Boolean):
        return number == 1
    if isinstance(column.type, BigInteger):
        return 2**62 + number
    if isinstance(column.type, Integer):
        return 1_000 + number
    if isinstance(column.type, Float):
        return 0.1 + number
    if isinstance(column.type, LargeBinary):
        return bytes(range(256)) * (number + 1)
    return f"{TEXT} {number}"
