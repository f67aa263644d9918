"""The routes that the HTTP API promises, as scripts call them."""

from __future__ import annotations

from typing import NamedTuple

from spendtop.domain.sources.records import KeyRule, pushed_sources


class Route(NamedTuple):
    """One method at one address. `described` is the address as the description names it."""

    method: str
    path: str
    described: str


def _routes(*lines: str) -> tuple[Route, ...]:
    found = []
    for line in lines:
        method, described = line.split()
        named = described.replace("{account}", "openai").replace("{name}", "daily")
        found.append(Route(method, named.replace("{id}", "1"), described))
    return tuple(found)


OPEN = _routes("GET /ping", "GET /health", "GET /dashboard", "POST /dashboard/login", "POST /dashboard/logout")
"""Without any key."""
SIGNED = _routes(*(f"POST {path}" for source in pushed_sources(KeyRule.SIGNED) for path in source.paths))
PUSHED = _routes(*(f"POST {path}" for source in pushed_sources(KeyRule.INGEST_KEY) for path in source.paths))
"""With an ingest key."""
ADMIN = _routes(
    "GET /spending/summary",
    "GET /requests",
    "GET /requests/{id}",
    "GET /sessions",
    "GET /sessions/{id}/costs",
    "GET /sessions/{id}/debug",
    "GET /jobs/{id}/costs",
    "GET /jobs/{id}/debug",
    "GET /users/{id}/costs",
    "GET /data",
    "GET /models",
    "GET /export.csv",
    "GET /export.jsonl",
    "GET /sources/{id}/posts",
    "GET /ingest/tokens",
    "POST /ingest/tokens",
    "GET /ingest/tokens/{id}/snippets",
    "PATCH /ingest/tokens/{id}/active",
    "DELETE /ingest/tokens/{id}",
    "DELETE /reset",
    "GET /limits",
    "GET /provider-limits",
    "POST /limits/{name}/raise",
    "DELETE /limits/{name}/raise",
    "POST /limits/backtest",
    "GET /verdict",
    "GET /alerts",
    "POST /alerts/{id}/ack",
    "POST /alerts/{id}/snooze",
    "POST /alerts/{id}/unack",
    "POST /alerts/undo",
    "GET /silences",
    "POST /silences",
    "DELETE /silences/{id}",
    "GET /ledger",
    "GET /ledger/{account}",
    "POST /ledger/{account}/sync",
    "POST /ledger/{account}/events",
    "GET /events",
    "GET /metrics",
    "GET /dashboard/state",
    "GET /dashboard/chart",
    "GET /openapi.json",
)
"""With the api key; also under /api."""
