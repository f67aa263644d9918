"""Requests, what is known about them, and the totals kept by difference."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Text, text
from sqlmodel import Field

from spendtop.store.tables.stored import Stored


def _request_id_key() -> Column[int]:
    """64 bits everywhere; SQLite's own row id, which it only takes for the type INTEGER."""
    return Column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False)


class RequestTable(Stored, table=True):
    """One LLM API call. `id` carries the arrival's microsecond and the collector's slot, and never changes."""

    __tablename__: ClassVar[Any] = "request"
    __table_args__: ClassVar[Any] = (
        Index("request_time", "occurred_at", "id"),
        Index("request_user_time", text("lower(user_id)"), "occurred_at"),
        Index("request_model_time", text("lower(model)"), "occurred_at"),
        Index("request_session_time", text("lower(session_id)"), "occurred_at"),
        # PostgreSQL's is without the hour.
        Index("request_cost", text("(occurred_at / 3600000000)"), "cost_nano", "id"),
        Index("request_doubtful", "occurred_at", sqlite_where=text("doubtful")),
        Index("request_twin", "occurred_at", sqlite_where=text("probable_twin_of IS NOT NULL")),
    )

    id: int = Field(sa_column=_request_id_key())
    source: str = Field(sa_type=Text)
    """The most trusted source that reported it."""
    sources: str = Field(sa_type=Text)
    """All sources that reported it, most trusted first, joined by commas."""
    external_ids: str = Field(sa_type=Text)
    """JSON object: source name to the id it gave."""
    response_id: str | None = Field(default=None, sa_type=Text)
    occurred_at: int = Field(sa_type=BigInteger)
    time_source: str = Field(sa_type=Text)
    time_suspect: bool = False
    received_at: int = Field(sa_type=BigInteger)
    provider: str | None = Field(default=None, sa_type=Text)
    model: str | None = Field(default=None, sa_type=Text)
    status: str = Field(sa_type=Text)
    http_status: int | None = None
    prompt_tokens: int | None = Field(default=None, sa_type=BigInteger)
    completion_tokens: int | None = Field(default=None, sa_type=BigInteger)
    cached_tokens: int | None = Field(default=None, sa_type=BigInteger)
    cache_write_tokens: int | None = Field(default=None, sa_type=BigInteger)
    reasoning_tokens: int | None = Field(default=None, sa_type=BigInteger)
    cost_nano: int | None = Field(default=None, sa_type=BigInteger)
    basis: str = Field(sa_type=Text)
    reported_cost_nano: int | None = Field(default=None, sa_type=BigInteger)
    computed_cost_nano: int | None = Field(default=None, sa_type=BigInteger)
    price_version: str | None = Field(default=None, sa_type=Text)
    user_id: str | None = Field(default=None, sa_type=Text)
    session_id: str | None = Field(default=None, sa_type=Text)
    session_path: str | None = Field(default=None, sa_type=Text)
    token: str | None = Field(default=None, sa_type=Text)
    properties: str | None = Field(default=None, sa_type=Text)
    """JSON object of strings."""
    latency_ms: int | None = Field(default=None, sa_type=BigInteger)
    ttft_ms: int | None = Field(default=None, sa_type=BigInteger)
    cached: bool = False
    verified: bool = False
    counted: bool = True
    body_state: str = Field(sa_type=Text)
    given_by: str | None = Field(default=None, sa_type=Text)
    """JSON object: field to the source that gave it, for fields that `source` did not give."""
    quantities: str | None = Field(default=None, sa_type=Text)
    """JSON object: unit to how much of it was used, of what the columns of tokens do not tell."""
    service_level: str | None = Field(default=None, sa_type=Text)
    level_assumed: bool = False
    unpriced_units: str | None = Field(default=None, sa_type=Text)
    """JSON object as `quantities`: what `cost_nano` is without; not null where the cost is partial."""
    reported_by: str | None = Field(default=None, sa_type=Text)
    doubtful: bool = False
    probable_twin_of: int | None = Field(default=None, sa_type=BigInteger)
    inference_geo: str | None = Field(default=None, sa_type=Text)
    served_model: str | None = Field(default=None, sa_type=Text)
    provider_usage: bytes | None = Field(default=None, sa_type=LargeBinary)
    """The provider's usage object, packed by `domain.requests.provider_usage`."""
    billing: str | None = Field(default=None, sa_type=Text)
    output_final: bool = True


class RequestKeyTable(Stored, table=True):
    """The only authority for "seen before": digest of source and external id. Outlives retention."""

    __tablename__: ClassVar[Any] = "request_key"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    request_id: int = Field(sa_type=BigInteger)
    content: bytes | None = Field(default=None, sa_type=LargeBinary)
    """Digest of what a push said under an id of its client's own choice."""


class BodyTable(Stored, table=True):
    """Prompt and response of one request, redacted and compressed."""

    __tablename__: ClassVar[Any] = "body"

    request_id: int = Field(sa_column=_request_id_key())
    dictionary: int = 0
    """Which compression dictionary `data` needs; 0 is none."""
    data: bytes = Field(sa_type=LargeBinary)


class DictionaryTable(Stored, table=True):
    """What bodies have in common, as their compression needs it."""

    __tablename__: ClassVar[Any] = "dictionary"

    id: int = Field(sa_column=_request_id_key())
    made_at: int = Field(sa_type=BigInteger)
    data: bytes = Field(sa_type=LargeBinary)


class RevisionTable(Stored, table=True):
    """What a later report changed in a request."""

    __tablename__: ClassVar[Any] = "revision"
    __table_args__: ClassVar[Any] = (Index("revision_request", "request_id"),)

    id: int | None = Field(default=None, primary_key=True)
    request_id: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)
    source: str = Field(sa_type=Text)
    changes: str = Field(sa_type=Text)
    """JSON object: field name to [old, new]."""


class TotalTable(Stored, table=True):
    """Spend of one key of one dimension in one bucket, kept by difference with every commit.

    Rows lie in the order in which they came, so those of the present hour together: what changes them writes few pages.
    """

    __tablename__: ClassVar[Any] = "total"
    __table_args__: ClassVar[Any] = (Index("total_bucket", "dimension", "bucket"),)

    dimension: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    """Start of the hour (of the minute in dimension `minute`) in UTC microseconds."""
    shard: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """The collector's slot, so that collectors on one PostgreSQL never wait for each other."""
    requests: int = Field(sa_type=BigInteger)
    cost_nano: int = Field(sa_type=BigInteger)
    """Sum of the known costs."""
    unpriced: int = Field(sa_type=BigInteger)
    errors: int = Field(sa_type=BigInteger)
    prompt_tokens: int = Field(sa_type=BigInteger)
    completion_tokens: int = Field(sa_type=BigInteger)
    failed: int = Field(sa_type=BigInteger)
    """Errors without any usage, which cost nothing."""


class DayTotalTable(Stored, table=True):
    """The sums of `total` by UTC day, for every dimension but `minute`, of the hours before the one that
    `store.day_totals.until` names."""

    __tablename__: ClassVar[Any] = "day_total"
    __table_args__: ClassVar[Any] = (
        Index("day_total_bucket", "dimension", "bucket", "cost_nano"),
        {"sqlite_with_rowid": False},
    )

    dimension: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
    bucket: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    """Start of the day in UTC microseconds."""
    shard: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    requests: int = Field(sa_type=BigInteger)
    cost_nano: int = Field(sa_type=BigInteger)
    unpriced: int = Field(sa_type=BigInteger)
    errors: int = Field(sa_type=BigInteger)
    prompt_tokens: int = Field(sa_type=BigInteger)
    completion_tokens: int = Field(sa_type=BigInteger)
    failed: int = Field(sa_type=BigInteger)


class LimitMarkTable(Stored, table=True):
    """A limit that a commit touched and that is not yet evaluated. Survives a crash between the two."""

    __tablename__: ClassVar[Any] = "limit_mark"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    limit_name: str = Field(primary_key=True, sa_type=Text)
    entity: str = Field(primary_key=True, sa_type=Text)
    hour: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    """Start of the hour in which the marking requests happened, UTC µs."""
    shard: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """The collector's slot, as in `total`: who marks waits for nobody else who marks the same."""
    happened_at: int = Field(sa_type=BigInteger)
    """When the latest of them happened, UTC µs."""


class RepriceTable(Stored, table=True):
    """One run over stored requests that computed their costs anew, or compared them with what is computed now."""

    __tablename__: ClassVar[Any] = "reprice"

    id: int | None = Field(default=None, primary_key=True)
    asked_by: str = Field(sa_type=Text)
    since: int | None = Field(default=None, sa_type=BigInteger)
    until: int | None = Field(default=None, sa_type=BigInteger)
    filter: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    """running, done, undoing or undone."""
    worker: str | None = Field(default=None, sa_type=Text)
    """Host, number and start of the process that works on it, so that everyone sees when it is gone."""
    started_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    cursor: str | None = Field(default=None, sa_type=Text)
    """Where to go on after an interruption: `occurred_at,id` of the last request that was looked at."""
    looked_at: int = Field(sa_type=BigInteger)
    changed: int = Field(sa_type=BigInteger)
    before_nano: int = Field(sa_type=BigInteger)
    """Sum of the known costs of the changed requests before; `after_nano` of the same ones after."""
    after_nano: int = Field(sa_type=BigInteger)
    unpriced_before: int = Field(sa_type=BigInteger)
    unpriced_after: int = Field(sa_type=BigInteger)
    versions: str = Field(sa_type=Text)
    """JSON list of the versions that had priced the changed requests before; `version` priced them anew."""
    version: str = Field(sa_type=Text)
    undone_by: str | None = Field(default=None, sa_type=Text)
    restored: int = Field(sa_type=BigInteger)
    """How many requests the undoing took back."""
    skipped: int = Field(sa_type=BigInteger)
    """How many the undoing left alone, as something else changed them since."""


class RepriceChangeTable(Stored, table=True):
    """What a run changed in one request, as MessagePack maps."""

    __tablename__: ClassVar[Any] = "reprice_change"
    __table_args__: ClassVar[Any] = ({"sqlite_with_rowid": False},)

    reprice_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    request_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    before: bytes = Field(sa_type=LargeBinary)
    """The columns that it changed, as they were."""
    after: bytes = Field(sa_type=LargeBinary)
    """All columns of the cost and of what it rests on, as the run left them: they differ once something else changed
    the request."""
