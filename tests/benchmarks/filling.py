"""A store with a million requests in seconds: rows made by SQL, and totals made from the rows, so they are true."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.sources import HELICONE, source_named
from spendtop.store.engine import Store
from spendtop.store.ids import SLOTS, identity
from spendtop.store.schema import upgrade

SPAN = 30 * DAY
"""Time over which the requests are spread, up to now."""
_CHUNK = 500_000

_REQUESTS = """
WITH RECURSIVE number(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM number WHERE n + 1 < :last),
     drawn AS (SELECT n, :start + n * :step AS at,
                      n * 2654435761 % 1000003 AS a, n * 2246822519 % 1000033 AS b FROM number)
INSERT INTO request (id, source, sources, external_ids, response_id, occurred_at, time_source, time_suspect,
    received_at, provider, model, status, prompt_tokens, completion_tokens, cached_tokens, cost_nano, basis,
    reported_cost_nano, computed_cost_nano, user_id, session_id, latency_ms, cached, verified, counted, body_state)
SELECT at * :slots, :source, :source, '{"' || :source || '":"old-' || n || '"}', 'chatcmpl-' || a || b || n,
    at - a, 'provider', 0, at, 'openai', 'gpt-5-' || (a % 9), CASE WHEN b % 50 = 0 THEN 'error' ELSE 'ok' END,
    200 + a % 3000, 20 + b % 700, a % 200, CASE WHEN b % 97 = 0 THEN NULL ELSE 50000 + a * 20 END, 'reported',
    50000 + a * 20, 50000 + a * 20,
    'user-' || (CASE WHEN a % 2 THEN b % :users ELSE b % (:users / 10 + 1) END),
    CASE WHEN n % 5 THEN NULL ELSE 'session-' || (n / 100) END, 300 + b % 9000, 0, 0, 1, 'not kept'
FROM drawn
"""
_KEYS = """
INSERT INTO request_key (digest, request_id)
SELECT digest('{source}', 'old-' || (rowid - 1)), id FROM numbered ORDER BY 1
"""
_TOTALS = """
INSERT INTO total SELECT '{dimension}', {key}, occurred_at - occurred_at % {unit} AS bucket, 0, count(*),
    coalesce(sum(cost_nano), 0), sum(cost_nano IS NULL), sum(status = 'error'), sum(prompt_tokens),
    sum(completion_tokens)
FROM request WHERE {key} IS NOT NULL GROUP BY {key}, bucket
"""
_DIMENSIONS = {
    "all": "''",
    "user": "user_id",
    "model": "model",
    "provider": "provider",
    "source": "source",
    "session": "session_id",
}


def filled(path: Path, requests: int, users: int = 2_000) -> Path:
    """A new store with so many requests of the last 30 days, evenly spread; bodies are not kept."""
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.create_function("digest", 2, _digest, deterministic=True)
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-400000")
        if requests:
            _insert(connection, requests, users)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def _insert(connection: sqlite3.Connection, requests: int, users: int) -> None:
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'request' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    step = SPAN // requests
    values = {
        "source": HELICONE.name,
        "slots": SLOTS,
        "users": users,
        "step": step,
        "start": time.time_ns() // 1000 - requests * step,
    }
    for first in range(0, requests, _CHUNK):
        connection.execute(_REQUESTS, {**values, "first": first, "last": min(first + _CHUNK, requests)})
    connection.execute("CREATE TEMP TABLE numbered AS SELECT id FROM request ORDER BY id")
    connection.execute(_KEYS.format(source=HELICONE.name))
    connection.execute("DROP TABLE numbered")
    for dimension, key in _DIMENSIONS.items():
        connection.execute(_TOTALS.format(dimension=dimension, key=key, unit=HOUR))
    connection.execute(_TOTALS.format(dimension="minute", key="''", unit=MINUTE))
    for _, sql in indexes:
        connection.execute(sql)


def _digest(source: str, external_id: str) -> bytes:
    return identity(source_named(source), external_id)
