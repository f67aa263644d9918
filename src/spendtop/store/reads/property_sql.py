"""What requests have as properties, as SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ColumnElement, Connection, cast, func, select


def property_items(column: ColumnElement[Any], connection: Connection) -> Any:
    """The rows (key, value) of a column that holds a JSON object of strings."""
    if connection.dialect.name == "sqlite":
        return func.json_each(column).table_valued("key", "value")
    return func.json_each_text(cast(column, JSON)).table_valued("key", "value")


def property_value(column: ColumnElement[Any], name: str, connection: Connection) -> ColumnElement[str]:
    """The value of one, empty where there is none."""
    item = property_items(column, connection)
    value = select(item.c.value).where(item.c.key == name).limit(1).scalar_subquery()
    return func.coalesce(value, "")
