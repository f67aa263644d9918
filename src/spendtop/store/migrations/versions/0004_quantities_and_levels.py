"""Quantities by unit, service levels, who said a cost, what of it has no price, what was not read; totals by day"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Connection, text

from spendtop.store.migrations.views import replace_view

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_TEXTS = ("quantities", "service_level", "unpriced_units", "reported_by", "inference_geo", "served_model")
_FLAGS = ("level_assumed", "doubtful")
_REQUESTS = (
    *("id", "timestamp", "model", "user_id", "cost", "tokens"),
    *("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"),
    *("provider", "status", "http_status", "session_id", "session_path", "token", "properties"),
    *("latency_ms", "ttft_ms", "basis", "source", "sources", "cached", "verified", "counted"),
    *("quantities", "service_level", "level_assumed", "partial", "unpriced_units", "reported_by", "doubtful"),
    *("probable_twin_of", "inference_geo", "served_model"),
)
_USAGE = (
    *("id", "model", "cost", "tokens", "user_id", "timestamp"),
    *("basis", "partial", "quantities", "service_level"),
)
_MINUTE = 60_000_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_SLOTS = 64
_SUMS = ("requests", "cost_nano", "unpriced", "errors", "prompt_tokens", "completion_tokens", "failed")


def upgrade() -> None:
    for name in _TEXTS:
        op.add_column("request", sa.Column(name, sa.Text(), nullable=True))
    for name in _FLAGS:
        op.add_column("request", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    is_doubtful = sa.text("doubtful")
    op.create_index(
        "request_doubtful", "request", ["occurred_at"], sqlite_where=is_doubtful, postgresql_where=is_doubtful
    )
    op.add_column("request", sa.Column("probable_twin_of", sa.BigInteger(), nullable=True))
    has_twin = sa.text("probable_twin_of IS NOT NULL")
    op.create_index("request_twin", "request", ["occurred_at"], sqlite_where=has_twin, postgresql_where=has_twin)
    op.add_column("request", sa.Column("provider_usage", sa.LargeBinary(), nullable=True))
    op.add_column("total", sa.Column("failed", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "day_total",
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS),
        sa.PrimaryKeyConstraint("dimension", "key", "bucket", "shard"),
        sqlite_with_rowid=False,
    )
    op.create_index("day_total_bucket", "day_total", ["dimension", "bucket"], unique=False)
    op.create_table(
        "remark",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "kind", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reprice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("before_nano", sa.BigInteger(), nullable=False),
        sa.Column("after_nano", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_before", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_after", sa.BigInteger(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("restored", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "reprice_change",
        sa.Column("reprice_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("request_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=False),
        sa.Column("after", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("reprice_id", "request_id"),
        sqlite_with_rowid=False,
    )
    replace_view(op.get_bind(), "requests", _REQUESTS)
    replace_view(op.get_bind(), "llm_usage", _USAGE)


_AT_ONCE = 20_000
"""Rows that one step reads."""
_ZERO_UP_TO = text("SELECT id FROM request WHERE cost_nano = 0 AND id > :after ORDER BY id LIMIT 1 OFFSET :rows")
_FAILED = text(
    "SELECT id, occurred_at, counted, user_id, model, provider, source, session_id, token FROM request"
    " WHERE cost_nano = 0 AND id > :after AND id <= :up_to AND status = 'error'"
    " AND coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0) = 0"
)
_ADD_FAILED = text(
    "INSERT INTO total (dimension, key, bucket, shard, requests, cost_nano, unpriced, errors, prompt_tokens,"
    " completion_tokens, failed) VALUES (:dimension, :key, :bucket, :shard, 0, 0, 0, 0, 0, 0, :failed)"
    " ON CONFLICT (dimension, key, bucket, shard) DO UPDATE SET failed = total.failed + excluded.failed"
)


_LEAVE_OWN = text(
    "INSERT INTO meta (name, value) SELECT 'scoped totals without failed', :newest"
    " WHERE EXISTS (SELECT 1 FROM total WHERE dimension LIKE 'limit/%')"
)
"""Totals of limits with a scope of their own are completed by whoever knows the limits."""


def count_failed(connection: Connection, cursor: dict[str, Any] | None) -> tuple[dict[str, Any] | None, float]:
    """Count errors without any usage that cost nothing, in the order of the index on cost and id."""
    newest = connection.execute(text("SELECT max(id) FROM request")).scalar() or 0
    after = cursor["after"] if cursor else -1
    up_to = connection.execute(_ZERO_UP_TO, {"after": after, "rows": _AT_ONCE}).scalar()
    counts: Counter[tuple[str, str, int, int]] = Counter()
    for row in connection.execute(_FAILED, {"after": after, "up_to": newest if up_to is None else up_to}):
        counts.update(_counted_in(row))
    if counts:
        columns = ("dimension", "key", "bucket", "shard", "failed")
        rows = [dict(zip(columns, (*key, count), strict=True)) for key, count in sorted(counts.items())]
        connection.execute(_ADD_FAILED, rows)
    if up_to is None:
        connection.execute(_LEAVE_OWN, {"newest": str(newest)})
        return None, 1.0
    oldest = connection.execute(text("SELECT min(id) FROM request")).scalar() or 0
    return {"after": up_to}, (up_to - oldest) / max(1, newest - oldest)


def _counted_in(row: Any) -> list[tuple[str, str, int, int]]:
    """Dimension, key, bucket and shard of the totals that a request counts in."""
    hour, shard = row.occurred_at - row.occurred_at % _HOUR, row.id % _SLOTS
    if not row.counted:
        return [("shadow", row.token or "", hour, shard)]
    keys = [("all", ""), *((name, getattr(row, name) or "") for name in ("model", "provider", "source"))]
    keys.append(("user", row.user_id or ""))
    if row.session_id is not None:
        keys.append(("session", row.session_id))
    if row.token is not None:
        keys.append(("token", row.token))
    minute = row.occurred_at - row.occurred_at % _MINUTE
    return [("minute", "", minute, shard), *((dimension, key, hour, shard) for dimension, key in keys)]


_KEY_UP_TO = text(
    "SELECT dimension, key FROM total WHERE dimension <> 'minute' AND (dimension, key) > (:dimension, :key)"
    " ORDER BY dimension, key LIMIT 1 OFFSET :rows"
)
_FOLD = (
    f"INSERT INTO day_total (dimension, key, bucket, shard, {', '.join(_SUMS)})"
    f" SELECT dimension, key, bucket - bucket % {_DAY}, shard, {', '.join(f'sum({name})' for name in _SUMS)} FROM total"
    " WHERE dimension <> 'minute' AND bucket < :until AND (dimension, key) > (:dimension, :key) {up_to}"
    f" GROUP BY dimension, key, bucket - bucket % {_DAY}, shard"
)
_PUT_UNTIL = text(
    "INSERT INTO meta (name, value) VALUES ('day totals until', :until)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def fold_days(connection: Connection, cursor: dict[str, Any] | None) -> tuple[dict[str, Any] | None, float]:
    """Sum the hours that are over by days, some keys at a time in the order of their rows."""
    if cursor is None:
        rows = connection.execute(text("SELECT count(*) FROM total WHERE dimension <> 'minute'")).scalar_one()
        cursor = {"dimension": "", "key": "", "until": time.time_ns() // 1000 // _HOUR * _HOUR, "of": rows, "done": 0}
    place = {name: cursor[name] for name in ("dimension", "key", "until")}
    start = {name: cursor[name] for name in ("dimension", "key")}
    up_to = connection.execute(_KEY_UP_TO, {**start, "rows": _AT_ONCE}).one_or_none()
    if up_to is None:
        connection.execute(text(_FOLD.format(up_to="")), place)
        connection.execute(_PUT_UNTIL, {"until": str(cursor["until"])})
        return None, 1.0
    bounded = text(_FOLD.format(up_to="AND (dimension, key) <= (:last_dimension, :last_key)"))
    connection.execute(bounded, {**place, "last_dimension": up_to.dimension, "last_key": up_to.key})
    done = cursor["done"] + _AT_ONCE
    further = {**cursor, "dimension": up_to.dimension, "key": up_to.key, "done": done}
    return further, min(1.0, done / max(1, cursor["of"]))


FILLINGS = (count_failed, fold_days)
