"""The read-only SQL views: columns that earlier spend monitors had first, amounts in USD, times in UTC."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

_DOLLARS = "cost_nano / 1000000000.0"
_EQUIVALENT = "coalesce(computed_cost_nano, reported_cost_nano)"
_TOKENS = (
    "CASE WHEN prompt_tokens IS NULL AND completion_tokens IS NULL THEN NULL"
    " ELSE coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0) END"
)
_MADE = {
    "cost": _DOLLARS,
    "cost_usd": _DOLLARS,
    "cost_nanousd": "cost_nano",
    "tokens": _TOKENS,
    "total_tokens": _TOKENS,
    "partial": "(unpriced_units IS NOT NULL)",
    "api_equivalent_usd": f"{_EQUIVALENT} / 1000000000.0",
    "api_equivalent_nanousd": _EQUIVALENT,
    "token_name": "(SELECT name FROM token WHERE token.token = request.token)",
}
"""Columns that are not columns of `request`, but for the time; `cost` is its known part."""
_TIMESTAMP = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%fZ', occurred_at / 1000000.0, 'unixepoch')",
    "postgresql": "to_timestamp(occurred_at / 1000000.0)",
}
_REPLACE = {"sqlite": "CREATE VIEW", "postgresql": "CREATE OR REPLACE VIEW"}
"""PostgreSQL's keeps what was granted on the view and what others built on it; new columns have to come last."""


def replace_view(connection: Connection, name: str, columns: Sequence[str]) -> None:
    """Make the view with these columns of the counted requests."""
    _replace(connection, name, columns, "counted")


def replace_plan_view(connection: Connection, name: str, columns: Sequence[str]) -> None:
    """Make the view with these columns of the calls under a plan."""
    _replace(connection, name, columns, "basis = 'plan'")


def _replace(connection: Connection, name: str, columns: Sequence[str], condition: str) -> None:
    dialect = connection.dialect.name
    made = {**_MADE, **dict.fromkeys(("timestamp", "occurred_at"), _TIMESTAMP[dialect])}
    selected = ", ".join(f"{made[each]} AS {each}" if each in made else each for each in columns)
    if dialect == "sqlite":
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
    connection.exec_driver_sql(f"{_REPLACE[dialect]} {name} AS SELECT {selected} FROM request WHERE {condition}")
