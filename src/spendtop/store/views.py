"""Read-only views for people with a SQL prompt, with the columns that earlier spend monitors had."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

_MOMENTS = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%fZ', occurred_at / 1000000.0, 'unixepoch')",
    "postgresql": "to_timestamp(occurred_at / 1000000.0)",
}
_TOKENS = (
    "CASE WHEN prompt_tokens IS NULL AND completion_tokens IS NULL THEN NULL"
    " ELSE coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0) END"
)
_DOLLARS = "cost_nano / 1000000000.0"
_PARTIAL = "unpriced_units IS NOT NULL"


def definitions(dialect: str) -> Mapping[str, str]:
    """Each view's SELECT by name. They hold counted requests only, so that their sums are those of every other face;
    amounts are in US dollars, NULL where a cost is not known, of a partial one what is known; times are in UTC."""
    moment = _MOMENTS[dialect]
    return {
        "requests": (
            f"SELECT id, {moment} AS timestamp, model, user_id, {_DOLLARS} AS cost, {_TOKENS} AS tokens,"
            " prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens,"
            " provider, status, http_status, session_id, session_path, token, properties, latency_ms, ttft_ms,"
            f" basis, source, sources, cached, verified, counted, service_level, {_PARTIAL} AS partial, unpriced_units,"
            " reported_by, doubtful FROM request WHERE counted"
        ),
        "llm_usage": (
            f"SELECT id, model, {_DOLLARS} AS cost, {_TOKENS} AS tokens, user_id, {moment} AS timestamp,"
            f" {_PARTIAL} AS partial"
            " FROM request WHERE counted"
        ),
    }


def recreate(connection: Connection) -> None:
    """Make the views anew, as they are defined now."""
    for name, select in definitions(connection.dialect.name).items():
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
        connection.execute(text(f"CREATE VIEW {name} AS {select}"))
