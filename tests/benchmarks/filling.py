"""A store with a million requests in seconds: rows made by SQL, and totals made from the rows, so they are true."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.requests.request import BodyState
from spendtop.domain.sources.records import HELICONE, source_named
from spendtop.store.bodies import encode
from spendtop.store.day_totals import add_hours
from spendtop.store.engine import Store
from spendtop.store.ids import SLOTS, identity
from spendtop.store.schema import upgrade
from tests.store.earlier_store import make_schema

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
    CASE WHEN b % 100 THEN 200 + a % 3000 END, CASE WHEN b % 100 THEN 20 + b % 700 END,
    CASE WHEN b % 100 THEN a % 200 END,
    CASE WHEN b % 100 = 0 THEN 0 WHEN b % 97 = 0 THEN NULL ELSE 50000 + a * 20 END, 'reported',
    50000 + a * 20, 50000 + a * 20,
    'user-' || (CASE WHEN a % 2 THEN b % :users ELSE b % (:users / 10 + 1) END),
    CASE WHEN n % 5 THEN NULL ELSE 'session-' || (n / 100) END, 300 + b % 9000, 0, 0, 1, :body_state
FROM drawn
"""
_BODIES = "INSERT INTO body (request_id, dictionary, data) SELECT id, :dictionary, :data FROM request ORDER BY id"
_KEYS = """
INSERT INTO request_key (digest, request_id)
SELECT digest('{source}', 'old-' || (rowid - 1)), id FROM numbered ORDER BY 1
"""
_TOTALS = """
INSERT INTO total (dimension, key, bucket, shard, requests, cost_nano, unpriced, errors, prompt_tokens,
    completion_tokens{failed_column})
SELECT '{dimension}', {key}, occurred_at - occurred_at % {unit} AS start, 0, count(*),
    coalesce(sum(cost_nano), 0), sum(cost_nano IS NULL), sum(status = 'error'), coalesce(sum(prompt_tokens), 0),
    coalesce(sum(completion_tokens), 0){failed}
FROM request WHERE {key} IS NOT NULL GROUP BY {key}, start ORDER BY start
"""
"""In the order in which they come: so totals lie where it is that of their rows."""
_FAILED = ", sum(status = 'error' AND cost_nano = 0 AND prompt_tokens IS NULL AND completion_tokens IS NULL)"
_GROWN = "request_user_time"
"""The index into whose midst new entries go. Made at the end it would be full to the brim, and each page of it would be
split by the first request that comes: a store that grew has room in it."""
_DIMENSIONS = {
    "all": "''",
    "user": "user_id",
    "model": "model",
    "provider": "provider",
    "source": "source",
    "session": "session_id",
}


def filled(path: Path, requests: int, users: int = 2_000, span: int = SPAN, body: bytes | None = None) -> Path:
    """A new store with so many requests of the last `span` µs, evenly spread; with the same body each, or none."""
    with closing(Store(f"sqlite:///{path}")) as store:
        upgrade(store)
        _fill(path, requests, users, span, body)
        more = True
        while more:
            with store.writing() as connection:
                more = add_hours(connection, time.time_ns() // 1000)
        store.checkpoint()
    return path


def filled_earlier(path: Path, requests: int, users: int = 2_000, span: int = SPAN) -> Path:
    """The same with schema 0003, which had no totals by day."""
    with closing(Store(f"sqlite:///{path}")) as store:
        make_schema(store, "0003", {})
    _fill(path, requests, users, span)
    return path


def _fill(path: Path, requests: int, users: int, span: int, body: bytes | None = None) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.create_function("digest", 2, _digest, deterministic=True)
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-400000")
        if requests:
            _insert(connection, requests, users, span, BodyState.NOT_KEPT if body is None else BodyState.STORED)
        if body is not None:
            dictionary, data = encode(body, None)
            connection.execute(_BODIES, {"dictionary": dictionary, "data": data})
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _insert(connection: sqlite3.Connection, requests: int, users: int, span: int, body_state: str) -> None:
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'request' AND sql IS NOT NULL"
        " AND name <> ?",
        (_GROWN,),
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    step = span // requests
    values = {
        "source": HELICONE.name,
        "slots": SLOTS,
        "users": users,
        "body_state": body_state,
        "step": step,
        "start": time.time_ns() // 1000 - requests * step,
    }
    for first in range(0, requests, _CHUNK):
        connection.execute(_REQUESTS, {**values, "first": first, "last": min(first + _CHUNK, requests)})
    connection.execute("CREATE TEMP TABLE numbered AS SELECT id FROM request ORDER BY id")
    connection.execute(_KEYS.format(source=HELICONE.name))
    connection.execute("DROP TABLE numbered")
    counts_failed = "failed" in {row[1] for row in connection.execute("PRAGMA table_info(total)")}
    failed = {"failed_column": ", failed", "failed": _FAILED} if counts_failed else {"failed_column": "", "failed": ""}
    for dimension, key in _DIMENSIONS.items():
        connection.execute(_TOTALS.format(dimension=dimension, key=key, unit=HOUR, **failed))
    connection.execute(_TOTALS.format(dimension="minute", key="''", unit=MINUTE, **failed))
    for _, sql in indexes:
        connection.execute(sql)


def _digest(source: str, external_id: str) -> bytes:
    return identity(source_named(source), external_id)
