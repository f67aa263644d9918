"""The names under which faces show tracking tokens. Requests and totals hold the value that clients send, which stands
for itself once its token is deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, ScalarSelect, func, literal, or_, select

from spendtop.store.statements import table_of
from spendtop.store.tables import TokenTable

_TOKEN = table_of(TokenTable)


def token_names(connection: Connection) -> dict[str, str]:
    """The names of all tokens, by value."""
    rows = connection.execute(select(_TOKEN.c.token, _TOKEN.c.name))
    return {row.token: row.name for row in rows}


def name_of(connection: Connection, value: str) -> str:
    """What people read for one token."""
    return connection.execute(select(_TOKEN.c.name).where(_TOKEN.c.token == value)).scalar() or value


def name_column(value: ColumnElement[Any]) -> ScalarSelect[Any]:
    """The name of the token whose value a column holds; NULL where it has none."""
    return select(_TOKEN.c.name).where(_TOKEN.c.token == value).scalar_subquery()


def is_called(
    value: ColumnElement[Any], matches: Callable[[ColumnElement[Any]], ColumnElement[bool]]
) -> ColumnElement[bool]:
    """Whether a token's value, its name, or the name that it shares with another one `matches`, as
    `domain.requests.token_names.names_of` has them."""
    shared = func.replace(_TOKEN.c.name, literal(" (") + _TOKEN.c.token + literal(")"), "")
    return or_(matches(value), value.in_(select(_TOKEN.c.token).where(or_(matches(_TOKEN.c.name), matches(shared)))))
